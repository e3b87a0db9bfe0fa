"""Indexes of large collections are built beside what the console answers."""

import threading
from contextlib import suppress

import pymongo
import pytest
from pymongo import _csot
from pymongo.errors import AutoReconnect

from config.audit import Audit
from tests.integration.console import serving
from tests.integration.platform import MakeCourier, Platform, until
from worker.console import late_indexes


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier()


def indexes(courier: Platform, collection: str) -> set[str]:
    return set(courier.core.database[collection].index_information())


def test_small_collections_have_theirs_before_the_first_page(courier: Platform) -> None:
    with serving(courier):
        until(lambda: "series_1" in indexes(courier, "audit"), "the last index of the audit")
        assert "account_id_1__id_1" in indexes(courier, "numbers")


def test_the_console_answers_while_they_are_built_however_long_that_takes(
    courier: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    built, ensure, limits = threading.Event(), Audit.ensure_indexes, list[float | None]()

    def slowly(self: Audit) -> None:
        limits.append(_csot.get_timeout())
        assert built.wait(120)
        ensure(self)

    monkeypatch.setattr(late_indexes, "START_SECONDS", 0.1)
    monkeypatch.setattr(Audit, "ensure_indexes", slowly)
    with serving(courier) as console:
        console.user("provider", None)
        page = console.browser("provider").get("/audit")
        assert page.status_code == 200
        assert "series_1" not in indexes(courier, "audit")
        built.set()
        until(lambda: "series_1" in indexes(courier, "audit"), "the indexes of the audit")
    assert limits == [late_indexes.BUILD_SECONDS]


def test_it_is_tried_again_where_mongodb_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(late_indexes, "AGAIN_SECONDS", 0.01)
    tries: list[int] = []

    class Away:
        """At the first two tries."""

        def ensure_indexes(self) -> None:
            tries.append(1)
            if len(tries) < 3:
                raise AutoReconnect("away")

    late_indexes.ensure_beside([Away()]).join(60)

    assert len(tries) == 3


def test_it_ends_with_the_connections_of_the_process() -> None:
    client = pymongo.MongoClient[dict[str, object]]("mongodb://127.0.0.1:1", connect=False)
    audit = Audit(client["courier"])
    with suppress(AutoReconnect):
        client.close()
    thread = late_indexes.ensure_beside([audit])
    thread.join(60)
    assert not thread.is_alive()
