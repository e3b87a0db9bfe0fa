# mongo:8.0.17, not real: the older mongod that the tests run on
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends libcurl4t64 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb \
    && useradd mongodb \
    && install -d -o mongodb /data/db /data/configdb
COPY mongodb/lib/ /usr/local/lib/
COPY mongodb/mongod /usr/local/bin/
COPY mongo-entrypoint /usr/local/bin/docker-entrypoint.sh
RUN ldconfig && mongod --version >/dev/null
VOLUME /data/db /data/configdb
EXPOSE 27017
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mongod", "--bind_ip_all"]
