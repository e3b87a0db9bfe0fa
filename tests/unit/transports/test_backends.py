"""Which server it is: its addresses and port, whatever its names."""

import socket

import pytest

from config.accounts import FtpSettings, Protocol
from transports.backends import server_id
from transports.base import Egress, Limits
from transports.errors import ResolveFailed
from transports.network import egress
from transports.network.dialing import Address


def settings(host: str, port: int = 22) -> FtpSettings:
    return FtpSettings(protocol=Protocol.SFTP, host=host, port=port, username="u")


def named(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    found = [Address(socket.AF_INET, (each, 22)) for each in addresses]
    monkeypatch.setattr(egress, "resolve", lambda *_: found)


def server(host: str, port: int = 22) -> str:
    return server_id(settings(host, port), Limits(), Egress())


def test_names_with_the_same_addresses_are_one_server(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, "192.0.2.2", "192.0.2.1")
    one = server("a.example")
    named(monkeypatch, "192.0.2.1", "192.0.2.2", "192.0.2.1")
    assert server("b.example") == one == "192.0.2.1,192.0.2.2:22"


def test_another_port_is_another_server() -> None:
    assert server("192.0.2.1", 22) != server("192.0.2.1", 2222)


def test_a_name_of_many_addresses_stands_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, *(f"192.0.2.{number}" for number in range(egress.MAX_ADDRESSES)))
    assert server("Cloud.example") == "cloud.example:22"


def test_a_name_without_an_address_stands_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> list[Address]:
        raise ResolveFailed("No")

    monkeypatch.setattr(egress, "resolve", fail)
    assert server("Gone.example") == "gone.example:22"
