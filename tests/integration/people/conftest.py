"""An account, and nobody yet who uses its console."""

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from config.audit import Audit
from config.directory import Directory
from config.secrets import Vault
from config.signins import SignIns
from config.tokens import Tokens
from config.users import Users
from tests.integration.people.desk import Desk


@pytest.fixture
def console(mongodb_url: str) -> Iterator[Desk]:
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        database = client.get_default_database()
        directory = Directory(database, Vault([]))
        kept = Desk(
            database,
            directory,
            Users(database, directory.find),
            Tokens(database, directory.find),
            Audit(database),
            SignIns(database),
        )
        for each in (kept.users, kept.tokens, kept.audit, kept.signins):
            each.ensure_indexes()
            each.ensure_indexes()
        directory.create("acme")
        yield kept
