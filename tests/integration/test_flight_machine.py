"""Flights under any course of events: whatever is struck, every recording is accounted for.

Any step of any file may fail, any answer may come late or never, and the worker may die between
any two writes. DESIGN 2 to 5 hold after each session; and once nothing is struck any more all
arrives, each whole and once.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)
from pymongo.database import Database

from consumers.ledger import Document, Ledger
from tests.integration.flight_world import OWN, FakeConsumer, Strike, World

NAMES = st.lists(st.integers(0, 12), min_size=1, max_size=20)
STRIKES = st.dictionaries(st.integers(1, 60), st.sampled_from(Strike), max_size=5)
EARLY = st.dictionaries(st.integers(1, 12), st.sampled_from(Strike), min_size=1, max_size=2)
SESSIONS = 40
"""More than any number of lost starts and failures of these examples takes to be overcome."""


class FlightMachine(RuleBasedStateMachine):
    """Recordings arrive, sessions work, and steps are struck."""

    world: World

    @rule(numbers=NAMES)
    def recordings_arrive(self, numbers: list[int]) -> None:
        for number in numbers:
            self.world.publish(f"call-{number}.wav")

    @rule(strikes=st.one_of(STRIKES, EARLY))
    def a_session_is_struck(self, strikes: dict[int, Strike]) -> None:
        note(f"strikes: {strikes}")
        self.world.work(strikes)

    @invariant()
    def what_is_delivered_stands_there_whole(self) -> None:
        for name, row in self.world.rows().items():
            if row["status"] == "delivered":
                assert self.world.place.files[row["remote_path"]] == self.world.contents[name]

    @invariant()
    def nothing_stands_there_twice_cut_or_unexplained(self) -> None:
        """A final name is of a row that is delivered there, or that intends it."""
        world = self.world
        assert world.place.files[OWN] == b"the customer's own"
        wanted = {row["remote_path"]: name for name, row in world.rows().items() if "wanted" in row}
        final = {path: each for path, each in world.place.files.items() if is_final(path)}
        for path, content in final.items():
            assert content == world.contents[wanted[path]]
        assert len(final) == len({*final.values()})

    @invariant()
    def no_try_is_counted_that_nobody_was_told_of(self) -> None:
        for name, row in self.world.rows().items():
            assert row["tries"] <= self.world.failures_of(name)

    @invariant()
    def every_file_that_waits_has_a_message(self) -> None:
        held = {name for name, _ in self.world.queue.messages}
        for name, row in self.world.rows().items():
            if row["status"] in {"queued", "uploading"}:
                assert name in held or row["routed_at"] is not None

    def teardown(self) -> None:
        """Nothing is struck any more: all arrives."""
        world = self.world
        if not world.contents:
            return
        for _ in range(SESSIONS):
            world.work()
            statuses = {row["status"] for row in world.rows().values()}
            if statuses <= {"delivered", "dead_lettered"} and not world.queue.messages:
                break
        rows = world.rows()
        lost = world.crash_loops()
        assert {name for name, row in rows.items() if row["status"] != "delivered"} == lost
        arrived = {path: each for path, each in world.place.files.items() if path != OWN}
        assert sorted(arrived.values()) == sorted(
            world.contents[name] for name in rows if name not in lost
        )
        assert all(is_final(path) for path in arrived), "no .part is left"
        assert not world.queue.messages
        assert world.ledger.accounts.read(world.account_id).failures == 0


def is_final(path: str) -> bool:
    return path != OWN and not path.endswith(".part")


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """A session ends as soon as there is nothing to do, and its queue is in memory."""
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 0.0)
    monkeypatch.setattr("consumers.delivery.worker.POLL", 0.02)
    monkeypatch.setattr("consumers.delivery.dispatch.POLL", 0.02)
    monkeypatch.setattr("consumers.delivery.messages.Consumer", FakeConsumer)
    monkeypatch.setattr("consumers.delivery.outcome.RACE_SECONDS", (0.001, 0.01))


@pytest.mark.usefixtures("fast")
def test_flights_hold_their_promises_under_any_course_of_events(
    database: Database[Document], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Ledger(database).ensure_indexes()

    class Machine(FlightMachine):
        def __init__(self) -> None:
            super().__init__()
            self.world = World(database, tmp_path)
            monkeypatch.setattr("transports.backends.connect", self.world.connect)

    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=12,
            stateful_step_count=6,
            deadline=None,
            suppress_health_check=[*HealthCheck],
        ),
    )
