"""Which server a name leads to."""

import socket
from typing import Any

import pytest

from config.accounts import FtpSettings, Protocol
from consumers.delivery import server_ids
from consumers.delivery.server_ids import ServerIds
from transports.base import Egress, Limits

SETTINGS = FtpSettings(protocol=Protocol.SFTP, host="sftp.acme.example", port=22, username="u")


class Names:
    """A name server that may be away."""

    def __init__(self) -> None:
        self.is_away = False
        self.lookups = 0

    def look_up(self, *_: Any, **__: Any) -> Any:
        self.lookups += 1
        if self.is_away:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 22))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names()
    monkeypatch.setattr(socket, "getaddrinfo", found.look_up)
    return found


def ids() -> ServerIds:
    return ServerIds(Limits(), Egress())


def test_a_name_is_looked_up_once(names: Names) -> None:
    known = ids()
    assert {known.of(SETTINGS) for _ in range(3)} == {"192.0.2.7:22"}
    assert names.lookups == 1
    assert known.known(SETTINGS) == "192.0.2.7:22"


def test_what_a_failed_lookup_told_is_soon_asked_again(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_ids, "UNSURE_SECONDS", 0.0)
    known = ids()
    names.is_away = True
    assert known.of(SETTINGS) == "sftp.acme.example:22"
    names.is_away = False
    assert known.of(SETTINGS) == "192.0.2.7:22"


def test_what_is_old_is_forgotten(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_ids, "KNOWN_SECONDS", 0.0)
    known = ids()
    known.of(SETTINGS)
    known.forget()
    assert (known.known(SETTINGS), names.lookups) == (None, 1)
