"""What an account keeps of the times at which it stood still."""

from pymongo.database import Database

from consumers.ledger import Document
from consumers.ledger.accounts import AccountStates
from consumers.ledger.standstills import KEPT, MAX_WORDS
from tests.integration.ledger.runs import ACME, EPOCH, REFUSED, suspend


def recover(states: AccountStates) -> None:
    assert states.recovered(ACME, EPOCH, states.read(ACME))


def test_an_outage_is_one_standstill_however_often_it_suspended(states: AccountStates) -> None:
    suspend(states)
    suspend(states)
    [going_on] = states.standstills(ACME)
    assert (going_on.what, going_on.until, going_on.times) == ("suspended", None, 2)
    assert going_on.words == REFUSED.words

    recover(states)
    [over] = states.standstills(ACME)
    assert over.until is not None
    assert (over.since, over.times, over.words) == (going_on.since, 2, REFUSED.words)
    assert over.since <= over.until

    recover(states)
    assert states.standstills(ACME) == [over], "nothing was suspended in between"


def test_a_pause_is_one(states: AccountStates) -> None:
    assert states.pause(ACME)
    assert not states.pause(ACME)
    [going_on] = states.standstills(ACME)
    assert (going_on.what, going_on.until) == ("paused", None)

    assert states.resume(ACME)
    [over] = states.standstills(ACME)
    assert (over.what, over.since) == ("paused", going_on.since)
    assert over.until is not None


def test_the_newest_are_kept(states: AccountStates, database: Database[Document]) -> None:
    for _ in range(KEPT + 3):
        states.pause(ACME)
        states.resume(ACME)
    found = states.standstills(ACME)
    assert len(found) == KEPT
    assert found == sorted(found, key=lambda each: each.since)
    document = database["accounts"].find_one({"_id": ACME})
    assert document is not None
    assert "standstills" not in document["run"], "each session reads that"


def test_a_pause_or_an_outage_of_an_earlier_version_is_left_out(
    states: AccountStates, database: Database[Document]
) -> None:
    states.pause(ACME)
    database["accounts"].update_one({"_id": ACME}, {"$unset": {"run.paused_at": ""}})
    assert states.standstills(ACME) == []
    assert states.resume(ACME)
    recover(states)
    assert states.standstills(ACME) == []


def test_words_are_bounded(states: AccountStates, database: Database[Document]) -> None:
    suspend(states)
    database["accounts"].update_one({"_id": ACME}, {"$set": {"run.last_error.words": "ü" * 600}})
    recover(states)
    [over] = states.standstills(ACME)
    assert over.words == "ü" * MAX_WORDS


def test_an_account_that_is_not_there_has_none(states: AccountStates) -> None:
    assert states.standstills("nobody") == []
