"""What all workers know together of customers' servers."""

from dataclasses import replace

import pytest
from pymongo.database import Database

from consumers.ledger import Document, LastError
from consumers.ledger.servers import Finding, Servers, ServerState

SERVER = "192.0.2.1:22"
GONE = LastError("account", "Connection refused", "Check it.", "system")


@pytest.fixture
def servers(database: Database[Document]) -> Servers:
    found = Servers(database)
    found.ensure_indexes()
    return found


def shut_out(servers: Servers, account_id: str = "acme", *, block: bool = True) -> ServerState:
    return servers.shut_out(SERVER, Finding(block, account_id, 1, GONE, "refused"), 60)


def names(servers: Servers) -> tuple[list[str], list[str]]:
    state = servers.read(SERVER)
    return [each.account_id for each in state.well], [each.account_id for each in state.refused]


def test_nothing_is_known_of_a_server_at_first(servers: Servers) -> None:
    state = servers.read(SERVER)
    assert (state.well, state.refused, state.away, state.trial) == ((), (), None, None)
    assert servers.away() == {}


def test_the_last_two_accounts_are_remembered_of_each(servers: Servers) -> None:
    for account_id in ("one", "two", "one", "three", "three"):
        servers.were_well([(SERVER, account_id)])
        servers.refused(SERVER, f"wrong-{account_id}")
    assert names(servers) == (["three", "one"], ["wrong-three", "wrong-one"])


def test_names_of_accounts_are_never_taken_for_expressions(servers: Servers) -> None:
    servers.were_well([(SERVER, "$now")])
    servers.refused(SERVER, "$$NOW")
    shut_out(servers, "$well")
    assert names(servers) == (["$now"], ["$$NOW"])
    assert servers.away()[SERVER].away.found_by == "$well"  # type: ignore[union-attr]


def test_a_server_that_does_not_let_us_in_is_known_to_all(servers: Servers) -> None:
    told = shut_out(servers)
    assert told.away is not None
    assert servers.read(SERVER).away == servers.away()[SERVER].away == told.away
    assert (told.away.is_block, told.away.found_by, told.away.error) == (True, "acme", GONE)
    assert (told.away.times, told.away.met) == (1, "refused")
    assert 59 < (told.away.until - told.now).total_seconds() <= 60
    again = shut_out(servers, "beta", block=False)
    assert again.away is not None
    assert (again.away.is_block, again.away.found_by) == (False, "beta")


@pytest.mark.parametrize("end", ["answered", "refused"])
def test_once_it_answers_it_is_so_no_more(servers: Servers, end: str) -> None:
    servers.begin_trial(SERVER, shut_out(servers), "a", 60)
    if end == "answered":
        servers.answered(SERVER)
    else:
        servers.refused(SERVER, "acme")
    state = servers.read(SERVER)
    assert (state.away, state.trial) == (None, None)
    assert servers.away() == {}


def test_of_several_one_tries(servers: Servers) -> None:
    seen = shut_out(servers)
    assert [servers.begin_trial(SERVER, seen, token, 60) for token in "abc"] == [True, False, False]
    state = servers.read(SERVER)
    assert state.trial is not None
    assert state.trial.token == "a"
    assert servers.begin_trial(SERVER, state, "d", 60), "whoever has seen that the trial is over"


def test_whoever_has_seen_it_before_it_was_found_anew_does_not_try(servers: Servers) -> None:
    seen = shut_out(servers)
    shut_out(servers, "beta")
    assert not servers.begin_trial(SERVER, seen, "a", 60)


def test_a_trial_ends_with_what_it_has_found(servers: Servers) -> None:
    servers.begin_trial(SERVER, shut_out(servers), "a", 60)
    assert shut_out(servers).trial is None


def test_what_a_later_version_has_added_is_passed_over(
    servers: Servers, database: Database[Document]
) -> None:
    servers.were_well([(SERVER, "acme")])
    servers.begin_trial(SERVER, shut_out(servers), "a", 60)
    seen = servers.read(SERVER)
    more = dict.fromkeys(("new", "away.new", "trial.new", "well.0.new"), "new")
    database["servers"].update_one({"_id": SERVER}, {"$set": more})
    assert replace(servers.read(SERVER), now=seen.now) == seen


def test_what_an_earlier_version_has_found_is_read(
    servers: Servers, database: Database[Document]
) -> None:
    told = shut_out(servers)
    assert told.away is not None
    database["servers"].update_one({"_id": SERVER}, {"$unset": {"away.met": 1}})
    assert servers.read(SERVER).away == replace(told.away, met="")
