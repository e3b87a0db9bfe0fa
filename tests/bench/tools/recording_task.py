"""A Celery task that brings recordings to FTP and SFTP servers, as its manual would have one built.

Run by Celery's own worker, in the virtual environment of these tools, and not by this program:
late acknowledgement, rejected where its process is lost, retries with growing delays, a row in
MongoDB before and after, a login kept for the next file, a temporary name and a rename.
Addresses and passwords come from the environment.
"""

import ftplib
import json
import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import paramiko
from celery import Celery
from pymongo import MongoClient
from pymongo.collection import Collection

QUEUE = "celery-recordings"
TASK = "recordings.deliver"
_TIMEOUT = 60.0
_LOGINS = 8
"""Of other accounts, kept by one process."""

app = Celery("recordings", broker=os.environ.get("TASK_AMQP_URL"))
app.conf.update(
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_default_queue=QUEUE,
    task_default_queue_type="quorum",
    task_ignore_result=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
)


class Login(Protocol):
    """A customer's server, logged in."""

    def put(self, path: str, name: str) -> None:
        """Send a file under a temporary name, and rename it."""

    def close(self) -> None:
        """Log out."""


class Sftp:
    """paramiko's client."""

    def __init__(self) -> None:
        host, port, user, password = _server()
        self._transport = paramiko.Transport((host, port))
        self._transport.banner_timeout = self._transport.auth_timeout = _TIMEOUT
        self._transport.connect(username=user, password=password)
        client = paramiko.SFTPClient.from_transport(self._transport)
        assert client is not None
        self._client = client

    def put(self, path: str, name: str) -> None:
        self._client.put(path, f"{name}.part")
        self._client.posix_rename(f"{name}.part", name)

    def close(self) -> None:
        self._transport.close()


class Ftp:
    """ftplib's client."""

    def __init__(self) -> None:
        host, port, user, password = _server()
        self._client = ftplib.FTP()  # noqa: S321 - it is what is compared with
        self._client.connect(host, port, _TIMEOUT)
        self._client.login(user, password)

    def put(self, path: str, name: str) -> None:
        with Path(path).open("rb") as file:
            self._client.storbinary(f"STOR {name}.part", file, 256 * 1024)
        self._client.rename(f"{name}.part", name)

    def close(self) -> None:
        self._client.close()


def _server() -> tuple[str, int, str, str]:
    host, port, user, password = json.loads(os.environ["TASK_SERVER"])
    return host, port, user, password


@lru_cache(maxsize=_LOGINS)
def login(_account_id: str) -> Login:
    """The account's, made once; each account has its own, as it would have its own password."""
    return Sftp() if os.environ["TASK_PROTOCOL"] == "sftp" else Ftp()


@lru_cache(maxsize=1)
def rows() -> Collection[dict[str, Any]]:
    """One document a recording."""
    client: MongoClient[dict[str, Any]] = MongoClient(os.environ["TASK_MONGODB_URL"])
    return client.get_default_database()["task_deliveries"]


def deliver(task: Any, recording_id: str, account_id: str, path: str, name: str) -> None:
    """Bring one recording, unless its row says that it has arrived."""
    if rows().find_one({"_id": recording_id, "status": "delivered"}):
        return
    started = {"$set": {"status": "sending", "account_id": account_id}, "$inc": {"starts": 1}}
    rows().update_one({"_id": recording_id}, started, upsert=True)
    try:
        login(account_id).put(path, name)
    except Exception as error:
        with suppress(Exception):
            login(account_id).close()
        login.cache_clear()
        raise task.retry(exc=error, countdown=2**task.request.retries, max_retries=5) from error
    rows().update_one({"_id": recording_id}, {"$set": {"status": "delivered"}})


app.task(deliver, name=TASK, bind=True)
