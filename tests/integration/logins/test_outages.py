"""Rules 26 and 27 of docs/rules.md: an outage is found by one account for all of its server."""

import errno
import os
import threading
import time
from collections.abc import Callable

import pytest
from pymongo.database import Database

from consumers.delivery.login_errors import FoundAway, LoginDeferred
from consumers.delivery.login_gate import LoginGate
from consumers.delivery.pace import FIRST
from consumers.ledger import Document
from consumers.ledger.servers import Servers
from tests.integration.logins.gates import (
    SERVER,
    SETTINGS,
    failing,
    finds_away,
    gate,
    hung_up,
    never,
    now,
    refused_connection,
    unreached,
    well,
)
from tests.integration.platform import until
from transports.base import Server
from transports.errors import (
    ConnectFailed,
    EgressDenied,
    LoginRefused,
    NoGreeting,
    OutgoingFailed,
    ResolveFailed,
    ServerBusy,
    Stalled,
    TransferError,
)


@pytest.mark.parametrize(
    "failure",
    [
        OutgoingFailed("The proxy does not answer"),
        ResolveFailed("No such host"),
        EgressDenied("Not there"),
        ValueError("Nobody foresaw it"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_a_server_that_is_away_has_not_answered_a_login_that_did_not_come_as_far(
    workers: tuple[LoginGate, LoginGate], database: Database[Document], failure: Exception
) -> None:
    here, _ = workers
    finds_away(here)
    for _ in range(2):  # the next trial need not wait for the first one's end
        with pytest.raises(type(failure)):
            here.log_in(SETTINGS, "acme", failing(failure))
    known = Servers(database).read(SERVER)
    assert known.away is not None
    assert known.trial is None
    here.log_in(SETTINGS, "acme", well)
    assert Servers(database).read(SERVER).away is None


@pytest.mark.parametrize("failure", [hung_up, refused_connection, unreached])
def test_an_account_that_is_alone_there_fails_as_ever(
    workers: tuple[LoginGate, LoginGate], failure: Callable[[], TransferError]
) -> None:
    here, _ = workers
    here.log_in(SETTINGS, "acme", well)
    for _ in range(3):
        with pytest.raises(type(failure())) as met:
            here.log_in(SETTINGS, "acme", failing(failure()))
        assert met.value.words == failure().words
    assert here.closed_for(SETTINGS, "acme") is None
    here.log_in(SETTINGS, "acme", well)
    assert Servers.away(here._servers) == {}


def test_an_outage_that_one_account_has_met_is_shared_without_a_connection(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, there = workers
    finds_away(here)
    there.refresh()
    for worker in (here, there):
        with pytest.raises(FoundAway) as found:
            worker.log_in(SETTINGS, "beta", never)
        assert (found.value.words, found.value.kind) == ("Connection timed out", "account")


def test_a_probe_is_not_answered_by_what_was_found_before_it_began(
    database: Database[Document],
) -> None:
    here, there = gate(database, 180.0), gate(database, 180.0)  # a second to share
    finds_away(here)
    there.refresh()
    asks_since = now(database)

    def logs_in() -> bool:
        try:
            there.log_in(SETTINGS, "beta", well, asks_since)
        except LoginDeferred:
            return False
        return True

    until(logs_in, "its own turn to come")


def test_a_probe_is_answered_by_what_another_one_meets_meanwhile(
    workers: tuple[LoginGate, LoginGate], database: Database[Document]
) -> None:
    here, there = workers
    asks_since = now(database)
    time.sleep(0.01)
    finds_away(here)
    there.refresh()
    with pytest.raises(FoundAway):
        there.log_in(SETTINGS, "beta", never, asks_since)


def test_a_server_that_never_greets_is_found_by_one_account_for_all(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, there = workers
    with pytest.raises(NoGreeting):
        here.log_in(SETTINGS, "acme", failing(NoGreeting("The server was silent")))
    there.refresh()
    with pytest.raises(FoundAway) as found:
        there.log_in(SETTINGS, "beta", never)
    assert (found.value.words, found.value.kind) == ("The server was silent", "account")
    assert found.value.diagnosis is NoGreeting.entry
    here.log_in(SETTINGS, "acme", well)
    there.refresh()
    there.log_in(SETTINGS, "beta", well)


def test_a_session_that_logs_in_again_shows_that_the_server_is_back(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, there = workers
    finds_away(here)
    there.refresh()
    with there.again(SETTINGS, "beta"):
        pass
    assert Servers.away(here._servers) == {}


def test_what_another_account_has_met_is_told_to_each_once(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, _ = workers
    finds_away(here)
    with pytest.raises(FoundAway):
        here.log_in(SETTINGS, "beta", never)
    for _ in range(10):
        with pytest.raises(LoginDeferred):
            here.log_in(SETTINGS, "beta", never)
        assert here.closed_for(SETTINGS, "beta") is not None
    with pytest.raises(FoundAway):
        here.log_in(SETTINGS, "gamma", never)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENETUNREACH, errno.EADDRNOTAVAIL])
def test_what_one_worker_lacks_says_nothing_of_the_server(
    workers: tuple[LoginGate, LoginGate], number: int
) -> None:
    here, there = workers
    failure = ConnectFailed(os.strerror(number))
    failure.__cause__ = OSError(number, os.strerror(number))
    with pytest.raises(ConnectFailed):
        here.log_in(SETTINGS, "acme", failing(failure))
    assert Servers.away(here._servers) == {}
    there.refresh()
    there.log_in(SETTINGS, "beta", well)


def test_one_login_of_both_workers_tries_a_server_that_lets_nobody_in(
    database: Database[Document],
) -> None:
    here, there = gate(database, 18.0), gate(database, 18.0)  # a tenth of a second to share
    finds_away(here)
    there.refresh()
    time.sleep(0.2)
    trying, goes_on, asked = threading.Event(), threading.Event(), []

    def slow() -> Server:
        asked.append("slow")
        trying.set()
        assert goes_on.wait(60)
        return well()

    thread = threading.Thread(target=here.log_in, args=(SETTINGS, "beta", slow))
    thread.start()
    assert trying.wait(60)
    for worker in (here, there):
        with pytest.raises(LoginDeferred):
            worker.log_in(SETTINGS, "gamma", never)
    goes_on.set()
    thread.join(60)
    there.log_in(SETTINGS, "gamma", well)
    assert asked == ["slow"]


@pytest.mark.parametrize("failure", [LoginRefused("No"), Stalled("Silent"), ServerBusy("421 Full")])
def test_a_server_that_answers_lets_us_in_whatever_it_says(
    workers: tuple[LoginGate, LoginGate], failure: TransferError
) -> None:
    here, _ = workers
    finds_away(here)
    with pytest.raises(type(failure)):
        here.log_in(SETTINGS, "acme", failing(failure))
    assert Servers.away(here._servers) == {}
    here.log_in(SETTINGS, "beta", well)


def test_what_another_one_has_met_needs_no_turn(workers: tuple[LoginGate, LoginGate]) -> None:
    """200 accounts would be told one after the other, ten a second, what one of them has met."""
    here, there = workers
    goes_on, asked = threading.Event(), list[bool]()

    def slow() -> Server:
        asked.append(True)
        assert goes_on.wait(60)
        return well()

    threads = [
        threading.Thread(target=here.log_in, args=(SETTINGS, f"account-{number}", slow))
        for number in range(FIRST)
    ]
    try:
        for thread in threads:
            thread.start()
        until(lambda: len(asked) == FIRST, "as many to log in as may")
        finds_away(there)
        here.refresh()
        for number in range(50):
            with pytest.raises(FoundAway):
                here.log_in(SETTINGS, f"other-{number}", never)
    finally:
        goes_on.set()
        for thread in threads:
            thread.join(60)
