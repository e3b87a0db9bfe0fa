"""An error that nobody foresaw, in any phase of a try, is an end of the try: counted and shown."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cryptography.fernet import Fernet

from config.accounts import (
    Account,
    Capabilities,
    ExistingFile,
    HashAlgorithm,
)
from consumers.delivery.dispatch import Dispatch, Next
from consumers.delivery.flights import Claims, Ended, Flights
from consumers.ledger import RunState
from consumers.observe import ProgramFailed
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, Platform, in_short, running, until
from tests.servers.fake import Place
from transports.errors import NameRefused
from transports.names import part_name
from transports.phases import Phase
from transports.sources.source import OpenSource, open_source


class Panic(BaseException):
    """As the libraries that are written in Rust raise it."""


MADE: dict[str, Callable[[], BaseException]] = {
    "OverflowError": lambda: OverflowError("port must be 0-65535"),
    "ValueError": lambda: ValueError("netloc contains invalid characters"),
    "KeyError": lambda: KeyError("227"),
    "RecursionError": lambda: RecursionError("maximum recursion depth exceeded"),
    "UnicodeError": lambda: UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
    "AssertionError": AssertionError,
    "MemoryError": MemoryError,
    "OSError": lambda: OSError("nobody knows"),
    "SystemExit": lambda: SystemExit(3),
    "Panic": lambda: Panic("called `Option::unwrap()` on a `None` value"),
}
STEPS = {
    "source": Phase.OPENING,
    "read": Phase.READING,
    "put": Phase.WRITING,
    "size": Phase.VERIFYING,
    "digest": Phase.VERIFYING,
    "rename": Phase.RENAMING,
    "replace": Phase.RENAMING,
}
"""Of which a file can be the reason, with the phase that is told."""
HASHES = Capabilities(hash=HashAlgorithm.SHA256)
KINDS = {Phase.OPENING: "source", Phase.READING: "source"}


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.05))


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[ProgramFailed]:
    """The faults that were told."""
    found: list[ProgramFailed] = []

    def told(observation: object) -> None:
        if isinstance(observation, ProgramFailed):
            found.append(observation)

    monkeypatch.setattr("worker.service.LogObserver", lambda: told)
    return found


def failing(step: str, error: Callable[[], BaseException]) -> Place:
    """A place at which the step fails for the recording `poison-<step>`."""
    temporary = part_name(f"poison-{step}", 1).rpartition("-")[0]

    def fails(at: str, path: str) -> None:
        if at == step and ("poison" in path or temporary in path):
            raise error()

    return Place(fails)


@contextmanager
def poisoned_source(
    monkeypatch: pytest.MonkeyPatch, error: Callable[[], BaseException]
) -> Iterator[None]:
    """Recordings whose place says so fail at their opening or in their middle."""

    class Broken:
        size = None

        def __iter__(self) -> Iterator[bytes]:
            yield b"the first block"
            raise error()

        def cut(self) -> None: ...

    @contextmanager
    def opened(url: str, **rest: Any) -> Iterator[OpenSource]:
        if "poison-source" in url:
            raise error()
        if "poison-read" in url:
            yield Broken()
            return
        with open_source(url, **rest) as source:
            yield source

    monkeypatch.setattr("consumers.delivery.flight.open_source", opened)
    yield


@pytest.mark.parametrize("name", MADE)
def test_it_is_a_try_of_its_file_which_dies_after_five_and_the_others_are_delivered(
    courier: Platform,
    places: Places,
    seen: list[ProgramFailed],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    error = MADE[name]
    poison: dict[str, str] = {}
    others: list[str] = []
    with poisoned_source(monkeypatch, error), running(courier):
        for step in STEPS:
            overwrite = {"existing_file": ExistingFile.OVERWRITE} if step == "replace" else {}
            places.account(courier, step, failing(step, error), capabilities=HASHES, **overwrite)
            source = courier.recording(f"poison-{step}.wav")
            poison[step] = courier.publish(step, source, recording_id=f"poison-{step}")
            others += courier.publish_many(step, [f"{step}-{n}.wav" for n in range(3)])
        for recording_id in others:
            courier.wait_status(recording_id, "delivered")
        for step, recording_id in poison.items():
            row = courier.wait_status(recording_id, "dead_lettered")
            phase = STEPS[step]
            assert row["tries"] == 5, in_short(row)
            assert row["last_error"]["kind"] == KINDS.get(phase, "file")
            assert row["last_error"]["words"] == (
                f"A fault of the program at {phase}: this was reported"
            )
            told = [one for one in seen if one.recording_id == recording_id]
            assert [one.where for one in told] == [phase] * 5
            assert all(type(one.fault) is type(error()) for one in told)


@pytest.mark.parametrize("step", ["connect", "mkdir"])
@pytest.mark.parametrize("name", ["OverflowError", "OSError", "Panic"])
def test_on_the_way_to_the_server_it_is_the_accounts_and_counts_for_both(
    courier: Platform,
    places: Places,
    seen: list[ProgramFailed],
    name: str,
    step: str,
) -> None:
    calls: Counter[str] = Counter()
    make = MADE[name]

    def fails(at: str, _path: str) -> None:
        calls[at] += 1
        if at == step and calls[at] <= 3:
            raise make()

    places.account(courier, "acme", Place(fails), uploads=1)
    with running(courier):
        ids = courier.publish_many("acme", ["a.wav", "b.wav"])
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: courier.run_state("acme").failures == 0, "the recovery")
    assert sum(courier.row(recording_id)["tries"] for recording_id in ids) == 3
    phase = Phase.CONNECTING if step == "connect" else Phase.FOLDER
    assert [one.where for one in seen] == [phase] * 3


def test_one_that_stays_suspends_the_account_which_shows_it_and_does_not_spin(
    make_courier: MakeCourier, places: Places, seen: list[ProgramFailed]
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_after=3)

    def fails(at: str, _path: str) -> None:
        if at == "connect":
            raise OverflowError

    place = Place(fails)
    places.account(courier, "acme", place)
    with running(courier):
        courier.publish_many("acme", ["a.wav", "b.wav"])
        run = courier.wait_state("acme", "suspended")
    assert run.last_error is not None
    assert "A fault of the program at connecting" in run.last_error.words
    assert place.logins == len(seen) == 3


@pytest.mark.parametrize("name", ["OverflowError", "AssertionError", "MemoryError"])
def test_closing_and_cleaning_hold_up_nothing(
    courier: Platform, places: Places, seen: list[ProgramFailed], name: str
) -> None:
    """The put is refused as a name is, the removal of what it left dies, and so does each close."""
    temporary = part_name("poison", 1).rpartition("-")[0]
    make = MADE[name]

    def fails(at: str, path: str) -> None:
        if at in {"close", "remove"}:
            raise make()
        if at == "put" and temporary in path:
            raise NameRefused("553 No")

    places.account(courier, "acme", Place(fails))
    with running(courier):
        poison = courier.publish("acme", courier.recording("poison.wav"), recording_id="poison")
        ids = courier.publish_many("acme", ["a.wav", "b.wav"])
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")

        row = courier.wait_status(poison, "dead_lettered")
    assert (row["tries"], row["reason"]) == (5, "file")
    assert {one.where for one in seen} == {"login", Phase.LOOKING}


@pytest.mark.parametrize("name", ["KeyError", "OSError"])
def test_a_session_that_dies_of_it_rests_longer_each_time_and_the_account_shows_it(
    courier: Platform,
    places: Places,
    seen: list[ProgramFailed],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """Arrivals do not wake it; once it works again all is delivered and nothing is shown."""
    monkeypatch.setattr("consumers.ledger.accounts.FAULT_SECONDS", 0.5)
    is_broken = True
    next_flight = Dispatch.next_flight

    def broken(dispatch: Dispatch, account: Account, run: RunState) -> Next:
        if is_broken:
            error = MADE[name]()
            raise error
        return next_flight(dispatch, account, run)

    monkeypatch.setattr(Dispatch, "next_flight", broken)
    places.account(courier, "acme", Place())
    with running(courier):
        ids = courier.publish_many("acme", ["a.wav"])
        until(lambda: len(seen) == 1, "the first fault")
        run = until(lambda: (run := courier.run_state("acme")).last_error and run, "the words")
        assert "A fault of the program" in run.last_error.words
        began = time.monotonic()
        while len(seen) < 4:
            ids += courier.publish_many("acme", [f"{len(ids)}.wav"])
        assert time.monotonic() - began >= 0.5 + 1 + 2 - 0.5
        assert {(one.where, one.account_id) for one in seen} == {("session", "acme")}
        is_broken = False
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: courier.run_state("acme").last_error is None, "the words to be gone")


def test_an_outcome_that_the_database_refuses_to_write_is_the_files_failure(
    courier: Platform, places: Places, seen: list[ProgramFailed]
) -> None:
    """A server's words with half a character, for one: no error of the database's being away."""

    def fails(at: str, path: str) -> None:
        if at == "rename" and "poison" in path:
            raise NameRefused("553 \ud800 No")

    places.account(courier, "acme", Place(fails))
    with running(courier):
        poison, *ids = courier.publish_many("acme", ["poison.wav", "a.wav", "b.wav"])
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        row = courier.wait_status(poison, "dead_lettered")
    assert row["tries"] == 5
    assert row["last_error"]["words"].startswith("A fault of the program at recording the outcome")
    assert [one.where for one in seen] == [Phase.RECORDING] * 5


def test_an_upload_for_which_no_thread_is_left_leaves_nothing_claimed(
    courier: Platform, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.ledger.accounts.FAULT_SECONDS", 0.1)
    begin, calls = Flights.begin, Counter[str]()

    def refused(flights: Flights, claims: Claims, work: Callable[[], list[Ended]]) -> None:
        calls["begin"] += 1
        if calls["begin"] <= 3:
            monkeypatch.setattr(flights._pool, "submit", no_thread)
        begin(flights, claims, work)

    def no_thread(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Flights, "begin", refused)
    places.account(courier, "acme", Place())
    with running(courier):
        ids = courier.publish_many("acme", ["a.wav", "b.wav"])
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
    assert [courier.row(recording_id)["tries"] for recording_id in ids] == [0, 0]
    assert calls["begin"] > 3


def test_a_password_that_no_key_reads_is_shown_on_its_account_until_one_does(
    courier: Platform, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.session_end.CONFIG_DELAY", 0.5)
    places.account(courier, "acme", Place())
    accounts = courier.core.database["accounts"]
    stored = (accounts.find_one({"_id": "acme"}) or {})["password"]
    foreign = Fernet(Fernet.generate_key()).encrypt(b"secret").decode()
    with running(courier):
        accounts.update_one({"_id": "acme"}, {"$set": {"password": foreign}})
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        error = until(lambda: courier.run_state("acme").last_error, "the words")
        assert error.kind == "ours"
        assert "COURIER_SECRET_KEYS" in error.words
        accounts.update_one({"_id": "acme"}, {"$set": {"password": stored}})
        assert courier.wait_status(recording_id, "delivered")["tries"] == 0
        until(lambda: courier.run_state("acme").last_error is None, "the words to be gone")
