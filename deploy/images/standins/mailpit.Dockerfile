# axllent/mailpit:v1.30.5, not real: Debian's aiosmtpd takes the e-mails, and has no page
FROM debian:13.1-slim
RUN apt-get update -qq \
    && apt-get install -qq --yes --no-install-recommends python3-aiosmtpd \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb
ENTRYPOINT ["python3", "-m", "aiosmtpd", "-n", "-l", "0.0.0.0:1025"]
