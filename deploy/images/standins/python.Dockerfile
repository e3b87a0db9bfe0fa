# python:3.13.9-slim-trixie, real: Debian's Python 3.13
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
# How this machine reaches its registry of Python packages.
COPY machine/ /
