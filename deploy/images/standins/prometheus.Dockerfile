# prom/prometheus:v3.5.0, real: Debian's Prometheus 2.53
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends prometheus \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
    && install -d -o nobody -g nogroup /prometheus
USER nobody
VOLUME /prometheus
ENTRYPOINT ["/usr/bin/prometheus"]
