"""Customers' servers that refuse, dawdle and count, as a test tells them while they run."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from posixpath import basename
from typing import Any, Literal

import asyncssh

from deploy.local.customers import AsyncSshServer

Moment = Literal["opened", "written", "uploaded", "looked", "renamed"]


@dataclass
class Mood:
    """What an SFTP server does to its clients, and what it has seen of them."""

    refused_names: set[str] = field(default_factory=set)
    """Final names that it does not take: a failure of the file."""
    read_only: bool = False
    """No file may be made: a failure of the account."""
    full: bool = False
    """Every write fails for want of space."""
    held: bool = False
    """Writes wait for as long as this is set."""
    held_names: set[str] = field(default_factory=set)
    """The renaming to these names waits for as long as they stand here."""
    seconds_a_write: float = 0.0
    uploads: list[str] = field(default_factory=list)
    """The names that were opened for writing, in order."""
    renamed: list[str] = field(default_factory=list)
    """The final names, in order."""
    when: dict[Moment, Callable[[], None]] = field(default_factory=dict)
    """Called once, in the server, when an upload comes there; what follows waits for it."""
    open_now: int = 0
    most_at_once: int = 0
    most_sessions: int = 0
    """SFTP sessions that had files open at once: a flight of files has one."""
    _open_in: Counter[object] = field(default_factory=Counter)

    def begin(self, session: object) -> None:
        """A file is open in this session."""
        self.open_now += 1
        self._open_in[session] += 1
        self.most_at_once = max(self.most_at_once, self.open_now)
        self.most_sessions = max(self.most_sessions, len(+self._open_in))

    def end(self, session: object) -> None:
        """One less is."""
        self.open_now -= 1
        self._open_in[session] -= 1

    async def admit(self, name: str) -> None:
        """Wait while the renaming to it is held. Raises SFTPFailure where it is refused."""
        while name in self.held_names:  # noqa: ASYNC110 - it is the test's thread that lets go
            await asyncio.sleep(0.02)
        if name in self.refused_names:
            raise asyncssh.SFTPFailure(f"{name} is not welcome here")

    def come_to(self, moment: Moment) -> None:
        call = self.when.pop(moment, None)
        if call is not None:
            call()

    def at(self, moment: Moment, number: int, call: Callable[[], None]) -> None:
        """Call it when uploads have come there so many times from now on."""
        if number == 1:
            self.when[moment] = call
        else:
            self.when[moment] = lambda: self.at(moment, number - 1, call)


@contextmanager
def moody_server(folder: Path, mood: Mood, **settings: Any) -> Iterator[AsyncSshServer]:
    """An SFTP server of this mood; uploads land in the folder."""
    folder.mkdir(exist_ok=True)
    with AsyncSshServer(folder, sftp=_in(mood), **settings) as server:
        yield server


def _in(mood: Mood) -> type[asyncssh.SFTPServer]:
    class Moody(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            mood.uploads.append(basename(path.decode()))
            if mood.read_only:
                raise asyncssh.SFTPPermissionDenied("You may not write here")
            opened = super().open(path, pflags, attrs)
            mood.begin(self)
            mood.come_to("opened")
            return opened

        def close(self, file_obj: object) -> Any:
            mood.end(self)
            closed = super().close(file_obj)
            mood.come_to("uploaded")
            return closed

        async def write(self, file_obj: object, offset: int, data: bytes) -> int:
            if mood.full:
                raise asyncssh.SFTPNoSpaceOnFilesystem("The disk is full")
            while mood.held:  # noqa: ASYNC110 - it is the test's thread that lets go
                await asyncio.sleep(0.02)
            await asyncio.sleep(mood.seconds_a_write)
            written = super().write(file_obj, offset, data)
            assert isinstance(written, int)
            mood.come_to("written")
            return written

        def lstat(self, path: bytes) -> Any:
            seen = super().lstat(path)
            mood.come_to("looked")
            return seen

        async def rename(self, oldpath: bytes, newpath: bytes) -> Any:
            name = basename(newpath.decode())
            await mood.admit(name)
            renamed = super().rename(oldpath, newpath)
            mood.renamed.append(name)
            mood.come_to("renamed")
            return renamed

    return Moody
