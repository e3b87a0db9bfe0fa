"""How many bulk actions of a scope run at once, also where several begin at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Barrier

from consumers.ledger import Ledger
from consumers.ledger.bulk_actions import (
    MOST_AT_ONCE,
    BulkAction,
    Decision,
    Plan,
    Stage,
    Subject,
    TooManyActions,
    Verb,
)

LONG = 60.0


def decide(ledger: Ledger, action_id: str, account_id: str = "acme") -> BulkAction:
    decision = Decision(Subject.DEAD_LETTERS, Verb.REPLAY, account_id, "anna", {}, 1)
    return ledger.bulk_actions.begin(action_id, decision)


def planned(ledger: Ledger, verb: Verb, account_id: str | None, top: str | None) -> str:
    plan = Plan(verb, account_id, top, "anna", None, ["acme"], left_out=0, back="")
    return ledger.bulk_actions.plan(f"{verb}-{account_id}-{top}", plan).action_id


def begun_at_the_same_moment(*begin: Callable[[], object]) -> int:
    """How many of them were begun."""
    together = Barrier(len(begin))

    def one(begin: Callable[[], object]) -> bool:
        together.wait(LONG)
        try:
            return bool(begin())
        except TooManyActions:
            return False

    with ThreadPoolExecutor(len(begin)) as threads:
        return sum(threads.map(one, begin))


def test_decisions_of_the_same_moment_do_not_pass_the_most_that_run_at_once(
    ledger: Ledger,
) -> None:
    actions = ledger.bulk_actions
    for number in range(MOST_AT_ONCE - 1):
        decide(ledger, f"before-{number}")

    begin = [partial(decide, ledger, f"now-{number}") for number in range(4)]
    assert begun_at_the_same_moment(*begin) == 1

    assert actions.are_too_many("acme")
    assert not actions.are_too_many("other")
    assert decide(ledger, "of-another-account", "other").action_id == "of-another-account"
    assert decide(ledger, "before-0").action_id == "before-0", "the same form begins nothing"
    assert actions.take("before-0", "worker")
    assert actions.ended("before-0", "worker", Stage.DONE)
    assert not actions.are_too_many("acme"), "its end has freed its place"
    assert decide(ledger, "after-an-end").stage is Stage.RUNNING


def test_one_of_several_tries_begun_at_the_same_moment_beneath_a_top_account_runs(
    ledger: Ledger,
) -> None:
    actions = ledger.bulk_actions
    beneath = [planned(ledger, Verb.TRY_NOW, account_id, "top") for account_id in "abcd"]

    begin = [partial(actions.begin_planned, each) for each in beneath]
    assert begun_at_the_same_moment(*begin) == 1

    assert actions.begin_planned(planned(ledger, Verb.PAUSE, "a", "top"))
    assert actions.begin_planned(planned(ledger, Verb.TRY_NOW, "e", "another-top"))
    for verb in (Verb.TRY_NOW, Verb.RESUME):
        assert actions.begin_planned(planned(ledger, verb, None, None)), "the provider waits not"


def test_actions_of_a_version_without_places_fill_places_too(ledger: Ledger) -> None:
    for number in range(MOST_AT_ONCE):
        decide(ledger, f"before-{number}")
    everything = ledger.bulk_actions._actions
    everything.update_many({}, {"$unset": {"place": ""}})
    assert ledger.bulk_actions.are_too_many("acme")
