"""The connection to MongoDB, and what its errors mean to an operator."""

import atexit
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import ConnectionFailure, PyMongoError
from pymongo.synchronous import monitor

from config.errors import ConfigError
from config.tls import Endpoint, Trust
from consumers.database_words import in_words
from consumers.ledger import Document

OURS: dict[str, Any] = {
    # What is read was written by a majority, what is written is on the disks of one.
    "readPreference": "primary",
    "readConcernLevel": "majority",
    "w": "majority",
    "journal": True,
    "wTimeoutMS": 0,
    "retryWrites": True,
    "retryReads": True,
    "directConnection": False,
    # How long it is waited for, in milliseconds.
    "timeoutMS": 20_000,
    "serverSelectionTimeoutMS": 10_000,
    "connectTimeoutMS": 10_000,
    "socketTimeoutMS": None,
    "waitQueueTimeoutMS": None,
    "heartbeatFrequencyMS": 10_000,
    "tz_aware": True,
    "appname": "courier",
}
"""Options that replace those of the URL: the durability of every write rests on them."""


CLOSE_SECONDS = 2.0
"""How long the end of a connection may take."""


class NoReplicaSet(ConfigError):
    """MongoDB is a standalone server, which cannot confirm a write by a majority."""

    def __init__(self) -> None:
        super().__init__(
            "MongoDB is no replica set, so no write can be confirmed by a majority: "
            "start it as one (--replSet, rs.initiate()), or correct COURIER_MONGODB_URL."
        )


@contextmanager
def connected(mongodb: Endpoint) -> Iterator[MongoClient[Document]]:
    """A client that connects when it is first used.

    Raises pymongo's errors where the URL cannot be used, OSError where a file of TLS cannot.
    """
    url = mongodb.url.get_secret_value()
    trust = mongodb.trust if _uses_tls(url) else Trust()
    # The driver may read the files only when it connects: they stay until the end.
    with _files(trust) as files:
        client = MongoClient[Document](url, **OURS, **files)
        try:
            yield client
        finally:
            # It tells the server which sessions are over, and would look long for one that is away.
            with pymongo.timeout(CLOSE_SECONDS):
                client.close()


def end_at_once() -> None:
    """Have the process not wait, at its end, for threads of clients that are closed.

    The driver's own hook joins them, daemons though they are: they sleep for up to half a second.
    """
    atexit.unregister(monitor._shutdown_resources)  # noqa: SLF001 - it has no public name


def ask(database: Database[Document]) -> None:
    """Have MongoDB answer. Raises NoReplicaSet, and pymongo's errors where it is away."""
    hello = database.command("hello")
    if "setName" not in hello and hello.get("msg") != "isdbgrid":
        raise NoReplicaSet


def is_away(error: PyMongoError) -> bool:
    """Whether the error may pass by itself, without a change by the operator."""
    return isinstance(error, ConnectionFailure) or error.timeout


def sentence(error: PyMongoError) -> str:
    """What is wrong with MongoDB, for `/readyz`."""
    verb = "does not answer" if is_away(error) else "refuses"
    return f"MongoDB {verb}: {in_words(error)}."


def _uses_tls(url: str) -> bool:
    """The driver refuses files of TLS for a connection without it."""
    options = re.split("[?&;]", url.lower())
    if url.startswith("mongodb+srv://"):
        return not {"tls=false", "ssl=false"} & {*options}
    return bool({"tls=true", "ssl=true"} & {*options})


@contextmanager
def _files(trust: Trust) -> Iterator[dict[str, Any]]:
    """The driver's options for the files of TLS. It wants key and certificate in one file."""
    files = {"tlsCAFile": str(trust.ca_file)} if trust.ca_file else {}
    if trust.cert_file is None or trust.key_file in {None, trust.cert_file}:
        own = {"tlsCertificateKeyFile": str(trust.cert_file)} if trust.cert_file else {}
        yield {**files, **own}
        return
    with _in_memory(trust.cert_file.read_bytes() + b"\n" + trust.key_file.read_bytes()) as path:
        yield {**files, "tlsCertificateKeyFile": path}


@contextmanager
def _in_memory(content: bytes) -> Iterator[str]:
    """The path of a file in memory, as long as the block lasts: no key is written to a disk."""
    descriptor = os.memfd_create("courier-tls")
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
