"""The ledger on a real MongoDB: its rows, and an account that a worker has adopted."""

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo.database import Database

from config.directory import Directory
from config.secrets import Vault
from consumers.ledger import Document, Ledger
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import ACME, EPOCH, SETTINGS


@pytest.fixture
def ledger(database: Database[Document]) -> Ledger:
    ledger = Ledger(database)
    ledger.ensure_indexes()
    return ledger


@pytest.fixture
def directory(database: Database[Document]) -> Directory:
    directory = Directory(database, Vault([SecretStr(Fernet.generate_key().decode())]))
    directory.create(ACME, ftp_access=True)
    directory.save_settings(ACME, SETTINGS, SecretStr("secret"))
    return directory


@pytest.fixture
def states(database: Database[Document], directory: Directory) -> AccountStates:
    assert directory.find(ACME) is not None
    states = AccountStates(database)
    assert states.fence(ACME, EPOCH)
    return states
