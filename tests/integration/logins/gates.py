"""Login gates of workers over one database, and how a login ends that passes one."""

from collections.abc import Callable
from datetime import datetime

import pytest
from pymongo import ReturnDocument
from pymongo.database import Database

from config.accounts import FtpSettings, Protocol
from consumers.delivery.login_gate import LoginGate
from consumers.ledger import Document
from consumers.ledger.servers import Servers
from tests.servers.fake import FakeServer, Place
from transports.base import Egress, Limits, Server
from transports.errors import ConnectFailed, HungUp, TransferError

SETTINGS = FtpSettings(protocol=Protocol.SFTP, host="127.0.0.1", port=2222, username="u")
SERVER = "127.0.0.1:2222"
SPREAD = 30.0
SUSPENDED = 180 * SPREAD


def gate(database: Database[Document], suspend_seconds: float = SUSPENDED) -> LoginGate:
    return LoginGate(Servers(database), suspend_seconds, Limits(), Egress(), lambda: 1)


def well() -> Server:
    return FakeServer(Place())


def failing(failure: Exception) -> Callable[[], Server]:
    def connect() -> Server:
        raise failure

    return connect


def never() -> Server:
    raise AssertionError("the server was asked")


def finds_away(worker: LoginGate) -> None:
    """The worker's login of the account acme meets that nobody answers."""
    with pytest.raises(ConnectFailed):
        worker.log_in(SETTINGS, "acme", failing(unreached()))


def refused_connection() -> TransferError:
    failure = ConnectFailed("Connection refused")
    failure.__cause__ = ConnectionRefusedError()
    return failure


def unreached() -> TransferError:
    failure = ConnectFailed("Connection timed out")
    failure.__cause__ = TimeoutError()
    return failure


def hung_up() -> TransferError:
    return HungUp("Not allowed at this time")


def now(database: Database[Document]) -> datetime:
    """By the database's clock."""
    found = database["clock"].find_one_and_update(
        {"_id": 1}, [{"$set": {"at": "$$NOW"}}], upsert=True, return_document=ReturnDocument.AFTER
    )
    assert found is not None
    at: datetime = found["at"]
    return at


def end_block(database: Database[Document]) -> None:
    """The time for which nobody tries the server is over."""
    is_over = {"$subtract": ["$$NOW", 1000]}
    database["servers"].update_one({"_id": SERVER}, [{"$set": {"away.until": is_over}}])
