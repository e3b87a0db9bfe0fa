"""The test upload on save: shows that the settings work, and finds out what the server can do."""

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from pydantic import SecretStr

from config.accounts import Capabilities, FtpSettings, HashAlgorithm, Look, Protocol
from transports.base import (
    BLOCK,
    MOST_AT_ONCE,
    Egress,
    Limits,
    Seen,
    Server,
    TargetExists,
    Unsupported,
)
from transports.errors import NameRefused, PathRefused, TransferError, VerificationFailed
from transports.names import join
from transports.server import connect
from transports.taken import find_look

STEPS = (
    "resolved",
    "connected",
    "host key",
    "logged in",
    "path",
    "wrote",
    "size",
    "renamed",
    "removed",
)
"""The steps in their order; FTP has no host key."""
_NO_LOOK = (
    "The server does not tell whether a name is taken: the names of recordings carry their id"
)
_TEXT = b"This file was written to test the FTP settings, and may be deleted.\r\n"
_LONGER_TEXT = _TEXT * 2
_CONTENT = _TEXT * 4096  # some servers tell no digest of a few bytes, others hang over many
ASIDE_SECONDS = 10.0
"""Stall limit of what is tried in sessions of its own, because a server may hang over it."""
REQUEST_SIZES = (BLOCK, 128 * 1024, 64 * 1024)
"""Write requests that are tried where a server does not say what it takes."""


