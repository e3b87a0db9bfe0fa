"""Names are looked up by the machine's resolver; what the machine lacks is no fault of the name."""

import errno
import os
import socket
import threading
from typing import Any

import pytest

from transports.errors import Kind, ResolveFailed, ResourcesExhausted
from transports.network.lookup import look_up


def failing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def getaddrinfo(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
        OSError(errno.ENFILE, os.strerror(errno.ENFILE)),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        socket.gaierror(socket.EAI_MEMORY, "Memory allocation failure"),
    ],
    ids=lambda error: error.strerror,
)
def test_a_lookup_that_this_machine_cannot_make_is_ours(
    error: OSError, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, error)
    with pytest.raises(ResourcesExhausted) as short:
        look_up("ftp.customer.example", 21, 60)
    assert short.value.kind is Kind.OURS
    assert str(error.strerror) in short.value.words


def test_want_of_a_thread_is_ours_and_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as short:
        short.setattr(threading.Thread, "start", start)
        for _ in range(100):
            with pytest.raises(ResourcesExhausted):
                look_up("localhost", 21, 60)
    assert look_up("localhost", 21, 60)


def test_a_name_without_an_address_is_the_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    with pytest.raises(ResolveFailed, match="Name or service not known"):
        look_up("ftp.customer.example", 21, 60)
