"""The platform of an integration test, or its database alone."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from consumers.ledger import Document
from deploy.local.customers import SmtpSink
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
def database(mongodb_url: str) -> Iterator[Database[Document]]:
    """The test's database, as the program opens it."""
    with MongoClient[Document](mongodb_url, tz_aware=True, w="majority") as client:
        yield client.get_default_database()
