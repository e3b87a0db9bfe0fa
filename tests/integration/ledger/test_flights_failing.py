"""Flights while the database fails them: nothing is lost, doubled or miscounted."""

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import PyMongoError

from consumers.ledger import Claim, Claimant, Document, Ledger
from deploy.local.customers import CustomerServer
from deploy.local.services import Services
from tests.contract.proxy import Proxy
from tests.integration.ledger.rows import FOLDER, intent, opened, uploaded
from tests.integration.platform import until
from tests.integration.replica_set import host_of, primary_of, three_members
from worker import mongodb

WRITES = ("claim", "put", "intend", "rename", "deliver", "never")
"""Behind which of its steps a worker is killed."""


STEP_DOWN = {"replSetStepDown": 5, "secondaryCatchUpPeriodSecs": 2, "force": True}


class Killed(Exception):
    """The worker ended at this point."""


@dataclass
class Customer:
    """What stands at the customer's, and how often each file was put into its place."""

    placed: Counter[str] = field(default_factory=Counter)
    parts: set[str] = field(default_factory=set)

    def rename(self, part: str, final: str) -> None:
        self.parts.remove(part)
        self.placed[final] += 1


@dataclass
class Told:
    """What the flights were told by the ledger."""

    claims: list[Claim] = field(default_factory=list)
    delivered: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    """Claims of which no answer came."""


def path(name: str) -> str:
    return f"{FOLDER}/{name}.wav"


@dataclass
class Flight:
    """What an account's session does with a few files, step by step."""

    ledger: Ledger
    customer: Customer
    told: Told
    claimant: Claimant
    killed_behind: str = "never"

    def fly(self, names: Sequence[str]) -> None:
        """Raises pymongo's errors, and Killed."""
        claims = self._claim(names)
        self._at("claim")
        arrived = [claim for claim in claims if self._has_arrived(claim)]
        going = [claim for claim in claims if claim not in arrived]
        self.customer.parts |= {intent(claim).part for claim in going}
        self._at("put")
        wanted = [(each, intent(each, path(each.recording_id)), FOLDER, 1) for each in going]
        reserved = self.ledger.remote_paths.intend_flight(wanted) if wanted else []
        self._at("intend")
        for (claim, its_intent, *_), is_ours in zip(wanted, reserved, strict=True):
            if is_ours:
                self.customer.rename(its_intent.part, its_intent.final)
                arrived.append(claim)
        self._at("rename")
        ends = [(each, uploaded(path(each.recording_id))) for each in arrived]
        self.told.delivered.update([*self.ledger.outcomes.delivered(ends)] if ends else [])
        self._at("deliver")

    def _claim(self, names: Sequence[str]) -> list[Claim]:
        try:
            claims = self.ledger.claims.claim(dict.fromkeys(names, 1), self.claimant, FOLDER)
        except PyMongoError:
            self.told.unknown.update(names)
            raise
        self.told.claims += claims
        return claims

    def _has_arrived(self, claim: Claim) -> bool:
        """By the intent of an earlier start: its `.part` is gone, and the file is there."""
        found = claim.intent
        return found is not None and bool(self.customer.placed[found.final])

    def _at(self, step: str) -> None:
        if step == self.killed_behind:
            raise Killed


def new_claimant(worker: str = "worker-1") -> Claimant:
    return Claimant(worker, secrets.token_hex(4), 1, exclusive=True)


def names_of(count: int) -> list[str]:
    run = secrets.token_hex(4)
    return [f"{run}-{number}" for number in range(count)]


def arrive(ledger: Ledger, names: Sequence[str]) -> None:
    for name in names:
        opened(ledger, name, file_name=f"{name}.wav")


def side_by_side(flights: Sequence[Flight], names: Sequence[str]) -> None:
    """Each flight takes its share, at once; what they raise is the session's trouble."""
    with ThreadPoolExecutor(len(flights)) as pool:
        shares = [names[number :: len(flights)] for number in range(len(flights))]
        for ended in [*map(lambda f, s: pool.submit(f.fly, s), flights, shares)]:
            if not isinstance(ended.exception(), PyMongoError | Killed | None):
                ended.result()


