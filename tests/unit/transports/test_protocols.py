"""Every protocol has what belongs to it; one that has no backend is never taken for plain FTP."""

import socket

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.protocols import DEFAULT_PORTS
from transports.backends import connect
from transports.base import MOST_AT_ONCE, Egress, Limits
from transports.errors import ConnectFailed


def test_every_protocol_has_a_port_and_a_limit_of_uploads() -> None:
    assert set(DEFAULT_PORTS) == set(Protocol)
    assert set(MOST_AT_ONCE) == set(Protocol)


@pytest.mark.parametrize("protocol", Protocol)
def test_every_protocol_has_a_backend(protocol: Protocol) -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        port = deaf.getsockname()[1]
        settings = FtpSettings(protocol=protocol, host="127.0.0.1", port=port, username="customer")
        with pytest.raises(ConnectFailed):  # a backend has dialed
            connect(settings, SecretStr("secret"), Limits(), Egress())


def test_a_protocol_without_a_backend_gets_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0)
        known = FtpSettings(
            protocol=Protocol.FTP,
            host="127.0.0.1",
            port=server.getsockname()[1],
            username="customer",
        )
        unknown = known.model_copy(update={"protocol": "gopher"})
        with pytest.raises(AssertionError):
            connect(unknown, SecretStr("secret"), Limits(), Egress())
        with pytest.raises(BlockingIOError):
            server.accept()
