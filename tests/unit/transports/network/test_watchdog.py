"""The watchdog cuts what stands still, and ends when nobody needs it."""

import socket
import threading
import time

import pytest

from transports.network import watchdog
from transports.network.watchdog import Watch


def test_a_socket_is_cut_when_the_limit_is_over() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch = Watch()
        watch.guard(ours)
        started = time.monotonic()
        with watch.within(0.3):
            assert ours.recv(1) == b""
        watch.close()
    assert time.monotonic() - started >= 0.3
    assert watch.expired
    assert watch.words == "The server was silent for 0.3 seconds"


def test_what_goes_forward_is_left_alone() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        watch = Watch()
        watch.guard(ours)
        with watch.within(1):
            for _ in range(6):
                time.sleep(0.2)
                watch.moved()
        time.sleep(1.2)
        assert not watch.expired
        ours.send(b"x")
        watch.close()


@pytest.mark.parametrize("sessions", [1, 20])
def test_one_thread_watches_all_and_ends_with_the_last(
    monkeypatch: pytest.MonkeyPatch, sessions: int
) -> None:
    monkeypatch.setattr(watchdog, "_patrol", watchdog._Patrol())  # not that of tests before it
    before = _watchdogs()
    watches = [Watch() for _ in range(sessions)]
    assert len(_watchdogs() - before) == 1
    for watch in watches:
        watch.close()
        watch.close()
    deadline = time.monotonic() + 20
    while _watchdogs() - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _watchdogs() - before


def _watchdogs() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "watchdog"}
