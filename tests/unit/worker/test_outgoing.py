"""The way to customers' servers: what is told of it, and until when."""

import pytest

from consumers.observe import ACTIVE_MODE, OUTGOING, LoggedIn, Trouble
from worker.outgoing import TOLD_AT_ONCE, TOLD_SECONDS, OutgoingWatch

CLOSED = Trouble(OUTGOING, "The platform's proxy does not answer")


def test_a_closed_way_is_told_until_a_server_was_reached() -> None:
    watch = OutgoingWatch()
    assert watch.flaw() is None
    watch.observe(CLOSED)
    watch.observe(LoggedIn("acme", "failed"))
    assert watch.flaw() == (
        "Customers' servers cannot be reached: The platform's proxy does not answer."
    )
    watch.observe(LoggedIn("acme", "refused"))
    assert watch.flaw() is None


def test_all_that_closes_it_is_told_and_no_more_than_a_few() -> None:
    watch = OutgoingWatch()
    for words in ("It is away", "No server may connect", "It is away"):
        watch.observe(Trouble(OUTGOING, words))
    assert watch.flaw() == (
        "Customers' servers cannot be reached: It is away; No server may connect."
    )
    for number in range(TOLD_AT_ONCE):
        watch.observe(Trouble(OUTGOING, f"Not to {number}"))
    assert watch.flaw() == "Customers' servers cannot be reached: Not to 0; Not to 1; Not to 2."


def test_what_concerns_active_mode_alone_is_told_of_it_alone() -> None:
    watch = OutgoingWatch()
    watch.observe(Trouble(ACTIVE_MODE, "No server may connect"))
    assert watch.flaw() == "Accounts in Active Mode cannot deliver: No server may connect."
    watch.observe(CLOSED)
    assert watch.flaw() == (
        "Customers' servers cannot be reached: The platform's proxy does not answer. "
        "Accounts in Active Mode cannot deliver: No server may connect."
    )


def test_a_login_of_another_account_ends_nothing_of_active_mode() -> None:
    watch = OutgoingWatch()
    watch.observe(Trouble(ACTIVE_MODE, "No server may connect"))
    watch.observe(CLOSED)
    watch.observe(LoggedIn("passive", "accepted"))
    assert watch.flaw() == "Accounts in Active Mode cannot deliver: No server may connect."


def test_other_troubles_are_not_the_ways() -> None:
    watch = OutgoingWatch()
    watch.observe(Trouble("mongodb", "away"))
    assert watch.flaw() is None


def test_what_nobody_tries_any_more_is_told_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    watch = OutgoingWatch()
    watch.observe(CLOSED)
    now += TOLD_SECONDS - 1
    assert watch.flaw()
    now += 2
    assert watch.flaw() is None