def account_for(ledger: Ledger, names: Sequence[str], customer: Customer, told: Told) -> None:
    """Nothing is lost, nothing doubled, and each start is counted once."""
    claims = Counter(claim.recording_id for claim in told.claims)
    for name in names:
        row = ledger.queries.row(name)
        assert row is not None
        assert row["status"] == "delivered"
        assert customer.placed[path(name)] == 1
        assert (row["remote_path"], row["tries"], row["account_tries"]) == (path(name), 0, 0)
        assert not {"intent", "lost"} & {*row}
        assert told.delivered[name] <= 1
        starts = [claim.start for claim in told.claims if claim.recording_id == name]
        assert starts == sorted({*starts}), "no start is told twice"
        assert claims[name] <= row["starts"] <= claims[name] + told.unknown[name]


# --- single faults, each write in turn ------------------------------------------------------


@contextmanager
def behind_proxy(mongodb_url: str, **how: Any) -> Iterator[tuple[Ledger, Proxy]]:
    """The ledger of a client whose connections pass a proxy."""
    host, database = mongodb_url.removeprefix("mongodb://").split("?")[0].split("/")
    server = CustomerServer("127.0.0.1", int(host.split(":")[1]), "", "", Path())
    with Proxy(server, **how) as proxy:
        url = f"mongodb://127.0.0.1:{proxy.port}/{database}?directConnection=true"
        with MongoClient[Document](url, tz_aware=True, w="majority") as client:
            yield Ledger(client.get_default_database()), proxy


