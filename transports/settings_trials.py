"""What the test on save tries in sessions of its own, because a server may hang or hang up over it.

Every file that the test has written and that the server did not let be removed is told.
"""

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from config.accounts import HashAlgorithm, Look
from config.file_names import TEMPORARY
from transports.base import (
    SAMPLE,
    USUAL_REQUEST,
    CannotTell,
    Put,
    PutResult,
    Server,
    ServerFeatures,
    Unsupported,
    put_alone,
)
from transports.digests import digest_of
from transports.errors import AccountFailure, NameRefused, ServerBusy, TransferError
from transports.names import join

_CONTENT = SAMPLE * 4096  # some servers tell no digest of a few bytes, others hang over many
_REST = SAMPLE[::-1]
_PIECES = 8
"""Write requests that are sent over each of two channels."""
_BESIDE_SECONDS = 2.0
"""How long one file waits, open, for the other one to be open."""
_PART = f".txt{TEMPORARY}"
_TWO = (_PART, f" (2){_PART}")
FORBIDDEN_SIGNS = '*?"<>|'
"""What Windows forbids in names, but for those that mean something else there: one with a colon
would be stored, as a stream of another file."""
_OTHER_SIGNS = "+&#%';,=@"
_LETTERS = "é"
Session = Callable[..., Server]
"""Opens one; with what is taken for known of the server besides what was found."""


def test_path(folder: str, ending: str, beginning: str = "") -> str:  # noqa: PT028 - no test of pytest's
    """A name that nobody has."""
    return join(folder, f"{beginning}courier-test-{secrets.token_hex(6)}{ending}")


test_path.__test__ = False  # type: ignore[attr-defined]


@dataclass
class Leftovers:
    """What the test has written and could not remove, each path with the server's words."""

    paths: dict[str, str] = field(default_factory=dict)

    def remove(self, server: Server, path: str) -> None:
        """Remove the file, or note it. Raises where the connection was lost over it."""
        self._remove(server, path, server.remove)

    def remove_directory(self, server: Server, path: str) -> None:
        """Remove the folder, or note it."""
        self._remove(server, path, server.remove_directory)

    def told(self) -> str:
        """For a person; empty where nothing is left."""
        return "; ".join(f"{why} ({path} is left there)" for path, why in self.paths.items())

    def _remove(self, server: Server, path: str, remove: Callable[[str], None]) -> None:
        try:
            remove(path)
        except TransferError as error:
            if not server.is_untouched(path):  # some refuse to remove what is not there
                self.paths[path] = error.words
            if not server.connected:
                raise
        else:
            self.paths.pop(path, None)


