"""Servers that fail at one recording, in ways whose words fit any file."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import asyncssh
from pyftpdlib.handlers import FTPHandler

from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from transports.names import part_name

SftpWay = Literal["failure", "denied", "stall", "cut", "quota"]
FtpWay = Literal["550 No", "451 Not now", "552 Quota exceeded"]
Way = SftpWay | FtpWay
SFTP_WAYS: tuple[SftpWay, ...] = ("failure", "denied", "stall", "cut", "quota")
FTP_WAYS: tuple[FtpWay, ...] = ("550 No", "451 Not now", "552 Quota exceeded")


@contextmanager
def poisoned(
    folder: Path, recording_id: str, way: Way, *, texts: int = 0
) -> Iterator[CustomerServer]:
    """A server that takes every recording but this one; SFTP, or FTP where it says a code.

    Over FTP it hangs up over so many test files besides, and keeps what has come of them.
    """
    folder.mkdir(exist_ok=True)
    temporary = part_name(recording_id, 1).rpartition("-")[0]
    if way in SFTP_WAYS:
        over = threading.Event()
        opened: list[Any] = []
        with AsyncSshServer(folder, sftp=_sftp(temporary, way, over, opened)) as server:
            try:
                yield server.customer
            finally:
                over.set()
        for file in opened:  # asyncssh leaves those of a cut session open
            file.close()
        return
    with PyFtpServer(folder, handler=_ftp(temporary, way, ["cut"] * texts)) as ftp:
        yield ftp.customer


class Poisoned(asyncssh.SFTPServer):
    """Fails at files of this beginning, in this way."""

    temporary = ""
    way = ""
    over = threading.Event()
    poison: list[Any]

    def __init__(self, channel: Any, **more: Any) -> None:
        super().__init__(channel, **more)
        self._channel = channel

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        is_poison = self.temporary in path.decode()
        if is_poison and self.way == "failure":
            raise asyncssh.SFTPFailure("Failure")
        if is_poison and self.way == "denied":
            raise asyncssh.SFTPPermissionDenied("Permission denied")
        opened = super().open(path, pflags, attrs)
        if is_poison:
            self.poison.append(opened)
        return opened

    async def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if file_obj in self.poison:
            await self._fail()
        written = super().write(file_obj, offset, data)
        assert isinstance(written, int)
        return written

    async def _fail(self) -> None:
        if self.way == "quota":
            raise asyncssh.SFTPQuotaExceeded("Over quota")
        if self.way == "cut":
            self._channel.get_connection().abort()
            raise asyncssh.SFTPFailure("Nothing of it is kept")
        while self.way == "stall" and not self.over.is_set():  # noqa: ASYNC110 - a thread sets it
            await asyncio.sleep(0.02)


def _sftp(
    temporary: str, way: str, over: threading.Event, opened: list[Any]
) -> type[asyncssh.SFTPServer]:
    named = {"temporary": temporary, "way": way, "over": over, "poison": opened}
    return type("Poisoned", (Poisoned,), named)


def _ftp(temporary: str, words: str, texts: list[str]) -> type[FTPHandler]:
    class Refusing(FTPHandler):  # type: ignore[misc]
        def ftp_STOR(self, file: str, mode: str = "w") -> Any:
            if temporary in file:
                self.respond(f"{words}.")
                return None
            if "courier-test-" in file and texts:
                texts.pop()
                Path(file).touch()
                self.close()
                return None
            return super().ftp_STOR(file, mode)

    return Refusing
