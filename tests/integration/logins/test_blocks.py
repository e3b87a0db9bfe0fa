"""Rule 26 of docs/rules.md: a server that shuts our address out has nothing against the account."""

import threading
import time
from collections.abc import Callable

import pytest
from pymongo.database import Database

from consumers.delivery.login_errors import (
    BLOCKED,
    AddressBlocked,
    BesideDeferred,
    LoginDeferred,
    TurnedAway,
)
from consumers.delivery.login_gate import LoginGate
from consumers.ledger import Document
from consumers.ledger.servers import Servers
from tests.integration.logins.gates import (
    SERVER,
    SETTINGS,
    end_block,
    failing,
    gate,
    hung_up,
    never,
    refused_connection,
    unreached,
    well,
)
from transports.base import Server
from transports.errors import LoginRefused, ServerBusy, TransferError


@pytest.mark.parametrize("failure", [hung_up, refused_connection])
def test_a_server_that_was_well_for_another_account_has_blocked_our_address(
    workers: tuple[LoginGate, LoginGate], failure: Callable[[], TransferError]
) -> None:
    here, there = workers
    there.log_in(SETTINGS, "beta", well)
    there.refresh()
    with pytest.raises(AddressBlocked) as blocked:
        here.log_in(SETTINGS, "acme", failing(failure()))
    assert blocked.value.words == f"{BLOCKED}: {failure().words}"
    assert blocked.value.seconds >= 1
    with pytest.raises(LoginDeferred) as deferred:
        here.log_in(SETTINGS, "gamma", never)
    assert deferred.value.shown is not None
    assert deferred.value.shown.words == blocked.value.words


def test_the_other_worker_knows_it_within_a_round(workers: tuple[LoginGate, LoginGate]) -> None:
    here, there = workers
    there.log_in(SETTINGS, "beta", well)
    there.refresh()
    with pytest.raises(AddressBlocked):
        here.log_in(SETTINGS, "acme", failing(hung_up()))
    assert there.closed_for(SETTINGS, "beta") is None
    there.refresh()
    closed = there.closed_for(SETTINGS, "beta")
    assert closed is not None
    assert closed.shown is not None
    assert closed.shown.words.startswith(BLOCKED)
    with pytest.raises(LoginDeferred):
        there.log_in(SETTINGS, "beta", never)


def test_logins_that_are_hung_up_together_are_one_finding(
    workers: tuple[LoginGate, LoginGate], database: Database[Document]
) -> None:
    here, there = workers
    there.log_in(SETTINGS, "beta", well)
    there.refresh()
    together, met = threading.Barrier(3, timeout=60), list[BaseException]()

    def hang_up() -> Server:
        together.wait()
        raise hung_up()

    def log_in(worker: LoginGate, account_id: str) -> None:
        with pytest.raises(AddressBlocked) as blocked:
            worker.log_in(SETTINGS, account_id, hang_up)
        met.append(blocked.value)

    asking = ((here, "acme"), (here, "gamma"), (there, "delta"))
    threads = [threading.Thread(target=log_in, args=each) for each in asking]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    away = Servers(database).read(SERVER).away
    assert (len(met), away and away.times) == (3, 1)
    end_block(database)
    here.refresh()
    with pytest.raises(AddressBlocked):
        here.log_in(SETTINGS, "gamma", failing(hung_up()))
    away = Servers(database).read(SERVER).away
    assert away is not None
    assert away.times == 2, "one after the other are two"


def test_a_login_that_was_refused_tells_a_block_as_well(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, there = workers
    with pytest.raises(LoginRefused):
        there.log_in(SETTINGS, "wrong", failing(LoginRefused("No")))
    with pytest.raises(AddressBlocked):
        here.log_in(SETTINGS, "acme", failing(hung_up()))


def test_no_session_logs_in_again_where_the_server_shuts_our_address_out(
    workers: tuple[LoginGate, LoginGate],
) -> None:
    here, there = workers
    there.log_in(SETTINGS, "beta", well)
    there.refresh()
    with pytest.raises(AddressBlocked):
        here.log_in(SETTINGS, "acme", failing(hung_up()))
    with pytest.raises(BesideDeferred), here.again(SETTINGS, "gamma"):
        never()


def test_a_session_logs_in_again_as_soon_as_the_time_is_over_without_waiting_for_a_trial(
    workers: tuple[LoginGate, LoginGate], database: Database[Document]
) -> None:
    here, there = workers
    there.log_in(SETTINGS, "beta", well)
    there.refresh()
    with pytest.raises(AddressBlocked):
        here.log_in(SETTINGS, "acme", failing(hung_up()))
    end_block(database)
    here.refresh()
    with here.again(SETTINGS, "gamma"):
        pass
    assert Servers.away(here._servers) == {}


@pytest.mark.parametrize("failure", [hung_up, refused_connection, unreached])
def test_what_the_only_account_that_was_well_has_met_is_no_failure_of_others(
    workers: tuple[LoginGate, LoginGate], failure: Callable[[], TransferError]
) -> None:
    here, there = workers
    here.log_in(SETTINGS, "beta", well)
    with pytest.raises(type(failure())):
        here.log_in(SETTINGS, "beta", failing(failure()))
    here.refresh()
    there.refresh()
    for worker in (here, there):
        with pytest.raises(LoginDeferred):
            worker.log_in(SETTINGS, "acme", never)
        assert worker.closed_for(SETTINGS, "acme") is not None


def test_an_account_that_is_turned_away_where_others_are_well_waits_and_not_for_ever(
    database: Database[Document],
) -> None:
    here = gate(database, 6.0)  # four seconds are the longest
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        here.log_in(SETTINGS, "beta", well)
        with pytest.raises(ServerBusy, match="421 Too many connections") as busy:
            here.log_in(SETTINGS, "acme", failing(ServerBusy("421 Too many connections")))
        if not isinstance(busy.value, TurnedAway):
            break
    else:
        raise AssertionError("it waits for ever")
    assert Servers.away(here._servers) == {}, "the others go on"
