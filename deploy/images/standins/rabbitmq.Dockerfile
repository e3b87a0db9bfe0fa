# rabbitmq:4.1.4-management, real: Debian's rabbitmq-server 4.0, without the management plugin
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends rabbitmq-server \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
COPY rabbitmq-entrypoint /usr/local/bin/docker-entrypoint.sh
COPY rabbitmq.conf /etc/rabbitmq/conf.d/10-defaults.conf
# As in the official image: Debian's own rabbitmqctl in front of it loses backslashes.
ENV HOME=/var/lib/rabbitmq PATH=/usr/lib/rabbitmq/bin:$PATH
VOLUME /var/lib/rabbitmq
EXPOSE 5672
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["rabbitmq-server"]