@dataclass
class Trials:
    """Tries things with files of its own, and removes them.

    `kept`: a file of the test that is left anyhow, as the server removes none: it is written over,
    so that no further one is left.
    """

    session: Session
    folder: str
    look: Look | None
    left: Leftovers
    kept: str | None = None
    busy_waits: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0)
    """Seconds before a session is asked for once more of a server that has as many as it takes: it
    may still count those that the test has just ended."""

    def right_digest(self, hashes: tuple[HashAlgorithm, ...]) -> HashAlgorithm | None:
        """The first algorithm of which the server tells the digest of a file as it is."""
        return next((each for each in hashes if self._tells_digest(each)), None)

    def open_files(self) -> int | None:
        """How many files may be open at once over one session; None: no limit was met."""
        limits: list[int | None] = []

        def arrive(server: Server, *paths: str) -> bool:
            puts = [Put(path, lambda: contextlib.nullcontext([SAMPLE])) for path in paths]
            server.put_all(puts)
            limits.append(server.features.open_files)
            return all(isinstance(put.outcome, PutResult) for put in puts)

        return next(iter(limits), None) if self._tried(arrive, _TWO) else 1

    def resumes(self, algorithm: HashAlgorithm | None) -> bool | None:
        """Whether a file can be gone on with where it ends, as large ones are after a cut; None
        where the server had no room for a session of its own.

        Its size proves nothing: there may be a hole where its beginning was. So it has to be read,
        or the server's digest of it, of this algorithm, has to be right.
        """

        def goes_on(server: Server, path: str) -> bool:
            server.put([SAMPLE], path)
            rest = Put(path, lambda: contextlib.nullcontext([_REST]), start=len(SAMPLE))
            put_alone(server.put_all, rest)
            whole = SAMPLE + _REST
            return server.size(path) == len(whole) and _has(server, path, whole, algorithm)

        return self._tried(goes_on) or (False if self.busy_waits else None)

    def requests(self, features: ServerFeatures, at_once: int) -> dict[str, Any]:
        """The largest write requests that arrive whole, over two channels at once if there may be.

        Where the server does not say what it takes, requests of one packet go over several
        channels, and those that are usual are tried for one channel alone.
        """
        told = features.request_size
        if at_once > 1 and self.kept is None:
            for size in filter(None, (told, USUAL_REQUEST)):
                if self._takes_over_two(size):
                    return {"request_size": size}
            return {"request_size": told or self._largest(features.request_sizes), "at_once": 1}
        return {"request_size": told or self._largest(features.request_sizes)}

    def _largest(self, sizes: Iterable[int]) -> int | None:
        """What arrives over one channel."""
        return next((size for size in sizes if self._takes(size)), None)

    def packs(
        self, ways: Iterable[Mapping[str, bool]], algorithm: HashAlgorithm | None
    ) -> Mapping[str, bool]:
        """The first way to send commands together in which files arrive; nothing where none is.

        `algorithm`: of which digests are asked for along with the rest.
        """

        def arrive(server: Server, *paths: str) -> bool:
            return server.delivers_in_packs(paths[:2], paths[2:])

        endings = (*_TWO, ".txt", " (2).txt")
        tried = partial(self._tried, arrive, endings, hash=algorithm)
        return next((way for way in ways if tried(**way)), {})

    def names(self) -> dict[str, Any]:
        """Which signs and letters the server refuses in names, or stores as others."""
        if self.kept is not None or self.look in {None, Look.NOTHING}:
            return {}
        found: dict[str, Any] = {}
        with contextlib.suppress(TransferError), contextlib.closing(self._session()) as server:
            server.look = self.look
            for_windows = [] if self._takes_name(server, FORBIDDEN_SIGNS) else [*FORBIDDEN_SIGNS]
            others = [] if self._takes_name(server, _OTHER_SIGNS) else [*_OTHER_SIGNS]
            refused = [sign for sign in others if not self._takes_name(server, sign)]
            found["forbids"] = "".join([*for_windows, *refused])
            found["unicode"] = self._takes_name(server, _LETTERS)
        return found

    def _takes_name(self, server: Server, signs: str) -> bool:
        path = test_path(self.folder, f" {signs}.txt")
        try:
            server.put([SAMPLE], path)
        except (NameRefused, AccountFailure):
            if not server.connected:
                raise
            self._remove_kept(server, path)
            return False
        with contextlib.suppress(CannotTell):
            if not server.exists(path):
                self.left.paths[path] = "The server has stored it under another name"
                return False
        self.left.remove(server, path)
        return True

    def _remove_kept(self, server: Server, path: str) -> None:
        """Some servers judge a name once they have the file, and keep what they refuse."""
        with contextlib.suppress(TransferError):
            if server.exists(path):
                self.left.remove(server, path)

    def _tells_digest(self, algorithm: HashAlgorithm) -> bool:
        def is_right(server: Server, path: str) -> bool:
            server.put([_CONTENT], path)
            return server.digest(path, algorithm, len(_CONTENT)) == digest_of(_CONTENT, algorithm)

        return self._tried(is_right)

    def _takes(self, size: int) -> bool:
        def arrives(server: Server, path: str) -> bool:
            server.put([bytes(size)], path)
            return server.size(path) == size

        return self._tried(arrives, request_size=size)

    def _takes_over_two(self, size: int) -> bool:
        """As uploads do it: two files at the same time."""

        def arrive(server: Server, path: str, second: str) -> bool:
            both = threading.Barrier(2)
            with contextlib.closing(server.another()) as other, ThreadPoolExecutor(1) as pool:
                running = pool.submit(other.put, _beside(both, size), second)
                running.add_done_callback(lambda _: both.abort())
                try:
                    server.put(_beside(both, size), path)
                finally:
                    both.abort()
                running.result()
            return all(self._is_whole(server, each, size * _PIECES) for each in (path, second))

        return self._tried(arrive, _TWO, request_size=size)

    def _is_whole(self, server: Server, path: str, size: int) -> bool:
        try:
            return server.size(path) == size
        except Unsupported:  # it has confirmed it
            return True

    def _tried(
        self, works: Callable[..., bool], endings: tuple[str, ...] = (_PART,), **known: Any
    ) -> bool:
        """Whether it works with files of these endings, in a session of its own."""
        stem = test_path(self.folder, "")
        paths = [self.kept] if self.kept else [stem + ending for ending in endings]
        does_work = False
        try:
            server = self._session(**known)
        except TransferError:
            return False
        try:
            with contextlib.closing(server):
                server.look = None if self.look is Look.NOTHING else self.look
                with contextlib.suppress(Unsupported):
                    does_work = works(server, *paths)
                self._clean(server, paths)
        except TransferError as lost:
            self._clean_anew([each for each in paths if not server.is_untouched(each)], lost)
            return False
        return does_work

    def _clean(self, server: Server, paths: list[str]) -> None:
        if self.kept is None:
            for path in paths:
                self.left.remove(server, path)

    def _clean_anew(self, paths: list[str], lost: TransferError) -> None:
        """The session failed: what it has written is removed over another one."""
        if self.kept is not None:
            return
        self.left.paths.update(dict.fromkeys(paths, lost.words))  # until each is removed
        with contextlib.suppress(TransferError), contextlib.closing(self._session()) as server:
            self._clean(server, paths)

    def _session(self, **known: Any) -> Server:
        """One more, once the server counts those before it no more."""
        for seconds in self.busy_waits:
            with contextlib.suppress(ServerBusy):
                return self.session(**known)
            time.sleep(seconds)
        try:
            return self.session(**known)
        except ServerBusy:
            self.busy_waits = ()  # once is enough: it has no room for a session of its own
            raise


def _beside(both: threading.Barrier, size: int) -> Iterator[bytes]:
    """A file's blocks, once the other file is open as well, or cannot be."""
    with contextlib.suppress(threading.BrokenBarrierError):
        both.wait(_BESIDE_SECONDS)
    for _ in range(_PIECES):
        yield bytes(size)


def _has(server: Server, path: str, content: bytes, algorithm: HashAlgorithm | None) -> bool:
    """Whether that is what the file has, as it is read or, where that is refused, by its digest."""
    try:
        return server.read(path, len(content) + 1) == content
    except NameRefused:
        if algorithm is None:
            return False
        return server.digest(path, algorithm, len(content)) == digest_of(content, algorithm)
