"""What many threads write at once goes in one bulk, and each is told of its own rows."""

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from pymongo import MongoClient, UpdateMany, UpdateOne, monitoring
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError, OperationFailure, PyMongoError

from consumers.ledger import Document
from consumers.ledger.writer import BULKS, DUPLICATE_KEY, MOST_UPDATES, GroupCommit, Written
from deploy.local.services import Services
from tests.integration.platform import until

HELD = [f"held-{number}" for number in range(BULKS)]
"""Rows of which a bulk has to wait for each, as long as a transaction has them."""
FIRST = [1] * BULKS
"""The sizes of the bulks that are under way then."""


class Bulks(monitoring.CommandListener):
    """How many updates each bulk had."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "update":
            self.sizes.append(len(event.command["updates"]))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture
def bulks() -> Bulks:
    return Bulks()


@pytest.fixture
def rows(mongodb_url: str, bulks: Bulks) -> Iterator[Collection[Document]]:
    """A hundred rows with a name each, which is unique, and those that are to be held."""
    with MongoClient[Document](mongodb_url, event_listeners=[bulks], w="majority") as client:
        rows = client.get_default_database()["rows"]
        rows.insert_many([{"_id": number, "name": f"name {number}"} for number in range(100)])
        rows.insert_many([{"_id": name, "name": name} for name in HELD])
        rows.create_index("name", unique=True)
        yield rows


@pytest.fixture
def commit(rows: Collection[Document]) -> GroupCommit:
    return GroupCommit(rows)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(40) as pool:
        yield pool


def seen(key: int | str, **values: Any) -> UpdateOne:
    return UpdateOne({"_id": key}, {"$set": values or {"seen": True}})


def seen_together(*keys: int) -> UpdateMany:
    """An update of several rows: the driver does not repeat it by itself."""
    return UpdateMany({"_id": {"$in": keys}}, {"$set": {"seen": True}})


@contextmanager
def busy(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> Iterator[list[Future[Written]]]:
    """As many bulks are under way as may be, each of one update; they end with the block."""
    with rows.database.client.start_session() as session, session.start_transaction():
        under_way = []
        for name in HELD:
            rows.find_one_and_update({"_id": name}, {"$set": {"held": True}}, session=session)
            under_way.append(pool.submit(commit.write, [seen(name)], 1))
            until(lambda: len(bulks.sizes) == len(under_way), "it to be sent")
        yield under_way
        session.abort_transaction()


def gather(
    commit: GroupCommit, pool: ThreadPoolExecutor, *askers: Sequence[UpdateOne | UpdateMany]
) -> list[Future[Written]]:
    """They ask in this order."""
    asked = []
    for updates in askers:
        before = commit.waiting
        asked.append(pool.submit(commit.write, updates, len(updates)))
        until(lambda: commit.waiting > before, "it to wait")  # noqa: B023 - called at once
    return asked


def test_one_who_asks_alone_is_not_kept_waiting(commit: GroupCommit, bulks: Bulks) -> None:
    before = threading.active_count()
    assert commit.write([seen(1), seen(2)], 2).holds
    assert commit.write([seen(3)], 1).holds
    assert bulks.sizes == [2, 1]
    assert threading.active_count() < before + 5


def test_what_is_asked_for_while_bulks_are_under_way_goes_in_one(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    with busy(commit, rows, pool, bulks) as before:
        asked = gather(commit, pool, *[[seen(number)] for number in range(20)])

    assert all(each.result(60).holds for each in [*before, *asked])
    assert bulks.sizes == [*FIRST, 20]
    assert rows.count_documents({"seen": True}) == 20 + BULKS


def test_a_bulk_has_a_limit_and_what_waits_longest_goes_first(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    many = [[seen(number) for number in range(50)] for _ in range(4)]
    with busy(commit, rows, pool, bulks):
        asked = gather(commit, pool, *many)
    assert all(each.result(60).holds for each in asked)
    assert sum(bulks.sizes) == 200 + BULKS
    assert max(bulks.sizes) <= MOST_UPDATES

    assert commit.write([seen(1)] * (MOST_UPDATES + 1), MOST_UPDATES + 1).holds, "larger alone"
    assert bulks.sizes[-1] == MOST_UPDATES + 1


def test_a_name_that_is_taken_is_told_to_who_wanted_it(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    with busy(commit, rows, pool, bulks):
        asked = gather(
            commit,
            pool,
            [seen(1), seen(2)],
            [seen(3), seen(4, name="name 9"), seen(5)],
            [seen(6)],
        )
    first, clash, last = [each.result(60) for each in asked]

    assert bulks.sizes == [*FIRST, 6]
    assert not any(each.holds for each in (first, clash, last)), "each is to look"
    assert (first.refused, last.refused) == ([], [])
    assert [each["code"] for each in clash.refused] == [DUPLICATE_KEY]
    clash.check(tolerated=(DUPLICATE_KEY,))
    with pytest.raises(BulkWriteError):
        clash.check()
    found = {row["_id"] for row in commit.find(clash, {"seen": True})}
    assert found >= {1, 2, 3, 5, 6}, "it has stopped none of the others"


def test_a_value_that_cannot_be_written_is_the_fault_of_who_has_it(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    with busy(commit, rows, pool, bulks):
        asked = gather(commit, pool, [seen(1)], [seen(2, words="\ud800")], [seen(3)])

    assert asked[0].result(60).holds
    with pytest.raises(UnicodeEncodeError):
        asked[1].result(60)
    assert asked[2].result(60).holds
    assert rows.count_documents({"_id": {"$in": [1, 2, 3]}, "seen": True}) == 2


def test_rows_that_did_not_match_have_everybody_look(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    with busy(commit, rows, pool, bulks):
        missing = UpdateMany({"_id": {"$in": [1, 1000]}}, {"$set": {"seen": True}})
        other = pool.submit(commit.write, [missing], 2)
        until(lambda: commit.waiting == 1, "it to wait")
        asked = gather(commit, pool, [seen(2)])

    written = asked[0].result(60)
    assert not written.holds
    assert not other.result(60).holds
    assert [row["_id"] for row in commit.find(written, {"_id": 2}, {"_id": 1})] == [2]


# --- answers that are lost ------------------------------------------------------------------


@pytest.fixture
def fails(services: Services, rows: Collection[Document]) -> Iterator[Any]:
    """Have updates of these rows fail so many times."""
    with MongoClient[Document](services.mongodb_url) as client:

        def fail(times: int | str, **how: Any) -> None:
            client.admin.command(
                "configureFailPoint",
                "failCommand",
                mode={"times": times} if isinstance(times, int) else times,
                data={"failCommands": ["update"], "namespace": rows.full_name, **how},
            )

        yield fail
        client.admin.command("configureFailPoint", "failCommand", mode="off")


LOST: Mapping[str, Document] = {
    "cut": {"closeConnection": True},
    "stepped down": {"errorCode": 10107},
    "done but not durable": {"writeConcernError": {"code": 64, "errmsg": "waiting timed out"}},
}


@pytest.mark.parametrize("how", LOST)
def test_a_bulk_whose_outcome_is_unknown_is_sent_again_and_looked_at(
    commit: GroupCommit, bulks: Bulks, fails: Any, how: str
) -> None:
    fails(1, **LOST[how])
    written = commit.write([seen_together(1, 2), seen(3)], 3)

    assert bulks.sizes == [2, 2]
    assert not written.holds, "its counts prove nothing"
    assert len(commit.find(written, {"seen": True})) == 3
    assert commit.write([seen(4)], 1).holds


@pytest.mark.parametrize("how", LOST)
def test_a_bulk_that_fails_each_time_is_told_to_all_and_the_next_one_goes_through(
    commit: GroupCommit,
    rows: Collection[Document],
    pool: ThreadPoolExecutor,
    bulks: Bulks,
    fails: Any,
    how: str,
) -> None:
    with busy(commit, rows, pool, bulks):
        fails("alwaysOn", **LOST[how])
        asked = gather(commit, pool, [seen_together(1)], [seen(2)])
    for each in asked:
        with pytest.raises(PyMongoError):
            each.result(60)

    fails("off")
    assert commit.write([seen(3)], 1).holds


def test_a_refusal_is_no_lost_answer(commit: GroupCommit, bulks: Bulks, fails: Any) -> None:
    fails(1, errorCode=13)
    with pytest.raises(OperationFailure):
        commit.write([seen(1)], 1)
    assert bulks.sizes == [1]


# --- waits that end -------------------------------------------------------------------------


def test_no_wait_is_longer_than_its_limit(
    rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    commit = GroupCommit(rows, seconds=3.0)
    with busy(commit, rows, pool, bulks) as under_way:
        asked = gather(commit, pool, [seen(HELD[0])], [seen(2)])
        for each in under_way:
            with pytest.raises(PyMongoError) as error:
                each.result(60)
            assert error.value.timeout
        with pytest.raises(PyMongoError):
            asked[0].result(60)
    assert commit.write([seen(3)], 1).holds
    assert (commit.waiting, commit.under_way) == (0, 0)


class Interrupt(BaseException):
    """Raised in the main thread wherever it is."""


@contextmanager
def interrupted_when(condition: Any) -> Iterator[None]:
    """The main thread is interrupted in the block once the condition holds."""

    def interrupt(*_: Any) -> None:
        raise Interrupt

    def look() -> None:
        until(condition, "the main thread to wait")
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    thread = threading.Thread(target=look)
    try:
        thread.start()
        with pytest.raises(Interrupt):
            yield
    finally:
        thread.join(60)
        signal.signal(signal.SIGUSR1, before)


def test_one_that_is_interrupted_while_it_waits_holds_nobody_up(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    with busy(commit, rows, pool, bulks):
        with interrupted_when(lambda: commit.waiting == 1):
            commit.write([seen(1)], 1)
        assert commit.waiting == 0
        asked = gather(commit, pool, [seen(2)], [seen(3)])

    assert all(each.result(60).holds for each in asked)
    assert bulks.sizes == [*FIRST, 2]
    assert rows.count_documents({"_id": 1, "seen": True}) == 0


def test_one_that_is_interrupted_while_it_sends_for_others_hands_that_on(
    commit: GroupCommit, rows: Collection[Document], pool: ThreadPoolExecutor, bulks: Bulks
) -> None:
    """Its bulk may be done or not: the others go with the next one."""
    others: list[Future[Written]] = []

    def ask_behind_the_main_thread() -> None:
        with busy(commit, rows, pool, bulks):
            until(lambda: commit.waiting == 1, "the main thread to wait")
            others.extend(gather(commit, pool, [seen(2)], [seen(3)]))

    with rows.database.client.start_session() as session, session.start_transaction():
        rows.find_one_and_update({"_id": 50}, {"$set": {"held": True}}, session=session)
        asking = pool.submit(ask_behind_the_main_thread)
        until(lambda: len(bulks.sizes) == BULKS, "the bulks to be sent")
        with interrupted_when(lambda: asking.done() and len(bulks.sizes) > BULKS):
            commit.write([seen(50)], 1)
        session.abort_transaction()
    assert len([each.result(60) for each in others]) == 2
    assert rows.count_documents({"_id": {"$in": [2, 3]}, "seen": True}) == 2
    assert (commit.waiting, commit.under_way) == (0, 0)
