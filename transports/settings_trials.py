"""What the test on save tries in sessions of its own, because a server may hang or hang up over it.

Every file that the test has written and that the server did not let be removed is told.
"""

import contextlib
import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from config.accounts import HashAlgorithm, Look
from transports.base import SAMPLE, USUAL_REQUEST, Server, ServerFeatures, Unsupported
from transports.errors import TransferError
from transports.names import join

_CONTENT = SAMPLE * 4096  # some servers tell no digest of a few bytes, others hang over many
_PIECES = 8
"""Write requests that are sent over each of two channels."""
Session = Callable[..., Server]
"""Opens one; with what is taken for known of the server besides what was found."""


def test_path(folder: str, ending: str) -> str:
    """A name that nobody has."""
    return join(folder, f"courier-test-{secrets.token_hex(6)}{ending}")


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

    def right_digest(self, hashes: tuple[HashAlgorithm, ...]) -> HashAlgorithm | None:
        """The first algorithm of which the server tells the digest of a file as it is."""
        return next((each for each in hashes if self._tells_digest(each)), None)

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

    def packs(self, ways: Iterable[Mapping[str, bool]]) -> Mapping[str, bool]:
        """The first way to send commands together in which files arrive; nothing where none is."""

        def arrive(server: Server, *paths: str) -> bool:
            return server.delivers_in_packs(paths[:2], paths[2:])

        endings = (".txt.part", " (2).txt.part", ".txt", " (2).txt")
        return next((way for way in ways if self._tried(arrive, endings, **way)), {})

    def _tells_digest(self, algorithm: HashAlgorithm) -> bool:
        def is_right(server: Server, path: str) -> bool:
            server.put([_CONTENT], path)
            expected = hashlib.new(algorithm, _CONTENT, usedforsecurity=False).hexdigest()
            return server.digest(path, algorithm, len(_CONTENT)) == expected

        return self._tried(is_right)

    def _takes(self, size: int) -> bool:
        def arrives(server: Server, path: str) -> bool:
            server.put([bytes(size)], path)
            return server.size(path) == size

        return self._tried(arrives, request_size=size)

    def _takes_over_two(self, size: int) -> bool:
        """As uploads do it: two files at the same time."""
        pieces = [bytes(size)] * _PIECES

        def arrive(server: Server, path: str, second: str) -> bool:
            with contextlib.closing(server.another()) as other, ThreadPoolExecutor(1) as pool:
                running = pool.submit(other.put, pieces, second)
                server.put(pieces, path)
                running.result()
            return all(self._is_whole(server, each, size * _PIECES) for each in (path, second))

        return self._tried(arrive, (".txt.part", " (2).txt.part"), request_size=size)

    def _is_whole(self, server: Server, path: str, size: int) -> bool:
        try:
            return server.size(path) == size
        except Unsupported:  # it has confirmed it
            return True

    def _tried(
        self, works: Callable[..., bool], endings: tuple[str, ...] = (".txt.part",), **known: Any
    ) -> bool:
        """Whether it works with files of these endings, in a session of its own."""
        stem = test_path(self.folder, "")
        paths = [self.kept] if self.kept else [stem + ending for ending in endings]
        does_work = False
        try:
            with contextlib.closing(self.session(**known)) as server:
                server.look = None if self.look is Look.NOTHING else self.look
                with contextlib.suppress(Unsupported):
                    does_work = works(server, *paths)
                self._clean(server, paths)
        except TransferError as lost:
            self._clean_anew(paths, lost)
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
        with contextlib.suppress(TransferError), contextlib.closing(self.session()) as server:
            self._clean(server, paths)
