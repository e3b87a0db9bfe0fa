"""The database of a process, with the two modules that know its documents: all that a command
needs which only looks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pymongo.database import Database

from config.directory import Directory
from config.secrets import Vault
from config.settings import Settings
from consumers.ledger import Document, Ledger
from worker import mongodb

DATABASE = "courier"


@dataclass(frozen=True)
class Core:
    """Settings, database, and the two modules that know its documents."""

    settings: Settings
    database: Database[Document]
    directory: Directory
    ledger: Ledger


@contextmanager
def open_core(settings: Settings) -> Iterator[Core]:
    """Connect to MongoDB at its first use, which raises pymongo's errors where it is away."""
    with mongodb.connected(settings.mongodb) as client:
        database = client.get_default_database(DATABASE)
        directory = Directory(database, Vault(settings.secret_keys), settings.number_country)
        yield Core(settings, database, directory, Ledger(database))
