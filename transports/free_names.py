"""Whether a name at the customer's server is taken: "cannot tell" is not "free".

A server may list a command and refuse it, or answer every look alike. So a means is believed only
once it has found, in the same login, a file that was there for sure: one that was just written.
"""

import time
from collections.abc import Iterator

from config.accounts import Look
from transports.base import CannotTell, PutResult, Server
from transports.errors import TransferError
from transports.job import Journal
from transports.sending import SIZE_WAITS

MOST_GUESSES = 20
"""Names that are tried where only the server's refusal tells that one is taken: it may mean
something else."""
MOST_LOOKS = 1000
"""Names that are looked at for one file."""


def find_look(server: Server, there: str) -> Look | None:
    """The first means by which the server finds the file `there`, which was just written, and not
    another one, which was not. The session goes by it from now on."""
    server.look = None
    absent = f"{there}.absent"
    for look in server.looks:
        if _tells(server, look, there, absent):
            server.look = look
            break
    return server.look


def _tells(server: Server, look: Look, there: str, absent: str) -> bool:
    try:
        return server.exists(there, look) and not server.exists(absent, look)
    except CannotTell:
        return False


def still_stands(server: Server, path: str) -> bool:
    """Whether a file is seen there that the server said is gone; some show it a little longer."""
    if server.look is None:
        return False
    for seconds in (*SIZE_WAITS, 0):
        if not _is_seen(server, path):
            return False
        time.sleep(seconds)
    return True


def is_gone(server: Server, path: str, there: str | None = None) -> bool:
    """Whether a file that was just written is seen to be there no more.

    `there`: one that is, by which a means is proven; without it the one that the test on save has
    found is believed.
    """
    try:
        if server.look is None and there is not None and find_look(server, there) is None:
            return False
        return not server.exists(path)
    except (CannotTell, TransferError):
        return False


def is_no_folder(server: Server, path: str) -> bool:
    """Whether the path is seen to be free by a means that finds folders too."""
    finds = {Look.MLST, Look.LSTAT, Look.STAT}
    try:
        return server.look in finds and not server.exists(path)
    except CannotTell:
        return False


def _is_seen(server: Server, path: str) -> bool:
    try:
        return server.exists(path)
    except CannotTell:
        return False


class Names:
    """The names that a file may take, of which the first may be looked at beforehand."""

    def __init__(self, server: Server, journal: Journal) -> None:
        self._server = server
        self._journal = journal

    def wanted(self) -> str | None:
        """The first one."""
        return next(self._journal.candidates(), None)

    def free(self, seen: PutResult) -> Iterator[str]:
        """Those that are not taken; `seen`: what is known of one. Raises CannotTell."""
        for path, _ in zip(self._journal.candidates(), range(MOST_LOOKS), strict=False):
            taken = seen.taken if path == seen.name else None
            if not (self._server.exists(path) if taken is None else taken):
                yield path

    def guesses(self) -> Iterator[str]:
        """Those that the server is to refuse where they are taken."""
        for path, _ in zip(self._journal.candidates(), range(MOST_GUESSES), strict=False):
            yield path
