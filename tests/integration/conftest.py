"""The platform of an integration test, its program, or its database alone."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from consumers.ledger import Document
from deploy.local.customers import SmtpSink
from deploy.local.processes import Child
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, Platform, platform, settings_for


@pytest.fixture
def make_courier(
    amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[MakeCourier]:
    """The platform of this test; what is named differs from the default settings."""
    with ExitStack() as stack:

        def make(**changes: Any) -> Platform:
            settings = settings_for(amqp_url, mongodb_url, smtp_sink.url, **changes)
            return stack.enter_context(platform(settings, tmp_path / "recordings"))

        yield make


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Places:
    """Fake servers, which all connections go to."""
    found = Places()
    monkeypatch.setattr("transports.backends.connect", found.connect)
    return found


@pytest.fixture
def program(courier: Platform, tmp_path: Path) -> Iterator[Child]:
    """`courier run` for the platform that the module calls `courier`, not started yet."""
    settings = courier.core.settings
    (key,) = settings.secret_keys
    child = Child(
        "courier",
        [sys.executable, "-m", "worker", "run", "--no-console"],
        tmp_path / "courier.log",
        {
            "COURIER_AMQP_URL": settings.amqp_url.get_secret_value(),
            "COURIER_MONGODB_URL": settings.mongodb_url.get_secret_value(),
            "COURIER_SMTP_URL": settings.smtp_url.get_secret_value(),
            "COURIER_SECRET_KEYS": key.get_secret_value(),
            "COURIER_RETRY_DELAYS": ",".join(map(str, settings.retry_delays)),
            "COURIER_METRICS_BIND": settings.metrics_bind,
        },
    )
    try:
        yield child
    finally:
        child.kill()
        print(child.log.read_text())  # noqa: T201 - shown with a failure


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database[Document]]:
    """The test's database, as the program opens it."""
    with MongoClient[Document](mongodb_url, tz_aware=True, w="majority") as client:
        yield client.get_default_database()
