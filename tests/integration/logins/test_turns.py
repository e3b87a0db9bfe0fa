"""Rule 27 of docs/rules.md: logins to one server have their turns."""

import threading
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.monitoring import CommandListener, CommandStartedEvent

from consumers.delivery.login_errors import LoginDeferred
from consumers.delivery.login_gate import LoginGate
from consumers.delivery.pace import FIRST, WAITING
from consumers.ledger import Document
from tests.integration.logins.gates import SETTINGS, gate, never, well
from tests.integration.platform import until
from transports.base import Server


def test_a_login_that_was_lost_in_the_midst_waits_for_its_turn_and_comes_before_others(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, _ = workers
    goes_on, events = threading.Event(), list[str]()

    def slow() -> Server:
        events.append("login")
        assert goes_on.wait(60)
        return well()

    def log_in_again() -> None:
        with here.again(SETTINGS, "acme"):
            events.append("again")

    first = [
        threading.Thread(target=here.log_in, args=(SETTINGS, f"account-{number}", slow))
        for number in range(FIRST)
    ]
    again = threading.Thread(target=log_in_again)
    for thread in first:
        thread.start()
    until(lambda: len(events) == FIRST, "as many to log in as may")
    again.start()
    with pytest.raises(LoginDeferred):
        here.log_in(SETTINGS, "beta", never)
    goes_on.set()
    for thread in (*first, again):
        thread.join(60)
    assert events == ["login"] * FIRST + ["again"]


def test_where_too_many_wait_for_their_turn_an_account_rests_before_it_claims_anything(
    workers: tuple[LoginGate, LoginGate], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.turns.PATIENCE", 60.0)
    here, there = workers
    goes_on, asked = threading.Event(), list[bool]()

    def silent() -> Server:
        asked.append(True)
        assert goes_on.wait(60)
        return well()

    threads = [
        threading.Thread(target=here.log_in, args=(SETTINGS, f"account-{number}", silent))
        for number in range(FIRST * (1 + WAITING))
    ]
    try:
        for thread in threads[:FIRST]:
            thread.start()
        until(lambda: len(asked) == FIRST, "as many to log in as may")
        for thread in threads[FIRST:]:
            thread.start()
        until(lambda: here.closed_for(SETTINGS, "acme"), "the line to be full")
        assert there.closed_for(SETTINGS, "acme") is None, "each process has a line of its own"
    finally:
        goes_on.set()
        for thread in threads:
            thread.join(60)
    assert here.closed_for(SETTINGS, "acme") is None


class Calls(CommandListener):
    def __init__(self) -> None:
        self.seen: list[str] = []

    def started(self, event: CommandStartedEvent) -> None:
        self.seen.append(event.command_name)

    def succeeded(self, _event: Any) -> None: ...

    def failed(self, _event: Any) -> None: ...


def test_at_a_server_that_is_well_logins_ask_mongodb_nothing(mongodb_url: str) -> None:
    calls = Calls()
    with MongoClient[Document](mongodb_url, tz_aware=True, event_listeners=[calls]) as client:
        here = gate(client.get_default_database())
        here.refresh()
        calls.seen.clear()
        for number in range(20):
            here.log_in(SETTINGS, f"account-{number}", well)
            here.delivers(SETTINGS, f"account-{number}")
            assert here.closed_for(SETTINGS, f"account-{number}") is None
        assert calls.seen == []
        here.refresh()
        here.refresh()
        assert calls.seen == ["find", "update", "find"], "two of them are written down, once"
