"""Sessions and bare connections through a proxy."""

import socket
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.outgoing import Proxy, ProxyProtocol
from deploy.local.customers import CustomerServer
from tests.contract.accounts import Ledger, job, opened, settings_of, upload
from tests.contract.conftest import leaving_nothing
from tests.servers.proxies import (
    DebiansProxy,
    NotingProxy,
)
from transports.backends import connect
from transports.base import Egress, Limits, Server
from transports.errors import TransferError
from transports.network.dialing import dial
from transports.network.egress import resolve

NAME = "customer.example"
LONG = Limits(resolve=60, connect=60, login=60, reply=60, stall=60)
SHORT = Limits(connect=1)
SECRET = "s3cret-of-the-proxy"
PROTOCOLS = tuple(ProxyProtocol)


SOCKS, HTTP = PROTOCOLS
GREETED = b"\x05\x00"


def through(proxy: DebiansProxy | NotingProxy) -> Egress:
    """The way of all connections to customers."""
    if isinstance(proxy, DebiansProxy):
        return Egress(proxy=proxy.proxy)
    return Egress(proxy=proxy.proxy(proxy.protocol))


def session(customer: CustomerServer, egress: Egress, **changes: str) -> Server:
    return connect(settings_of(customer, **changes), SecretStr(customer.password), LONG, egress)


def send(server: Server, recording: Path) -> None:
    with opened(recording) as source:
        upload(server, source, job(), Ledger())


def reach(proxy: Proxy, port: int, limits: Limits = LONG, host: str = "127.0.0.1") -> bytes:
    """Connect through the proxy; the first bytes that the server says."""
    addresses = resolve(host, port, limits, Egress(proxy=proxy))
    with dial(addresses, limits).socket as connection:
        return connection.recv(100)


def failure(proxy: Proxy, port: int = 21, limits: Limits = LONG) -> TransferError:
    """Of a connection through the proxy, which leaves nothing open."""
    with leaving_nothing(), pytest.raises(TransferError) as failed:
        reach(proxy, port, limits)
    return failed.value


def named(monkeypatch: pytest.MonkeyPatch, hosts: dict[str, list[str]]) -> None:
    """What the resolver answers; other names have no address."""
    real = socket.getaddrinfo

    def found(host: str, port: int, *rest: Any, **more: Any) -> list[Any]:
        if not host.endswith(".example"):
            return list(real(host, port, *rest, **more))
        if host not in hosts:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in hosts[host]
        ]

    monkeypatch.setattr(socket, "getaddrinfo", found)
