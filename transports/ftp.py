"""FTP (RFC 959, 2428, 2640, 3659): a session for uploads, passive and binary; I/O only.

Its parts: `ftp_connection` (logged in, with time limits), `ftp_control` and `ftp_data` (the two
kinds of sockets), `ftp_replies` (what is said, pure), `ftp_errors` (what a refusal means),
`ftp_folders`, `ftp_files`.
"""

import contextlib
import socket
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Self

from pydantic import SecretStr

from config.accounts import FtpSettings, HashAlgorithm, Look
from transports.base import (
    CannotTell,
    HandOn,
    Limits,
    Move,
    Offer,
    OnStep,
    Put,
    Seen,
    TargetExists,
    Unsupported,
)
from transports.batches import put_each, rename_each
from transports.egress import Connection
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    NameRefused,
    PathRefused,
    ServerBusy,
    Stalled,
    TransferError,
)
from transports.ftp_connection import FtpConnection, unheard
from transports.ftp_errors import Refused, refusal, rename_refused, store_refused
from transports.ftp_files import Files
from transports.ftp_folders import Folders
from transports.ftp_replies import (
    UNKNOWN_COMMAND,
    code_of,
    is_begun,
    is_done,
    is_refusal,
    is_sendable,
    told_size,
)
from transports.round_trip import RoundTrip
from transports.words import spoken

_SAMPLE = b"This file was written to test the FTP settings, and may be deleted.\r\n" * 100
_EARLY = 0.5
"""Seconds within which a server answers that does not wait for the end of a file."""
_BEGIN_SECONDS = 5.0
"""How long the reply that begins a transfer is waited for where commands are not sent together."""
_BAD_SEQUENCE = "503"
Flight = list[tuple[str, str]]


