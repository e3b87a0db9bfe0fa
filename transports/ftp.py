"""FTP (RFC 959, 2428, 2640, 3659) on ftplib: I/O only. Passive and binary."""

import contextlib
import ftplib
import posixpath
import re
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Self

from pydantic import SecretStr

from config.accounts import FtpSettings, HashAlgorithm, Look
from transports.base import (
    CannotTell,
    HandOn,
    Limits,
    Offer,
    OnStep,
    Seen,
    TargetExists,
    Unsupported,
    closed_on_failure,
)
from transports.egress import Connection, dial
from transports.errors import (
    AccountFailure,
    ConnectFailed,
    ConnectionLost,
    LoginRefused,
    NameRefused,
    PathRefused,
    ProtocolFailed,
    QuotaExceeded,
    ServerBusy,
    Stalled,
    TransferError,
)
from transports.ftp_control import Control, code_of, is_sendable, told_size
from transports.ftp_data import DataConnections
from transports.names import with_parents
from transports.watchdog import Watch
from transports.words import decoded, heard, lost, own, spoken, stranger

_UNKNOWN_COMMAND = {"500", "502", "504"}
_BY_CODE: dict[str, type[TransferError]] = {
    "421": ConnectionLost,
    "425": ConnectFailed,
    "426": ConnectionLost,
    "430": LoginRefused,
    "452": QuotaExceeded,
    "530": LoginRefused,
    "552": QuotaExceeded,
}
_BAD_SEQUENCE = "503"
_REFUSALS = (ftplib.error_temp, ftplib.error_perm)
_LISTING = 64 * 1024
_SAMPLE = b"This file was written to test the FTP settings, and may be deleted.\r\n" * 100
_EARLY = 0.5
"""Seconds within which a server answers that does not wait for the end of a file."""
_HASH_NAMES = {
    HashAlgorithm.SHA256: "SHA-256",
    HashAlgorithm.SHA1: "SHA-1",
    HashAlgorithm.MD5: "MD5",
}
"""As the command HASH has them (draft-bryan-ftpext-hash-02)."""
_HASH_COMMANDS = {
    HashAlgorithm.SHA256: ("XSHA256",),
    HashAlgorithm.SHA1: ("XSHA1", "XSHA"),
    HashAlgorithm.MD5: ("XMD5",),
}
"""What servers had before it, each a command of its own."""
_DIGITS = {HashAlgorithm.SHA256: 64, HashAlgorithm.SHA1: 40, HashAlgorithm.MD5: 32}
Judge = Callable[[str], type[TransferError] | None]
"""What a refusal's code means for the command that was refused; None: what it always means."""


def translate(
    error: Exception, password: SecretStr | None = None, judge: Judge | None = None
) -> TransferError:
    """What an error of ftplib or of the operating system means, in the server's words."""
    if isinstance(error, OSError | EOFError):
        return lost(error)
    if isinstance(error, ftplib.error_proto):
        return stranger(str(error), password)
    words = heard(error, password) if isinstance(error, ftplib.Error) else ""
    if isinstance(error, _REFUSALS):
        code = code_of(error)
        failure = judge(code) if judge is not None else None
        return (failure or _BY_CODE.get(code, AccountFailure))(words)
    return ProtocolFailed(words or "The server broke the protocol")


