"""Rule 27 of docs/rules.md: two accounts find for all that a server greets and then hangs."""

import pytest
from pymongo.database import Database

from consumers.delivery.login_errors import FoundAway, LoginDeferred
from consumers.delivery.login_gate import LoginGate
from consumers.ledger import Document
from consumers.ledger.servers import Servers
from tests.integration.logins.gates import SERVER, SETTINGS, end_block, failing, gate, never, well
from transports.errors import LoginRefused, NoAnswerToTls, SilentBeforeLogin, Stalled, TransferError

Gates = tuple[LoginGate, LoginGate]


SILENCES = (Stalled, SilentBeforeLogin, NoAnswerToTls)


def falls_silent(worker: LoginGate, account_id: str, how: type[Stalled] = Stalled) -> None:
    with pytest.raises(how):
        worker.log_in(SETTINGS, account_id, failing(how("The server was silent")))


def meets(worker: LoginGate, account_id: str) -> type[TransferError] | None:
    """How a login ends that would go well."""
    try:
        worker.log_in(SETTINGS, account_id, well)
    except (FoundAway, LoginDeferred) as failure:
        return type(failure)
    return None


def new_worker(database: Database[Document]) -> LoginGate:
    """One that has shared nothing before, and knows what was found."""
    worker = gate(database)
    worker.refresh()
    return worker


@pytest.mark.parametrize("how", SILENCES)
def test_silence_at_the_login_of_one_account_is_not_shared(
    workers: Gates, how: type[Stalled]
) -> None:
    """Nor what came before it was told the account: TLS and algorithms are its settings."""
    here, there = workers
    for _ in range(3):
        falls_silent(here, "acme", how)
        there.refresh()
        there.log_in(SETTINGS, "beta", well)
    assert Servers.away(here._servers) == {}


def test_silence_at_the_logins_of_two_accounts_is_shared_by_all_others(workers: Gates) -> None:
    here, there = workers
    falls_silent(here, "acme")
    falls_silent(there, "beta")
    here.refresh()
    for account_id in ("gamma", "delta"):
        with pytest.raises(FoundAway) as found:
            here.log_in(SETTINGS, account_id, never)
        assert (found.value.words, found.value.kind) == ("The server was silent", "account")
        assert found.value.diagnosis is Stalled.entry


def test_who_has_met_it_first_has_no_second_failure_for_it(workers: Gates) -> None:
    here, there = workers
    falls_silent(here, "acme")
    here.refresh()
    falls_silent(there, "beta")
    here.refresh()
    with pytest.raises(LoginDeferred):
        here.log_in(SETTINGS, "acme", never)


@pytest.mark.parametrize("answer", ["let in", "refused"])
def test_a_server_that_answers_others_hangs_for_some_accounts_only(
    workers: Gates, answer: str
) -> None:
    here, there = workers
    falls_silent(here, "acme")
    if answer == "let in":
        there.log_in(SETTINGS, "gamma", well)
        there.refresh()
    else:
        with pytest.raises(LoginRefused):
            there.log_in(SETTINGS, "gamma", failing(LoginRefused("No")))
    falls_silent(here, "beta")
    assert Servers.away(here._servers) == {}
    there.refresh()
    there.log_in(SETTINGS, "delta", well)


def test_the_second_account_finds_it_only_where_the_first_has_just_done_so(
    workers: Gates, database: Database[Document]
) -> None:
    here, _ = workers
    falls_silent(here, "acme")
    long_ago = {"$map": {"input": "$silent", "in": {"account_id": "acme", "at": AN_HOUR_AGO}}}
    database["servers"].update_one({"_id": SERVER}, [{"$set": {"silent": long_ago}}])
    falls_silent(here, "beta")
    assert Servers.away(here._servers) == {}


AN_HOUR_AGO = {"$subtract": ["$$NOW", 3_600_000]}


@pytest.mark.parametrize("hanging", [2, 16])
def test_accounts_that_hang_however_many_are_three_failures_of_another_one_at_most(
    workers: Gates, database: Database[Document], hanging: int
) -> None:
    here, _ = workers
    falls_silent(here, "hangs-0")
    met: list[type[TransferError] | None] = []
    for number in range(1, 20):
        falls_silent(here, f"hangs-{number % hanging}")
        met.append(meets(new_worker(database), "idle"))
        make_old(database)
        here.refresh()
    assert met == [*[FoundAway] * 3, *[LoginDeferred] * 16]
    here.log_in(SETTINGS, "idle", well)
    assert Servers.away(here._servers) == {}


def make_old(database: Database[Document]) -> None:
    """What was found of the server is so old that somebody tries it."""
    long_ago = {"at": AN_HOUR_AGO, "until": AN_HOUR_AGO}
    changes = [{"$set": {f"away.{name}": at for name, at in long_ago.items()}}]
    database["servers"].update_one({"_id": SERVER}, changes)


def test_an_account_that_is_known_to_be_well_is_not_disturbed_by_those_that_hang(
    workers: Gates, database: Database[Document]
) -> None:
    here, there = workers
    is_well_long_ago(there, database)
    falls_silent(here, "acme")
    falls_silent(here, "beta")
    other = new_worker(database)
    assert other.closed_for(SETTINGS, "healthy") is None
    assert meets(other, "gamma") is FoundAway
    assert meets(other, "healthy") is None
    assert Servers.away(here._servers) == {}


def test_once_it_hangs_as_well_it_waits_as_the_others_do(
    workers: Gates, database: Database[Document]
) -> None:
    here, there = workers
    is_well_long_ago(there, database)
    falls_silent(here, "healthy")
    falls_silent(here, "beta")
    other = new_worker(database)
    assert meets(other, "healthy") is LoginDeferred


def is_well_long_ago(worker: LoginGate, database: Database[Document]) -> None:
    """The account healthy was let in, so long ago that it is no sign for others."""
    worker.log_in(SETTINGS, "healthy", well)
    worker.refresh()
    signs = {"$map": {"input": "$well", "in": {"account_id": "healthy", "at": AN_HOUR_AGO}}}
    database["servers"].update_one({"_id": SERVER}, [{"$set": {"well": signs}}])


def test_another_account_tries_it_before_the_one_that_has_just_found_it(
    workers: Gates, database: Database[Document]
) -> None:
    here, there = workers
    falls_silent(here, "acme")
    falls_silent(here, "beta")
    with pytest.raises(LoginDeferred):
        here.log_in(SETTINGS, "beta", never)
    end_block(database)
    there.refresh()
    with pytest.raises(FoundAway):
        there.log_in(SETTINGS, "gamma", never)
    there.log_in(SETTINGS, "gamma", well)
    here.refresh()
    here.log_in(SETTINGS, "beta", well)
