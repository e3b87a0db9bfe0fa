"""The broker's nodes: `COURIER_AMQP_URL` names one, or several of a cluster with `;` between."""

import random
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import pika

from config.service_urls import BETWEEN
from config.tls import LOWEST_VERSION, Endpoint, Trust


def addresses(rabbitmq: Endpoint) -> list[str]:
    """The URL of each node, in random order, so that the workers spread over them."""
    nodes = [each.strip() for each in rabbitmq.url.get_secret_value().split(BETWEEN)]
    return random.sample(nodes, len(nodes))


def parameters(
    rabbitmq: Endpoint, *, socket_timeout: float = 10, blocked_timeout: float = 30
) -> Sequence[pika.URLParameters]:
    """pika's parameters for each node; it takes the first that answers. Times in seconds.

    Raises OSError where a file of TLS cannot be used.
    """
    found = [pika.URLParameters(each) for each in addresses(rabbitmq)]
    for each in found:
        each.socket_timeout = socket_timeout
        each.blocked_connection_timeout = blocked_timeout
        if each.ssl_options is not None:
            each.ssl_options = pika.SSLOptions(rabbitmq.trust.context(), each.host)
    return found


def kombu_tls(node: str, trust: Trust) -> dict[str, Any] | None:
    """The same for a connection of kombu's to this node; None without TLS.

    py-amqp checks neither chain nor name, and does not tell the name to the server (RFC 6066,
    section 3), unless it is given both.
    """
    parts = urlsplit(node)
    if parts.scheme != "amqps":
        return None
    files = {"ca_certs": trust.ca_file, "certfile": trust.cert_file, "keyfile": trust.key_file}
    return {
        "server_hostname": parts.hostname,
        "cert_reqs": ssl.CERT_REQUIRED,
        "tls_minimum_version": LOWEST_VERSION,
        **{name: str(path) for name, path in files.items() if path is not None},
    }
