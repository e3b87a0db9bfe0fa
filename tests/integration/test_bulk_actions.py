"""Bulk actions: many dead letters in small steps, which may be repeated, shared and cut short."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count, pairwise
from types import SimpleNamespace

import pytest
from bson import ObjectId

from config.audit import Audit
from consumers.amqp import topology
from consumers.delivery.dead_letters import DeadLetters
from consumers.intake.invalid_queue import discard_invalid
from consumers.ledger import CRASH_LOOP, Claimant, LastError, Ledger
from consumers.ledger.bulk_actions import BulkAction, Decision, Stage, Subject, Verb
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from consumers.upkeep import bulk
from consumers.upkeep.bulk import BulkRunner
from tests.integration.invalid_events import bodies, declare, invalid
from tests.integration.ledger.rows import AWAY, FAILED, claim_one, opened
from tests.integration.platform import MakeCourier, Platform
from worker.core import Messaging, make_bulk_runner, open_messaging

LONG = 120.0


class Died(Exception):
    """A worker ends in the midst of a step."""


@dataclass
class Scene:
    """A platform without a service, and a runner of bulk actions."""

    courier: Platform
    messaging: Messaging
    runner: BulkRunner

    @property
    def ledger(self) -> Ledger:
        return self.courier.core.ledger

    def dead(self, recording_id: str, account_id: str = "acme", error: LastError = AWAY) -> None:
        """A dead letter with its message."""
        opened(self.ledger, recording_id, account_id)
        claim = claim_one(self.ledger, recording_id, 1, Claimant("w", "s", 1))
        assert claim is not None
        self.messaging.dead_letters.bury(claim.routing, 5, error.kind)
        assert self.ledger.outcomes.dead_lettered(claim, replace(FAILED, error=error), None)

    def decide(
        self, verb: Verb, chosen: DeadLetterFilter, total: int, action_id: str = "an-action"
    ) -> BulkAction:
        """Store a decision."""
        decision = Decision(
            Subject.DEAD_LETTERS, verb, chosen.account_id, "anna", chosen.stored(), total
        )
        return self.ledger.bulk_actions.begin(action_id, decision)

    def decide_of_events(self, verb: Verb, total: int) -> BulkAction:
        """Store a decision about all invalid events."""
        decision = Decision(Subject.INVALID_EVENTS, verb, None, "anna", {}, total)
        return self.ledger.bulk_actions.begin("an-action", decision)

    def action(self, action_id: str = "an-action") -> BulkAction:
        """As it stands."""
        found = self.ledger.bulk_actions.read(action_id)
        assert found is not None
        return found

    def statuses(self, account_id: str = "acme") -> list[str]:
        """Of the account's rows, oldest first."""
        return [row["status"] for row in self.courier.rows(account_id)]

    def another(self) -> BulkRunner:
        """A runner of another process."""
        return make_bulk_runner(self.courier.core, self.messaging)