class FtpServer:
    """A session at an FTP server. See `transports.base.Server`."""

    host_key: str | None = None
    hands_on = False
    """A connection has one file at a time; the next one waits for a data connection as long as the
    last one's rename takes."""

    def __init__(
        self,
        settings: FtpSettings,
        password: SecretStr,
        dial_server: Callable[[], Connection],
        limits: Limits,
        folders: set[str] | None = None,
    ) -> None:
        """`folders`: those that are known to be there, shared by the sessions of one login."""
        self._settings = settings
        self._password = password
        self._dial_server = dial_server
        self._limits = limits
        self._folders = {"", "."} if folders is None else folders
        self._tells_size: bool | None = None if settings.capabilities.size else False
        self._home: str | None = None
        self._pipelines = settings.capabilities.pipelines
        self._queues = settings.capabilities.queues
        self._closed = True
        self._ended = False
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
        folders: set[str] | None = None,
    ) -> Self:
        """A session with the server, logged in."""
        session = cls(settings, password, dial_server, limits, folders)
        session._connect(step)
        return session

    @property
    def connected(self) -> bool:
        """Whether the control connection stands."""
        return not self._closed

    @property
    def round_trip(self) -> float:
        """Seconds: the quickest reply."""
        return self._control.round_trip

    def another(self) -> Self:
        """A session with a login of its own. Raises ServerBusy for whatever refuses it: what was
        taken from this session cannot be wrong for the next."""
        try:
            session = self.open(
                self._settings,
                self._password,
                self._dial_server,
                self._limits,
                _unheard,
                self._folders,
            )
        except (ConnectFailed, ConnectionLost, LoginRefused, Stalled) as refused:
            raise ServerBusy(refused.words) from refused
        session.look = self.look
        return session

    @property
    def offer(self) -> Offer:
        """What the server's answer to FEAT names."""
        return Offer(hashes=tuple(each for each in HashAlgorithm if self._hash_command(each)))

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored, then what FEAT names."""
        stored = self._settings.capabilities.look
        if stored is Look.NOTHING:
            return ()
        usual = [Look.MLST] if self._control.knows("MLST") else []
        return tuple(dict.fromkeys([*([stored] if stored else []), *usual, Look.SIZE, Look.NLST]))

    def answers(self) -> bool:
        """Whether the server still answers, be it with a refusal."""
        try:
            with self._talk(self._limits.reply):
                self._control.sendcmd("NOOP")
        except TransferError:
            return self.connected
        return True

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
        data = self._open_data("STOR", path, _store_refused)
        try:
            sent = self._stream(data, blocks)
        except BaseException:
            self._abandon(data)
            raise
        self._close_data(data)
        try:
            return self._confirmed(path, look_at)
        except (ConnectionLost, Stalled) as error:
            if self._ended or not (self._closed and self._arrived(path, sent)):
                raise error from None
        return Seen()

    def _confirmed(self, path: str, look_at: str | None) -> Seen:
        """Wait for the end of a transfer, and for what is asked along with it."""
        if not self._pipelines:
            with self._talk(self._limits.stall, _store_refused):
                self._control.end_transfer()
            return Seen()
        flight = self._flight(path, look_at)
        with self._talk(self._limits.stall, _store_refused):
            if self._queues:
                self._control.ask(*flight)
            try:
                self._control.end_transfer()
            except _REFUSALS:
                if self._queues:
                    self._control.answers(len(flight))
                raise
            if not self._queues:
                self._control.ask(*flight)
            told = dict(zip(flight, self._control.answers(len(flight)), strict=True))
        return self._seen(told, path, look_at)

    def _flight(self, path: str, look_at: str | None) -> list[tuple[str, str]]:
        """What an upload asks once its file was sent, the rename last: it wants to follow."""
        flight = [("SIZE", path)] if self._settings.capabilities.size else []
        if look_at and is_sendable(look_at) and (look := self._look_verb()) is not None:
            flight.append((look, look_at))
        flight.append((self._data.verb, ""))
        return [*flight, ("RNFR", path)] if self._settings.capabilities.rename else flight

    def _seen(self, told: dict[tuple[str, str], str], path: str, look_at: str | None) -> Seen:
        """What the replies to a flight mean. Whatever is missing is asked for again later."""
        self._data.dial_ahead(told[self._data.verb, ""])
        size = told_size(told.get(("SIZE", path), ""))
        self._tells_size = self._tells_size or (True if size is not None else None)
        if told.get(("RNFR", path), "").startswith("3"):
            self._control.note(_rename_from(path))
        look = self._look_verb()
        reply = told.get((look or "", look_at or ""), "")
        taken = {"2": True, "5": False}.get(reply[:1])
        if look == "SIZE" and size is None:
            taken = None
        if taken is False:
            self._control.note(_is_free(look_at or ""))
        return Seen(size, look_at, taken)

    def _look_verb(self) -> str | None:
        """The command that tells whether a name is taken, where it was found to be true."""
        return {Look.MLST: "MLST", Look.SIZE: "SIZE"}.get(self.look) if self.look else None

    @property
    def pipelines(self) -> bool:
        """Whether commands are sent together, which the server has given no reason against."""
        return self._pipelines

    @property
    def queues(self) -> bool:
        """Whether that is done while a file is still on its way, too."""
        return self._queues

    def queues_commands(self, path: str) -> bool:
        """Whether commands that come while a file is on its way wait for its end, as tried with it.

        Raises ConnectionLost where they do not.
        """
        data = self._open_data("STOR", path, _store_refused)
        try:
            sent = self._stream(data, [_SAMPLE])
            with self._talk(self._limits.stall, _store_refused):
                if self._control.awaits_begin:
                    self._control.hear_begin()
                self._control.ask(("SIZE", path), ("NOOP", ""))
                if self._control.speaks_within(_EARLY):
                    raise EOFError  # what belongs to what is anybody's guess now
            sent += self._stream(data, [_SAMPLE])
        finally:
            self._close_data(data)
        with self._talk(self._limits.stall, _store_refused):
            self._control.end_transfer()
            size, _ = self._control.answers(2)
        return told_size(size) == sent

    def size(self, path: str) -> int | None:
        """The file's size in bytes (RFC 3659 section 4). Raises Unsupported."""
        if self._tells_size is False:
            raise Unsupported("The server does not tell sizes")
        with self._talk(self._limits.reply):
            try:
                size = self._control.size_of(path)
            except ftplib.error_perm as error:
                refused = error
            else:
                self._tells_size = True
                return size
        if code_of(refused) in _UNKNOWN_COMMAND or not self._is_missing(path):
            self._tells_size = False
            raise Unsupported(str(refused))
        return None

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken, as MLST, SIZE or a listing tells it. Raises CannotTell."""
        match by or self.look or self._likely_look:
            case Look.MLST | Look.SIZE as look:
                is_there = self._accepts(look.name, path)
            case Look.NLST:
                is_there = self._is_listed(path)
            case _:
                raise CannotTell("The server does not tell whether a name is taken")
        if not is_there:
            self._control.note(_is_free(path))
        return is_there

    @property
    def _likely_look(self) -> Look:
        """SIZE alone, which many refuse, has to have worked once."""
        likely = (look for look in self.looks if look is not Look.SIZE or self._tells_size)
        return next(likely, Look.NOTHING)

    def rename(self, path: str, to: str) -> None:
        """Rename; RNTO overwrites on most servers, so it looks first, unless it just has."""
        if not self._control.holds(_is_free(to)) and self.exists(to):
            raise TargetExists(to)
        self._rename(path, to)

    def replace(self, path: str, to: str) -> None:
        """Rename over a file of that name, as RNTO does on most servers."""
        if not self._settings.capabilities.replace:
            self.rename(path, to)
            return
        try:
            self._rename(path, to)
        except NameRefused as refused:
            if not self._may_be_there(to):
                raise
            raise TargetExists(refused.words) from refused

    def _rename(self, path: str, to: str) -> None:
        began = self._control.holds(_rename_from(path))
        with self._talk(self._limits.reply, _rename_refused):
            try:
                if not began:
                    self._control.command("RNFR", path)
            except ftplib.error_perm as error:  # the file is there: it is the renaming
                raise Unsupported(str(error)) from error
            try:
                self._control.command("RNTO", to)
            except ftplib.error_perm as error:
                if code_of(error) in _UNKNOWN_COMMAND:
                    raise Unsupported(str(error)) from error
                if not (began and code_of(error) == _BAD_SEQUENCE):
                    raise
            else:
                return
        self._pipelines = self._queues = False  # it has forgotten with what the rename began
        self._rename(path, to)

    def digest(self, path: str, algorithm: HashAlgorithm, size: int) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported."""
        command = self._hash_command(algorithm)
        if command is None:
            raise Unsupported("The server tells no such digest")
        with self._talk(self._limits.digest(size)):
            try:
                if command == "HASH":
                    self._control.sendcmd(f"OPTS HASH {_HASH_NAMES[algorithm]}")
                reply = self._control.command(command, path)
            except _REFUSALS as error:
                if code_of(error) == "421":
                    raise
                raise Unsupported(str(error)) from error
        digits = rf"(?<![0-9A-Fa-f])[0-9A-Fa-f]{{{_DIGITS[algorithm]}}}(?![0-9A-Fa-f])"
        if not (match := re.search(digits, reply)):
            raise Unsupported(reply)
        return match[0].lower()

    def remove(self, path: str) -> None:
        """Remove the file. Raises PathRefused where it is there and must stay."""
        with self._talk(self._limits.reply):
            try:
                self._control.command("DELE", path)
            except ftplib.error_perm as error:
                refused = error
            else:
                return
        if self._may_be_there(path):
            raise PathRefused(spoken(str(refused), self._password))

    def make_directory(self, path: str) -> None:
        """Make sure of the folder. Raises PathRefused."""
        if path in self._folders:
            return
        if not self._enters(path):
            refused = self._make_all(path)
            if not self._enters(path):
                raise PathRefused(spoken(refused, self._password))
        self._folders.add(path)

    def remove_directory(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""
        with self._talk(self._limits.reply):
            try:
                self._control.command("RMD", path)
            except ftplib.error_perm as error:
                raise PathRefused(spoken(str(error), self._password)) from error
        self._folders.discard(path)

    def cut(self) -> None:
        """Break the connections; no other one is made for what was lost."""
        self._ended = True
        self._watch.cut()

    def close(self) -> None:
        """End the session: with QUIT, where the server answers that within a second."""
        if self._closed:
            return
        self._ended = True
        if self._watch.busy:  # in another thread, which finds its sockets cut and drops them
            self._watch.cut()
            return
        self._closed = True
        with contextlib.suppress(Exception), self._watch.within(1):
            self._control.voidcmd("QUIT")
        self._drop()

    def _hash_command(self, algorithm: HashAlgorithm) -> str | None:
        if _HASH_NAMES[algorithm] in self._control.parameters("HASH"):
            return "HASH"
        return next((each for each in _HASH_COMMANDS[algorithm] if self._control.knows(each)), None)

    def _connect(self, step: OnStep) -> None:
        connection = self._dial_server()
        with closed_on_failure(connection.socket):
            step("connected", connection.address.host)
        self._dial_server = partial(dial, [connection.address], self._limits)
        self._watch = Watch()
        self._watch.guard(connection.socket)
        self._control = Control(connection)
        self._data = DataConnections(
            self._control, self._limits, lambda: self._talk(self._limits.reply)
        )
        self._closed = False
        with closed_on_failure(self):
            self._log_in()
            step("logged in", self._settings.username)

    def _log_in(self) -> None:
        username, password = self._settings.username, self._password.get_secret_value()
        with self._talk(self._limits.login, _busy):
            self._control.greet()
        if self._pipelines:
            with self._talk(self._limits.login, _login_refused):
                reply = self._control.log_in_at_once(username, password, self._data.verb)
            self._data.dial_ahead(reply)
            return
        with self._talk(self._limits.login, _login_refused):
            self._control.login(username, password)
        with self._talk(self._limits.reply):
            self._control.prepare()

    def _stream(self, data: socket.socket, blocks: Iterable[bytes]) -> int:
        sent = 0
        for block in blocks:
            with self._talk(self._limits.stall, _store_refused):
                try:
                    self._send(data, block)
                except OSError:
                    self._hear_why(data)
                    raise
            sent += len(block)
        return sent

    def _send(self, data: socket.socket, block: bytes) -> None:
        left = memoryview(block)
        while left:
            self._control.wait_for_room(data)
            left = left[data.send(left) :]
            self._watch.moved()

    def _hear_why(self, data: socket.socket) -> None:
        """A server that ends the transfer says why on the control connection (552, 426)."""
        if not self._watch.expired:
            self._close_data(data)
            self._control.end_transfer()

    def _abandon(self, data: socket.socket) -> None:
        """End a transfer without ABOR, which hangs on many servers; its reply is not ours."""
        self._close_data(data)
        with contextlib.suppress(TransferError), self._talk(self._limits.reply):
            if self._control.awaits_reply or self._control.awaits_begin:
                self._control.end_transfer()

    def _arrived(self, path: str, size: int) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            self._connect(_unheard)
            return self.size(path) == size
        return False

    def _open_data(self, verb: str, path: str, judge: Judge | None = None) -> socket.socket:
        data = self._data.open()
        self._watch.guard(data)
        try:
            # Only with a time limit does a write return with what it took; the watchdog's is first.
            data.settimeout(2 * self._limits.stall)
            with self._talk(self._limits.reply, judge):
                self._control.ask_transfer(verb, path)
                if not (self._pipelines and verb == "STOR"):
                    self._control.hear_begin()
        except BaseException:
            self._close_data(data)
            raise
        return data

    def _close_data(self, data: socket.socket) -> None:
        self._watch.release(data)
        data.close()

    def _is_missing(self, path: str) -> bool:
        return self._tells_size is True or not self._may_be_there(path)

    def _may_be_there(self, path: str) -> bool:
        try:
            return self.exists(path)
        except CannotTell:
            return True

    def _accepts(self, verb: str, path: str) -> bool:
        with self._talk(self._limits.reply):
            try:
                self._control.command(verb, path)
            except ftplib.error_perm as error:
                if code_of(error) in _UNKNOWN_COMMAND:
                    raise CannotTell(str(error)) from error
                return False
        return True

    def _is_listed(self, path: str) -> bool:
        lines = decoded(self._listing(path)).splitlines()
        return posixpath.basename(path) in {posixpath.basename(line) for line in lines}

    def _listing(self, path: str) -> bytes:
        """What NLST says of the one path; nothing where it is refused, as for a missing file."""
        try:
            data = self._open_data("NLST", path, _not_there)
        except _NotThere:
            return b""
        try:
            with self._talk(self._limits.stall):
                listing = self._read(data)
        finally:
            self._abandon(data)
        return listing

    def _read(self, data: socket.socket) -> bytes:
        listing = b""
        while len(listing) < _LISTING and (piece := data.recv(4096)):
            listing += piece
        return listing

    def _enters(self, folder: str) -> bool:
        """Whether the folder is there; back in the login folder afterwards."""
        with self._talk(self._limits.reply):
            self._home = self._home or self._control.pwd()
            try:
                self._control.command("CWD", folder)
            except ftplib.error_perm:
                return False
            self._control.command("CWD", self._home)
        return True

    def _make_all(self, path: str) -> str:
        refused: str = own("The folder cannot be entered")
        for folder in with_parents(path):
            with self._talk(self._limits.reply):
                try:
                    self._control.command("MKD", folder)
                except ftplib.error_perm as error:
                    refused = str(error)
        return refused

    @contextlib.contextmanager
    def _talk(self, seconds: float, judge: Judge | None = None) -> Iterator[None]:
        """The edge: no error of ftplib or of the operating system leaves it untranslated."""
        if self._closed:
            raise ConnectionLost("The session is over")
        try:
            with self._watch.within(seconds):
                yield
        except (TransferError, TargetExists, Unsupported):
            raise
        except Exception as error:
            raise self._told(error, judge) from error

    def _told(self, error: Exception, judge: Judge | None) -> TransferError:
        if not isinstance(error, _REFUSALS) or code_of(error) == "421":
            self._drop()
        if self._watch.expired:
            return Stalled(self._watch.words)
        return translate(error, self._password, judge)

    def _drop(self) -> None:
        self._closed = True
        self._data.drop()
        self._watch.close()
        with contextlib.suppress(OSError):
            self._control.close()


class _NotThere(NameRefused):
    """A listing was refused: so far as anybody can tell, there is no such file."""


def _rename_from(path: str) -> str:
    return f"a rename of {path} has begun"


def _is_free(path: str) -> str:
    return f"{path} is free"


def _not_there(code: str) -> type[TransferError] | None:
    return None if code == "421" else _NotThere


def _busy(code: str) -> type[TransferError] | None:
    return ServerBusy if code == "421" else None


def _login_refused(code: str) -> type[TransferError] | None:
    return _busy(code) or (LoginRefused if code.startswith("5") else None)


def _store_refused(code: str) -> type[TransferError] | None:
    """The temporary name is ours and plain: what refuses it refuses the path."""
    if code in _UNKNOWN_COMMAND or not code.startswith("5") or code == "552":
        return None
    return PathRefused


def _rename_refused(code: str) -> type[TransferError] | None:
    return NameRefused if code.startswith("5") and code != "552" else None


def _unheard(_name: str, _detail: str) -> None: ...