@dataclass(frozen=True)
class Step:
    """One step of the test: what was found or, where it failed, the server's words and advice."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class TestReport:
    """What the test showed. `failure` is None where recordings can be delivered."""

    __test__ = False  # no test of pytest's

    steps: tuple[Step, ...]
    host_key: str | None
    """The fingerprint of the key that the server showed, None for FTP."""
    capabilities: Capabilities
    failure: TransferError | None

    @property
    def ok(self) -> bool:
        """Whether recordings can be delivered with these settings."""
        return self.failure is None


def test_settings(
    settings: FtpSettings,
    password: SecretStr,
    limits: Limits,
    egress: Egress,
    on_step: Callable[[Step], None] | None = None,  # noqa: PT028 - no test of pytest's
) -> TestReport:
    """Log in, upload a small text file and remove it again; `on_step` hears of each step.

    A server that tells no sizes or refuses renames passes, and is remembered as such; one that
    takes no files does not. Raises nothing: what went wrong is in the report.
    """
    test = _Test(settings, limits, on_step)
    brief = replace(limits, stall=min(limits.stall, ASIDE_SECONDS))

    def session(**known: Any) -> Server:
        return connect(test.settings_with(known), password, brief, egress)

    try:
        with contextlib.closing(
            connect(test.settings, password, limits, egress, on_step=test.passed)
        ) as server:
            test.host_key = server.host_key
            test.write(server)
            hashes = test.look_closer(server)
    except TransferError as error:
        return test.report(error)
    test.look_aside(session, hashes)
    return test.report(None)


test_settings.__test__ = False  # type: ignore[attr-defined]


class _Test:
    def __init__(
        self, settings: FtpSettings, limits: Limits, on_step: Callable[[Step], None] | None
    ) -> None:
        self._limits = limits
        # What an earlier test found must not keep this one from looking again.
        self.settings = settings.model_copy(update={"capabilities": Capabilities()})
        self.host_key: str | None = None
        self.found = Capabilities()
        self._on_step = on_step
        self._steps: list[Step] = []
        self._removes = True

    def settings_with(self, known: dict[str, Any]) -> FtpSettings:
        """For a session: the key that the first one saw is the key of the others too."""
        capabilities = self.settings.capabilities.model_copy(update=known)
        keys = self.settings.host_keys or ((self.host_key,) if self.host_key else ())
        return self.settings.model_copy(update={"capabilities": capabilities, "host_keys": keys})

    def write(self, server: Server) -> None:
        """The steps after the logon."""
        final, part = _test_path(self.settings.path, ".txt"), _test_path(self.settings.path)
        server.make_directory(self.settings.path)
        self.passed("path", self.settings.path)
        with _withdrawn_on_failure(server, part, final):
            server.put([_TEXT], part)
            self.passed("wrote", part)
            self._look_at_size(server, part)
            self._look_at_names(server, part)
            self._move(server, part, final)
            self._replace(server, part, final)
            folder = self._make_folder(server)
        self._remove(server, final, folder)

    def look_closer(self, server: Server) -> tuple[HashAlgorithm, ...]:
        """What makes no difference to whether files arrive; the digests that are still to be tried.

        The session's last use.
        """
        offer = server.offer
        self._note(request_size=offer.request_size, algorithms=offer.algorithms)
        self._note(avoids=offer.avoids, enters=offer.enters)
        at_once = _count_at_once(server, MOST_AT_ONCE[self.settings.protocol], self._limits.login)
        self._note(at_once=at_once)
        return offer.hashes

    def look_aside(self, session: Callable[..., Server], hashes: tuple[HashAlgorithm, ...]) -> None:
        """What a server may hang or hang up over."""
        folder = self.settings.path
        if hashes:
            self._note(hash=_right_digest(session, folder, hashes))
        if self.settings.protocol is Protocol.SFTP and self.found.request_size is None:
            self._note(request_size=_largest_request(session, folder))
        can = self.found.rename and self.found.size and self._removes
        can = can and not set(self.found.avoids) - {"EPSV"}  # a flight has the others as well
        if self.settings.protocol is Protocol.FTP and can:
            self._look_at_flights(session, folder)

    def _look_at_flights(self, session: Callable[..., Server], folder: str) -> None:
        """Whether commands may be sent before the replies to earlier ones have come."""
        levels: tuple[dict[str, Any], ...] = (
            {"pipelines": True, "queues": True},
            {"pipelines": True},
        )
        works = partial(_delivers_in_flights, look=self.found.look)
        known = {"avoids": self.found.avoids, "enters": self.found.enters}
        for level in levels:
            if _tried_aside(partial(session, **level, **known), folder, works):
                self._note(**level)
                return

    def _look_at_size(self, server: Server, path: str) -> None:
        try:
            size = server.size(path)
        except Unsupported:
            size = None
        if size is None:
            self._note(size=False)
            self.passed("size", "The server does not tell it: its confirmation has to do")
        elif size != len(_TEXT):
            raise VerificationFailed(f"The server stored {size} of {len(_TEXT)} bytes")
        else:
            self.passed("size", f"{size} bytes")

    def _look_at_names(self, server: Server, path: str) -> None:
        """By what it is told that a name is taken: as it is told of the file that was written."""
        look = find_look(server, path)
        self._note(look=look or Look.NOTHING)
        if look is None:
            self.passed("names", _NO_LOOK)

    def _move(self, server: Server, part: str, final: str) -> None:
        try:
            server.rename(part, final)
        except (Unsupported, NameRefused, TargetExists):
            self._note(rename=False, replace=False)
        else:
            self.passed("renamed", final)
            return
        with contextlib.suppress(PathRefused):
            server.remove(part)
        server.put([_TEXT], final)
        self.passed("renamed", "The server refuses it: recordings are written to their name")

    def _replace(self, server: Server, part: str, final: str) -> None:
        """A second file over the first: whether it is the one that stands there afterwards."""
        if not self.found.rename:
            return
        server.put([_LONGER_TEXT], part)
        try:
            server.replace(part, final)
        except (Unsupported, NameRefused, TargetExists):
            self._note(replace=False)
            with contextlib.suppress(PathRefused):
                server.remove(part)
        else:
            self._note(replace=not self.found.size or server.size(final) == len(_LONGER_TEXT))

    def _make_folder(self, server: Server) -> str | None:
        folder = _test_path(self.settings.path, "")
        try:
            server.make_directory(folder)
        except PathRefused:
            self._note(mkdir=False)
            return None
        return folder

    def _remove(self, server: Server, path: str, folder: str | None) -> None:
        """What cannot be removed is told: recordings are delivered all the same."""
        left: dict[str, str] = {}
        with _noting_refusal(left, path):
            server.remove(path)
        if folder is not None:
            with _noting_refusal(left, folder):
                server.remove_directory(folder)
        self._removes = not left
        if left:
            words = "; ".join(f"{why} ({each} is left there)" for each, why in left.items())
            self._took(Step("removed", ok=False, detail=words))
        else:
            self.passed("removed", path)

    def _note(self, **found: Any) -> None:
        self.found = self.found.model_copy(update=found)

    def passed(self, name: str, detail: str) -> None:
        """Note a step that worked."""
        self._took(Step(name, ok=True, detail=detail))

    def report(self, failure: TransferError | None) -> TestReport:
        """What was found, with the step at which it ended."""
        if failure is not None:
            detail = f"{failure.words.rstrip('.')}. {failure.advice}"
            self._took(Step(self._next(), ok=False, detail=detail))
        return TestReport(tuple(self._steps), self.host_key, self.found, failure)

    def _next(self) -> str:
        done = {step.name for step in self._steps}
        return next(name for name in self._names() if name not in done)

    def _names(self) -> Iterator[str]:
        for name in STEPS:
            if name != "host key" or self.settings.protocol is Protocol.SFTP:
                yield name

    def _took(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


def _count_at_once(server: Server, most: int, seconds: float) -> int:
    """How many uploads the server takes at once, tried up to `most` and for so many seconds."""
    more: list[Server] = []
    deadline = time.monotonic() + seconds
    try:
        with contextlib.suppress(TransferError):
            while 1 + len(more) < most and time.monotonic() < deadline:
                more.append(server.another())
    finally:
        for session in more:
            session.close()
    return 1 + len(more)


def _right_digest(
    session: Callable[..., Server], folder: str, hashes: tuple[HashAlgorithm, ...]
) -> HashAlgorithm | None:
    """The first algorithm of which the server tells the digest of a file as it is."""

    def is_right(server: Server, path: str, algorithm: HashAlgorithm) -> bool:
        server.put([_CONTENT], path)
        expected = hashlib.new(algorithm, _CONTENT, usedforsecurity=False).hexdigest()
        return server.digest(path, algorithm, len(_CONTENT)) == expected

    for algorithm in hashes:
        if _tried_aside(session, folder, partial(is_right, algorithm=algorithm)):
            return algorithm
    return None


def _largest_request(session: Callable[..., Server], folder: str) -> int | None:
    """The largest of the usual write requests that arrives whole."""

    def arrives(server: Server, path: str, size: int) -> bool:
        server.put([bytes(size)], path)
        return server.size(path) == size

    for size in REQUEST_SIZES:
        sized = partial(session, request_size=size)
        if _tried_aside(sized, folder, partial(arrives, size=size)):
            return size
    return None


def _delivers_in_flights(server: Server, path: str, look: Look | None) -> bool:
    """Whether uploads do, in the very flights of an upload: to a name that is taken, and to a free
    one."""
    from transports.ftp import FtpServer  # noqa: PLC0415 - only where FTP is used

    if not isinstance(server, FtpServer) or (server.queues and not server.queues_commands(path)):
        return False
    server.look = look
    aside = f"{path}.moved"
    try:
        server.put([_TEXT], path, aside)
        server.rename(path, aside)
        is_seen = server.put([_TEXT], path, aside) == _seen_of(aside, look, taken=True)
        is_seen = is_seen and not server.exists(path + ".free")
    finally:
        with contextlib.suppress(TransferError):
            server.remove(aside)
    is_free = server.put([_TEXT], path, aside) == _seen_of(aside, look, taken=False)
    return is_seen and is_free and server.pipelines


def _seen_of(name: str, look: Look | None, *, taken: bool) -> Seen:
    """What a flight is to tell of a name: nothing where it takes a listing."""
    in_flight = look in {Look.MLST, Look.SIZE}
    return Seen(len(_TEXT), name, taken if in_flight else None)


def _tried_aside(
    session: Callable[..., Server], folder: str, works: Callable[[Server, str], bool]
) -> bool:
    """Whether it works with a file, in a session of its own; the file is removed again."""
    path = _test_path(folder)
    try:
        with contextlib.closing(session()) as server:
            with _withdrawn_on_failure(server, path):
                does_work = works(server, path)
            server.remove(path)
    except Unsupported:
        return False
    except TransferError:
        with contextlib.suppress(TransferError), contextlib.closing(session()) as server:
            server.remove(path)
        return False
    return does_work


def _test_path(folder: str, ending: str = ".txt.part") -> str:
    return join(folder, f"courier-test-{secrets.token_hex(6)}{ending}")


@contextlib.contextmanager
def _noting_refusal(left: dict[str, str], path: str) -> Iterator[None]:
    try:
        yield
    except PathRefused as error:
        left[path] = error.words


@contextlib.contextmanager
def _withdrawn_on_failure(server: Server, *paths: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            with contextlib.suppress(TransferError):
                server.remove(path)
        raise