@contextmanager
def scene_of(courier: Platform) -> Iterator[Scene]:
    courier.core.ledger.ensure_indexes()
    topology.declare_once(
        courier.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    for account_id in ("acme", "other"):
        courier.core.directory.create(account_id, ftp_access=True)
    with open_messaging(courier.core, lambda _: None) as messaging:
        yield Scene(courier, messaging, make_bulk_runner(courier.core, messaging))


@pytest.fixture
def scene(make_courier: MakeCourier) -> Iterator[Scene]:
    with scene_of(make_courier()) as scene:
        yield scene


def test_all_that_match_are_replayed_step_by_step_and_their_messages_go(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LETTERS_A_STEP", 3)
    for number in range(8):
        scene.dead(f"r{number}")
    scene.dead("elsewhere", "other")
    scene.decide(Verb.REPLAY, DeadLetterFilter("acme"), 8)

    scene.runner.run("an-action", LONG)

    action = scene.action()
    assert (action.stage, action.done, action.untidy) == (Stage.DONE, 8, ())
    assert action.ended_at is not None
    assert set(scene.statuses()) == {"queued"}
    assert scene.statuses("other") == ["dead_lettered"]
    assert scene.courier.queued_ids("acme") == [f"r{number}" for number in range(8)]
    scene.courier.wait_length("dead-letters.acme", 0)
    scene.courier.wait_length("dead-letters.other", 1)


def test_the_audit_has_one_line_with_the_count_and_the_filter(scene: Scene) -> None:
    refused = replace(AWAY, cause="refused")
    for number in range(3):
        scene.dead(f"r{number}", error=refused)
    scene.decide(Verb.DISCARD, DeadLetterFilter("acme", cause="refused"), 3)

    scene.runner.run("an-action", LONG)
    scene.runner.look()

    [entry] = Audit(scene.courier.core.database).list()
    assert (entry.actor, entry.action, entry.account_id) == (
        "anna",
        "dead-letters.discarded",
        "acme",
    )
    assert entry.after == {"count": 3, "of": 3, "account_id": "acme", "cause": "refused"}
    assert set(scene.statuses()) == {"discarded"}


def test_the_audit_names_the_ticked_ones_and_has_a_line_for_each_account(scene: Scene) -> None:
    scene.courier.core.directory.create("a.b", ftp_access=True)
    ticked = ("r0", "r1", "theirs", "dotted", "gone")
    for recording_id, account_id in zip(ticked, ("acme", "acme", "other", "a.b"), strict=False):
        scene.dead(recording_id, account_id)
    scene.decide(Verb.DISCARD, DeadLetterFilter(recording_ids=ticked), 5)

    scene.runner.run("an-action", LONG)

    audit = Audit(scene.courier.core.database)
    [entry] = [each for each in audit.list() if each.account_id is None]
    assert entry.after == {"count": 4, "of": 5, "recording_ids": list(ticked)}
    told = {each.account_id: each.after for each in audit.list() if each.account_id}
    assert told == {
        account_id: {"count": count, "chosen": "one by one"}
        for account_id, count in {"acme": 2, "other": 1, "a.b": 1}.items()
    }
    assert {each.actor for each in audit.list()} == {"anna"}


def test_a_round_keeps_its_time_and_everyone_has_a_turn(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LETTERS_A_STEP", 1)
    clock = count()
    monkeypatch.setattr(bulk, "time", SimpleNamespace(monotonic=lambda: float(next(clock))))
    for number in range(12):
        scene.dead(f"r{number}")
    names = [f"action-{number}" for number in range(4)]
    for number, name in enumerate(names):
        own = tuple(f"r{3 * number + each}" for each in range(3))
        scene.decide(Verb.DISCARD, DeadLetterFilter("acme", recording_ids=own), 3, name)

    done = [0]
    for _ in names:
        scene.runner.look()
        done.append(sum(scene.action(name).done for name in names))

    steps = [after - before for before, after in pairwise(done)]
    assert all(1 <= each <= 2 for each in steps), "a second passes at each look at the clock"
    assert all(scene.action(name).done for name in names)


def test_another_worker_goes_on_where_one_has_died(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LETTERS_A_STEP", 2)
    for number in range(5):
        scene.dead(f"r{number}")
    scene.decide(Verb.REPLAY, DeadLetterFilter(), 5)
    actions = scene.ledger.bulk_actions
    assert actions.take("an-action", "the-dead-one") is not None
    scene.messaging.dead_letters.replay_all(["r0", "r1"])  # and it died before it counted them

    scene.runner.look()
    assert scene.action().done == 0, "it is leased"
    actions.released("an-action", "the-dead-one")
    while not scene.action().is_over:
        scene.another().look()

    assert (scene.action().stage, scene.action().done) == (Stage.DONE, 3)
    assert set(scene.statuses()) == {"queued"}
    assert scene.courier.queued_ids("acme") == [f"r{number}" for number in range(5)]


def test_two_people_who_decide_of_the_same_files_do_no_harm(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LETTERS_A_STEP", 2)
    for number in range(6):
        scene.dead(f"r{number}")
    scene.decide(Verb.REPLAY, DeadLetterFilter(), 6, "anna's-action")
    scene.decide(Verb.DISCARD, DeadLetterFilter("acme"), 6, "berts-action")

    while not (scene.action("anna's-action").is_over and scene.action("berts-action").is_over):
        scene.runner.run("anna's-action", 0)
        scene.another().run("berts-action", 0)

    both = scene.action("anna's-action"), scene.action("berts-action")
    assert {each.stage for each in both} == {Stage.DONE}
    assert sum(each.done for each in both) == 6
    counts = scene.statuses().count("queued"), scene.statuses().count("discarded")
    assert counts == tuple(each.done for each in both)


def test_the_same_decision_sent_twice_is_one(scene: Scene) -> None:
    scene.dead("r0")
    first = scene.decide(Verb.REPLAY, DeadLetterFilter(), 1)
    again = scene.decide(Verb.DISCARD, DeadLetterFilter("other"), 7)
    assert again == first


def test_what_dies_again_meanwhile_is_left(scene: Scene) -> None:
    scene.dead("r0")
    scene.decide(Verb.DISCARD, DeadLetterFilter(), 1)
    scene.dead("later")

    scene.runner.run("an-action", LONG)

    assert scene.statuses() == ["discarded", "dead_lettered"]


def test_invalid_events_that_arrive_after_the_decision_stay(scene: Scene) -> None:
    rabbitmq = scene.courier.core.settings.rabbitmq
    declare(rabbitmq)
    publisher = scene.messaging.publisher
    invalid(publisher, "malformed: no JSON", b"of-a-version-before")
    for number in range(3):
        invalid(publisher, "malformed: no JSON", b"event-%d" % number, since=1_700_000_000)
    decided = scene.decide_of_events(Verb.DISCARD, 4)
    discard_invalid(
        rabbitmq, "malformed: no JSON", lambda _: None, datetime.now(UTC)
    )  # somebody else was faster
    later = int(decided.created_at.timestamp()) + 60
    invalid(publisher, "malformed: no JSON", b"newer", since=later)
    invalid(publisher, "malformed: no JSON", b"older", since=1_700_000_000)

    scene.runner.run("an-action", LONG)

    assert (scene.action().stage, scene.action().done) == (Stage.DONE, 1)
    assert bodies(rabbitmq) == [b"newer"]


def test_the_messages_of_a_step_in_which_a_worker_died_go_too(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.dead("r0")
    scene.decide(Verb.DISCARD, DeadLetterFilter(), 1)
    discard_all = DeadLetters.discard_all

    def dies_after(letters: DeadLetters, recording_ids: Sequence[str]) -> list[str]:
        discard_all(letters, recording_ids)
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(DeadLetters, "discard_all", dies_after)
        with pytest.raises(Died):
            scene.runner.run("an-action", LONG)
    scene.courier.wait_length("dead-letters.acme", 1)
    scene.ledger.bulk_actions.released("an-action", scene.runner._owner)

    scene.another().run("an-action", LONG)

    assert scene.action().is_over
    scene.courier.wait_length("dead-letters.acme", 0)


def test_it_is_stopped_after_the_step_that_runs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "LETTERS_A_STEP", 2)
    for number in range(4):
        scene.dead(f"r{number}")
    scene.decide(Verb.DISCARD, DeadLetterFilter(), 4)
    action = scene.ledger.bulk_actions.take("an-action", scene.runner._owner)
    assert action is not None
    scene.runner._step(action)
    assert scene.ledger.bulk_actions.stop("an-action")

    scene.runner.run("an-action", LONG)

    assert (scene.action().stage, scene.action().done) == (Stage.STOPPED, 2)
    assert scene.statuses() == ["discarded", "discarded", "dead_lettered", "dead_lettered"]
    assert not scene.ledger.bulk_actions.stop("an-action")
    scene.courier.wait_length("dead-letters.acme", 2)
    entry, of_account = Audit(scene.courier.core.database).list()
    assert (entry.after["count"], entry.after["of"]) == (2, 4)
    assert (of_account.account_id, of_account.after) == ("acme", {"count": 2})


def test_a_crash_loop_is_replayed_like_any_other(scene: Scene) -> None:
    scene.dead("r0")
    rows = scene.courier.core.database["deliveries"]
    rows.update_one({"_id": "r0"}, {"$set": {"reason": CRASH_LOOP, "last_error": None}})
    scene.decide(Verb.REPLAY, DeadLetterFilter(cause=CRASH_LOOP), 1)
    scene.runner.run("an-action", LONG)
    assert scene.statuses() == ["queued"]


def test_thousands_are_dealt_with_in_bounded_steps(scene: Scene) -> None:
    scene.dead("r0")
    rows = scene.courier.core.database["deliveries"]
    one = rows.find_one({"_id": "r0"})
    assert one is not None
    content = json.loads(one["event"])
    rows.insert_many(
        [
            {
                **one,
                "_id": f"r{number}",
                "arrival": ObjectId(),
                "event": json.dumps({**content, "recording_id": f"r{number}"}),
            }
            for number in range(1, 2000)
        ]
    )
    scene.decide(Verb.DISCARD, DeadLetterFilter("acme"), 2000)

    rounds = 0
    while not scene.action().is_over:
        scene.runner.run("an-action", 0.5)
        rounds += 1

    assert rounds > 1
    assert scene.action().done == 2000
    assert set(scene.statuses()) == {"discarded"}
