# prom/alertmanager:v0.28.1, real: Debian's Alertmanager
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends prometheus-alertmanager \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
    && install -d -o nobody -g nogroup /alertmanager
USER nobody
VOLUME /alertmanager
ENTRYPOINT ["/usr/bin/prometheus-alertmanager"]
