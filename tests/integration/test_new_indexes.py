"""A worker's start where MongoDB takes longer for a new index than a call to it may take."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo.errors import AutoReconnect, OperationFailure
from structlog.testing import capture_logs

from consumers.ledger.index_builds import index_builds
from tests.integration.platform import MakeCourier, Platform, until
from worker import mongodb, preparation
from worker.preparation import Preparation, builds_in_words
from worker.service import Service
from worker.supervisor import Supervisor

BUILD_MS = mongodb.OURS["timeoutMS"] + 2000
"""Longer than any other call to the database may take."""
LATE = "came_back"
"""An index of the ledger's rows."""


@pytest.fixture
def courier(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.setattr(preparation, "TOLD_AFTER", 0.5)
    return make_courier()


@contextmanager
def slow_builds(courier: Platform, milliseconds: int = BUILD_MS) -> Iterator[None]:
    """The next index of the rows takes so long."""
    admin = courier.core.database.client.admin
    data = {
        "failCommands": ["createIndexes"],
        "namespace": f"{courier.core.database.name}.deliveries",
        "blockConnection": True,
        "blockTimeMS": milliseconds,
    }
    admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)
    try:
        yield
    finally:
        admin.command("configureFailPoint", "failCommand", mode="off")


@contextmanager
def begun(service: Service) -> Iterator[None]:
    """Its start in a thread, stopped at the end."""
    failed: list[BaseException] = []

    def start() -> None:
        try:
            service.start()
        except BaseException as error:
            failed.append(error)
            raise

    thread = threading.Thread(target=start)
    thread.start()
    try:
        yield
        thread.join(60)
        assert failed == []
    finally:
        thread.join(60)
        service.stop(threading.Event())


def readiness(service: Service) -> dict[str, Any]:
    assert service.health_address
    host, port = service.health_address
    answer: dict[str, Any] = httpx.get(f"http://{host}:{port}/readyz", timeout=30).json()
    return answer


def test_a_start_waits_for_a_long_build_tells_of_it_and_begins(courier: Platform) -> None:
    service = Service(courier.core)
    service.listen()
    with slow_builds(courier), capture_logs() as log, begun(service):
        until(lambda: builds_in_words(courier.core.database), "the build to be under way")
        told = readiness(service)
        assert told["status"] == "starting"
        assert "of deliveries, for " in told["checks"]["indexes"]
        assert "begins by itself" in told["checks"]["indexes"]
        until(service.is_ready, "the service to be ready")
        assert LATE in courier.core.database["deliveries"].index_information()
        assert readiness(service)["checks"]["indexes"] == "ok"
    events = [each["event"] for each in log]
    assert "indexes_awaited" in events
    assert "indexes_stand" in events


def test_the_first_start_of_all_says_nothing_of_indexes(
    courier: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "TOLD_AFTER", 60)
    with capture_logs() as log:
        assert Service(courier.core).prepare(threading.Event())
    assert log == []


def test_a_worker_that_is_asked_to_stop_does_not_wait_for_the_build(courier: Platform) -> None:
    stop = threading.Event()
    service = Service(courier.core, health=False)
    with slow_builds(courier, 20_000):
        threading.Timer(0.5, stop.set).start()
        assert not service.prepare(stop)
        assert index_builds(courier.core.database) != []


def test_the_supervisor_says_what_its_workers_wait_for(courier: Platform, tmp_path: Path) -> None:
    supervisor = Supervisor(courier.core, 2, tmp_path, lambda _pid: None)
    assert supervisor.unready() == "2 of 2 workers are not ready."
    with slow_builds(courier, 20_000):
        stop = threading.Event()
        waiting = threading.Thread(target=Service(courier.core, health=False).prepare, args=[stop])
        waiting.start()
        until(lambda: builds_in_words(courier.core.database), "the build to be under way")
        told = supervisor.unready()
        stop.set()
        waiting.join(60)
    assert told
    assert told.startswith("2 of 2 workers are not ready: MongoDB builds an index")


def test_it_is_tried_again_where_mongodb_goes_away_and_ends_where_it_refuses(
    courier: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preparation, "AGAIN_SECONDS", 0.01)
    tries: list[int] = []

    def ensure() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise AutoReconnect("away")

    assert Preparation(courier.core.database, ensure).run(threading.Event())
    assert len(tries) == 3

    rows = courier.core.database["deliveries"]
    rows.create_index("account_id", name=LATE)
    with pytest.raises(OperationFailure):
        Service(courier.core, health=False).prepare(threading.Event())