class FtpServer:
    """A session at an FTP server. See `transports.base.Server`."""

    host_key: str | None = None
    hands_on = False
    """A connection has one file at a time; the next one waits for a data connection as long as the
    last one's rename takes."""

    def __init__(self, connection: FtpConnection, known_folders: set[str], *, enters: bool) -> None:
        """`known_folders`: shared by the sessions of one login. `enters`: as in Capabilities."""
        capabilities = connection.settings.capabilities
        self._connection = connection
        self._known_folders = known_folders
        self._folders = Folders(connection, known_folders, enters=enters)
        self._files = Files(connection, self._folders)
        self._capabilities = capabilities
        self._queues = capabilities.queues
        self._says_begin = True
        self.look: Look | None = None
        self.hand_on: HandOn | None = None

    @classmethod
    def open(
        cls,
        settings: FtpSettings,
        password: SecretStr,
        dial_server: Callable[[], Connection],
        limits: Limits,
        step: OnStep,
    ) -> Self:
        """A session with the server, logged in."""
        avoids = set(settings.capabilities.avoids)
        connection = FtpConnection(settings, password, dial_server, limits, avoids, RoundTrip())
        connection.open(step)
        return cls(connection, {"", "."}, enters=settings.capabilities.enters)

    @property
    def connected(self) -> bool:
        """Whether the control connection stands."""
        return not self._connection.closed

    @property
    def round_trip(self) -> float:
        """Seconds: the quickest recent reply; 0 until known."""
        return self._connection.line.seconds

    def another(self) -> Self:
        """A session with a login of its own. Raises ServerBusy for whatever refuses it: what was
        taken from this session cannot be wrong for the next."""
        mine = self._connection
        connection = FtpConnection(
            mine.settings, mine.password, mine.dial_server, mine.limits, mine.avoids, mine.line
        )
        try:
            connection.open(unheard)
        except AccountFailure as refused:
            raise ServerBusy(refused.words) from refused
        session = type(self)(connection, self._known_folders, enters=self._folders.enters)
        session.look = self.look
        return session

    @property
    def offer(self) -> Offer:
        """What the server's answer to FEAT names, and what was found out since."""
        return Offer(
            hashes=self._files.hashes(),
            avoids=tuple(sorted(self._connection.avoids)),
            enters=self._folders.enters,
        )

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored, then what FEAT names."""
        return self._files.looks

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        with contextlib.suppress(TransferError):
            self._connection.reply_to("NOOP")
        return self.connected

    def put(
        self,
        blocks: Iterable[bytes],
        path: str,
        look_at: str | None = None,
        *,
        new: bool = False,  # noqa: ARG002 - FTP has no way to say so: whoever needs it looks first
    ) -> Seen:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure.

        A confirmation that was lost after all data was sent is made good by connecting once more
        and comparing the size.
        """
        data = self._begin_store(path)
        try:
            sent = self._stream(data, blocks)
        except BaseException:
            self._connection.abandon(data)
            raise
        self._connection.close_data(data)
        try:
            return self._confirmed(path, look_at, sent)
        except (ConnectionLost, Stalled) as error:
            if self._connection.ended or not (not self.connected and self._arrived(path, sent)):
                raise error from None
        return Seen()

    def put_all(self, puts: Sequence[Put]) -> None:
        """Write the files."""
        put_each(self, puts)

    def rename_all(self, moves: Sequence[Move]) -> None:
        """Rename the files."""
        rename_each(self, moves)

    def size(self, path: str) -> int | None:
        """The file's size in bytes (RFC 3659 section 4). Raises Unsupported."""
        return self._files.size(path)

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken, as MLST, SIZE or a listing tells it. Raises CannotTell."""
        is_there = self._files.exists(path, by or self.look or self._likely_look)
        if not is_there:
            self._connection.control.note(_is_free(path))
        return is_there

    def rename(self, path: str, to: str) -> None:
        """Rename; RNTO overwrites on most servers, so it looks first, unless it just has."""
        if not self._connection.control.holds(_is_free(to)) and self.exists(to):
            raise TargetExists(to)
        self._rename(path, to)

    def replace(self, path: str, to: str) -> None:
        """Rename over a file of that name, as RNTO does on most servers."""
        if not self._capabilities.replace:
            self.rename(path, to)
            return
        try:
            self._rename(path, to)
        except NameRefused as refused:
            if not self._may_be_there(to):
                raise
            raise TargetExists(refused.words) from refused

    def digest(self, path: str, algorithm: HashAlgorithm, size: int) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported."""
        return self._files.digest(path, algorithm, size)

    def read(self, path: str, most: int) -> bytes:
        """The file's first bytes, `most` at most. Raises NameRefused."""
        return self._files.read(path, most)

    def remove(self, path: str) -> None:
        """Remove the file. Raises PathRefused where it may be there and must stay."""
        reply = self._connection.reply_to("DELE", self._folders.at(path))
        if not is_done(reply) and self._may_be_there(path):
            raise PathRefused(spoken(reply, self._connection.password))

    def make_directory(self, path: str) -> None:
        """Make sure of the folder. Raises PathRefused."""
        self._folders.make(path)

    def remove_directory(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""
        self._folders.remove(path)

    def cut(self) -> None:
        """Break the connections; no other one is made for what was lost."""
        self._connection.cut()

    def close(self) -> None:
        """End the session: with QUIT, where the server answers that within a second."""
        self._connection.close()

    @property
    def pipelines(self) -> bool:
        """Whether commands are sent together, which the server has given no reason against."""
        return self._connection.pipelines

    @property
    def queues(self) -> bool:
        """Whether that is done while a file is still on its way, too."""
        return self._queues

    def queues_commands(self, path: str) -> bool:
        """Whether commands that come while a file is on its way wait for its end, as tried with it.

        Raises ConnectionLost where they do not.
        """
        connection, control = self._connection, self._connection.control
        data = connection.accept_data("STOR", partial(self._folders.at, path), store_refused)
        name = self._folders.at(path)
        try:
            sent = self._stream(data, [_SAMPLE])
            with connection.talk(connection.limits.stall, store_refused):
                if control.awaits_begin:
                    control.hear_begin()
                control.ask(("SIZE", name), ("NOOP", ""))
                if control.speaks_within(_EARLY):
                    raise EOFError  # what belongs to what is anybody's guess now
            sent += self._stream(data, [_SAMPLE])
        finally:
            connection.close_data(data)
        with connection.talk(connection.limits.stall, store_refused):
            control.end_transfer()
            size, _ = control.answers(2)
        return told_size(size) == sent

    def _begin_store(self, path: str) -> socket.socket:
        """A data connection for the file. Where its path is refused, its bare name is tried."""
        try:
            return self._begin_store_at(path)
        except PathRefused as refused:
            if self._connection.is_tested or self._folders.enters or "/" not in path:
                raise
            self._folders.enters = True
            try:
                return self._begin_store_at(path)
            except PathRefused:
                self._folders.leave()
                raise refused from None

    def _begin_store_at(self, path: str) -> socket.socket:
        connection = self._connection
        data = connection.accept_data("STOR", partial(self._folders.at, path), store_refused)
        if self.pipelines or not self._says_begin:
            return data
        # A reply that never comes is no silence: its wait must not use up the limit of a reply.
        seconds = _BEGIN_SECONDS + connection.limits.reply
        try:
            with connection.talk(seconds, store_refused):
                self._says_begin = connection.control.speaks_within(_BEGIN_SECONDS)
                if self._says_begin:
                    connection.control.hear_begin()
        except BaseException:
            connection.close_data(data)
            raise
        return data

    def _stream(self, data: socket.socket, blocks: Iterable[bytes]) -> int:
        connection, sent = self._connection, 0
        for block in blocks:
            with connection.talk(connection.limits.stall, store_refused):
                try:
                    connection.send(data, block)
                except OSError:
                    connection.hear_why(data)
                    raise
            sent += len(block)
        return sent

    def _confirmed(self, path: str, look_at: str | None, sent: int) -> Seen:
        """Wait for the end of a transfer, and for what is asked along with it."""
        connection, control = self._connection, self._connection.control
        flight = self._flight(path, look_at) if self.pipelines else []
        seconds = connection.limits.finish(sent, self._capabilities.finish_seconds)
        with connection.talk(seconds, store_refused):
            if self._queues and flight:
                control.ask(*flight)
            try:
                control.end_transfer()
            except Refused:
                if self._queues:
                    control.answers(len(flight))
                raise
            if not self._queues and flight:
                control.ask(*flight)
            told = dict(zip(flight, control.answers(len(flight)), strict=True))
        return self._seen(told, path, look_at) if flight else Seen()

    def _flight(self, path: str, look_at: str | None) -> Flight:
        """What an upload asks once its file was sent.

        RNFR is not among it: ProFTPD takes nothing but RNTO after it, and the name may be taken.
        """
        flight = [("SIZE", self._folders.at(path))] if self._capabilities.size else []
        if look_at and is_sendable(look_at) and (look := self._look_verb()) is not None:
            flight.append((look, self._folders.at(look_at)))
        return [*flight, (self._connection.data.verb, "")]

    def _seen(self, told: dict[tuple[str, str], str], path: str, look_at: str | None) -> Seen:
        """What the replies to a flight mean. Whatever is missing is asked for again later."""
        self._connection.data.dial_ahead(told[self._connection.data.verb, ""])
        size = told_size(told.get(("SIZE", self._folders.at(path)), ""))
        self._files.tells_size = self._files.tells_size or (True if size is not None else None)
        taken = self._taken(told, look_at)
        if taken is False:
            self._connection.control.note(_is_free(look_at or ""))
        return Seen(size, look_at, taken)

    def _taken(self, told: dict[tuple[str, str], str], look_at: str | None) -> bool | None:
        look = self._look_verb()
        if not look_at or look is None:
            return None
        with contextlib.suppress(CannotTell):
            return Files.is_there(told.get((look, self._folders.at(look_at)), ""))
        return None

    def _look_verb(self) -> str | None:
        """The command that tells whether a name is taken, where it was found to be true."""
        return {Look.MLST: "MLST", Look.SIZE: "SIZE"}.get(self.look) if self.look else None

    @property
    def _likely_look(self) -> Look:
        """SIZE alone, which many refuse, has to have worked once."""
        works = self._files.tells_size
        likely = (look for look in self.looks if look is not Look.SIZE or works)
        return next(likely, Look.NOTHING)

    def _may_be_there(self, path: str) -> bool:
        try:
            return self.exists(path)
        except CannotTell:
            return True

    def _rename(self, path: str, to: str) -> None:
        """RNTO right behind RNFR, in one flight where the server takes that."""
        connection, control = self._connection, self._connection.control
        begin, end = ("RNFR", self._folders.at(path)), ("RNTO", self._folders.at(to))
        with connection.talk(connection.limits.reply, rename_refused):
            if self.pipelines:
                control.ask(begin, end)
                begun, done = control.answers(2)
            else:
                begun = control.reply_to(*begin)
                done = begun if is_refusal(begun) else control.reply_to(*end)
            if self.pipelines and is_begun(begun) and code_of(done) == _BAD_SEQUENCE:
                self._connection.pipelines = self._queues = False  # it has forgotten the first one
                done = control.reply_to(*end) if is_begun(control.reply_to(*begin)) else done
            _check_renamed(begun, done)

    def _arrived(self, path: str, size: int) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            self._connection.open(unheard)
            return self.size(path) == size
        return False


def _check_renamed(begun: str, done: str) -> None:
    told = begun if is_refusal(begun) else done
    if begun.startswith("5") or code_of(told) in UNKNOWN_COMMAND:
        raise Unsupported(told)  # the file is there: it is the renaming
    if not is_done(told):
        raise refusal(told)


def _is_free(path: str) -> str:
    return f"{path} is free"
