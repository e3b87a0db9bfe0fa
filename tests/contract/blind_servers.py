"""Servers that do not tell whether a name is taken, and deliveries to them."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
from asyncssh.constants import FX_OP_UNSUPPORTED, FX_PERMISSION_DENIED
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from transports import settings_test
from transports.base import Egress
from transports.job import Job, Uploaded
from transports.settings_report import TestReport

OWN = b"the customer's own"
SIZE = 480_044
Serving = Callable[[Path], AbstractContextManager[CustomerServer]]


def refusing(**commands: str) -> type[FTPHandler]:
    """An FTP server that gives these commands these answers, whatever they are about."""

    def answer(reply: str) -> Callable[..., None]:
        return lambda self, *_: self.respond(reply)

    verbs = {f"ftp_{verb}": answer(reply) for verb, reply in commands.items()}
    return type("Refusing", (FTPHandler,), verbs)


class Listing(asyncssh.SFTPServer):
    """Tells of no path what stands there, lists folders, and renames over files."""

    def lstat(self, path: bytes) -> Any:
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no looking")

    stat = lstat

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        """As ever: asyncssh's own looks at each folder besides."""
        for name in await asyncio.to_thread(os.listdir, self.map_path(path)):
            yield asyncssh.SFTPName(os.fsencode(name), attrs=asyncssh.SFTPAttrs(size=1))

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Over whatever is there."""
        os.replace(self.map_path(oldpath), self.map_path(newpath))  # noqa: PTH105 - bytes

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """For writing alone."""
        if pflags & asyncssh.FXF_READ:
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no reading")
        return super().open(path, pflags, attrs)


class BlindSftp(Listing):
    """Lists nothing either."""

    def scandir(self, path: bytes) -> Any:
        """Refused."""
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no listing")


class RefusingTaken(BlindSftp):
    """Renames over no file."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused where the name is taken."""
        if Path(self.map_path(newpath).decode()).exists():
            raise asyncssh.SFTPFailure("Failure")
        super().rename(oldpath, newpath)


class NoRename(BlindSftp):
    """Renames nothing."""

    def rename(self, oldpath: bytes, newpath: bytes) -> None:
        """Refused."""
        raise asyncssh.SFTPError(FX_OP_UNSUPPORTED, "no renaming")

    posix_rename = rename


class NoRenameNoExcl(NoRename):
    """Writes over files though it was asked for a new one."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """As if that had not been said."""
        return super().open(path, pflags & ~asyncssh.FXF_EXCL, attrs)


def ftp(**commands: str) -> Serving:
    @contextmanager
    def serving(root: Path) -> Iterator[CustomerServer]:
        with PyFtpServer(root, handler=refusing(**commands)) as server:
            yield server.customer

    return serving


def sftp(kind: type[asyncssh.SFTPServer]) -> Serving:
    @contextmanager
    def serving(root: Path) -> Iterator[CustomerServer]:
        with AsyncSshServer(root, sftp=kind) as server:
            yield server.customer

    return serving


def report_of(customer: CustomerServer, **changes: Any) -> TestReport:
    report = settings_test.test_settings(
        settings_of(customer, **changes), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    return report


def job_by(can: Capabilities, attempt: int = 1, **changes: Any) -> Job:
    """As the ledger's journal makes it of what was found."""
    return replace(
        job(attempt, **changes),
        rename=can.rename and can.temporary,
        look=can.look,
        rename_refuses=can.rename_refuses,
        exclusive=can.exclusive,
        removes=can.removes,
    )


def delivered(
    customer: CustomerServer,
    recording: Path,
    can: Capabilities,
    ledger: Ledger | None = None,
    **job: Any,
) -> Uploaded:
    session = open_session(customer, capabilities=can)
    try:
        with opened(recording) as source:
            return upload(session, source, job_by(can, **job), ledger or Ledger())
    finally:
        session.close()