@pytest.mark.parametrize("write", range(3))
def test_an_answer_that_is_lost_on_its_way_changes_nothing_of_what_was_written(
    ledger: Ledger, mongodb_url: str, write: int
) -> None:
    """The update is done; its answer never comes."""
    names = names_of(16)
    arrive(ledger, names)
    customer, told = Customer(), Told()
    with behind_proxy(mongodb_url) as (through, proxy):
        flight = Flight(through, customer, told, new_claimant())
        steps = iter(range(3))

        def lose_at_its_turn(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                if next(steps) == write:
                    proxy.lose(b"nModified")
                return method(*arguments)

            return call

        for part, name in (
            (through.claims, "claim"),
            (through.remote_paths, "intend_flight"),
            (through.outcomes, "delivered"),
        ):
            setattr(part, name, lose_at_its_turn(getattr(part, name)))
        flight.fly(names)
    assert len(told.claims) == len(told.delivered) == 16
    account_for(ledger, names, customer, told)


def test_connections_that_are_cut_again_and_again_cost_no_file(
    ledger: Ledger, mongodb_url: str
) -> None:
    names = names_of(120)
    arrive(ledger, names)
    customer, told = Customer(), Told()
    ended = threading.Event()
    with behind_proxy(mongodb_url) as (through, proxy):

        def cut() -> None:
            while not ended.wait(random.random() / 5):  # noqa: S311 - any moment will do
                proxy.reset()

        with ThreadPoolExecutor(1) as cutting:
            cutting.submit(cut)
            try:
                work(through, customer, told, names, size=8, flights=3)
            finally:
                ended.set()
    account_for(ledger, names, customer, told)


def work(
    ledger: Ledger,
    customer: Customer,
    told: Told,
    names: Sequence[str],
    *,
    size: int,
    flights: int,
    seconds: float = 120,
) -> None:
    """Sessions follow each other until all is delivered; trouble ends one."""
    deadline = time.monotonic() + seconds
    while waiting := [name for name in names if not is_delivered(ledger, name)]:
        assert time.monotonic() < deadline, f"{len(waiting)} are not delivered"
        claimant = new_claimant()
        try:
            ledger.claims.free("acme", claimant)
        except PyMongoError:
            continue
        together = size * flights
        for first in range(0, len(waiting), together):
            crew = [Flight(ledger, customer, told, claimant) for _ in range(flights)]
            side_by_side(crew, waiting[first : first + together])


def is_delivered(ledger: Ledger, name: str) -> bool:
    try:
        row = ledger.queries.row(name)
    except PyMongoError:
        return False
    return row is not None and row["status"] == "delivered"


# --- a failover -----------------------------------------------------------------------------


def test_flights_go_on_where_the_primary_is_killed_and_another_one_is_elected(
    tmp_path: Path,
) -> None:
    """And where that one is told to step down: each in the middle of bulks."""
    with three_members(tmp_path, electable=True) as members:
        url = f"mongodb://{','.join(map(host_of, members))}/courier?replicaSet=courier"
        with MongoClient[Document](url, **mongodb.OURS) as client:
            ledger = Ledger(client.get_default_database())
            ledger.ensure_indexes()
            names = names_of(600)
            arrive(ledger, names)
            customer, told = Customer(), Told()
            with ThreadPoolExecutor(1) as pool:
                working = pool.submit(
                    work, ledger, customer, told, names, size=4, flights=4, seconds=300
                )
                until(lambda: len(told.delivered) > 50 or working.done(), "some to be delivered")
                primary = until(lambda: primary_of(members), "a primary")
                primary.kill()
                before = len(told.delivered)
                assert before < len(names), "it was killed in mid-work"
                until(
                    lambda: len(told.delivered) > before + 50 or working.done(),
                    "it to go on with another one",
                    120,
                )
                assert len(told.delivered) < len(names), "it was told to step down in mid-work"
                client.admin.command(STEP_DOWN)
                working.result(300)
            account_for(ledger, names, customer, told)
            claims = Counter(claim.recording_id for claim in told.claims)
            assert set(claims.values()) <= {1, 2, 3}


# --- any faults, any kills ------------------------------------------------------------------

FAULTS: dict[str, Document] = {
    "none": {"errorCode": 0},
    "cut": {"closeConnection": True},
    "stepped down": {"errorCode": 10107},
    "refused": {"errorCode": 8},
    "done but not durable": {"writeConcernError": {"code": 64, "errmsg": "waiting timed out"}},
}
A_SESSION = st.tuples(
    st.sampled_from([*FAULTS]),
    st.integers(1, 5),
    st.sampled_from(["update", "find", "findAndModify"]),
    st.sampled_from(WRITES),
)
"""Of the commands which fail how and how often, and where the worker ends."""


@pytest.fixture
def admin(services: Services) -> Iterator[Any]:
    with MongoClient[Document](services.mongodb_url) as client:
        yield client.admin
        client.admin.command("configureFailPoint", "failCommand", mode="off")


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sessions=st.lists(A_SESSION, max_size=4))
def test_whatever_fails_and_wherever_workers_end_each_file_arrives_once(
    ledger: Ledger,
    database: Database[Document],
    admin: Any,
    sessions: list[tuple[str, int, str, str]],
) -> None:
    names = names_of(6)
    arrive(ledger, names)
    customer, told = Customer(), Told()
    for number, (fault, times, command, step) in enumerate(sessions):
        worker = f"worker-{number}"
        claimant = new_claimant(worker)
        ledger.claims.free("acme", claimant)
        if fault != "none":
            data = {"failCommands": [command], "namespace": f"{database.name}.deliveries"}
            admin.command(
                "configureFailPoint",
                "failCommand",
                mode={"times": times},
                data={**data, **FAULTS[fault]},
            )
        crew = [
            Flight(ledger, customer, told, claimant, step),
            Flight(ledger, customer, told, claimant),
        ]
        side_by_side(crew, names)
        admin.command("configureFailPoint", "failCommand", mode="off")
    work(ledger, customer, told, names, size=3, flights=2)
    account_for(ledger, names, customer, told)
