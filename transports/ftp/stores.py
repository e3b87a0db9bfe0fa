"""Writing files over FTP, one after another, with as few waits in between as the server bears.

Where it lets commands wait for the end of a file (`queues`), the next file's data connection is
asked for right behind STOR, and what is asked of all files goes out before the last one is
confirmed: a file costs one round trip. Where it only takes several commands at once (`pipelines`),
they are sent once a file was confirmed; else each command waits for the reply to the one before.
Bytes of a file go out before the server has begun it where it keeps such bytes (`early`).
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from transports.base import CannotTell, Put, PutResult, Unsupported, is_refused, put_alone
from transports.batches import is_lost
from transports.errors import ConnectionLost, PathRefused, Stalled, TransferError
from transports.ftp.control import Command
from transports.ftp.errors import store_refused
from transports.ftp.files import DIGEST_COMMANDS, FtpFiles, is_there
from transports.ftp.replies import is_sendable, told_size
from transports.ftp.wire import Wire

_BEGIN_SECONDS = 5.0
"""How long the reply that begins a transfer is waited for where no bytes are sent before it."""


Replies = dict[Command, str]


class _After(NamedTuple):
    """What is asked at the end of a file."""

    queued: list[Command]
    """Before the server has confirmed it."""
    then: list[Command]
    """Once it has."""


class FtpStores(FtpFiles):
    """Writes files."""

    _longest = 0
    """Bytes of the longest file of those that were written last."""

    def put(
        self,
        blocks: Iterable[bytes],
        path: str,
        look_at: str | None = None,
        *,
        new: bool = False,  # FTP has no way to say so: whoever needs it looks first
    ) -> PutResult:
        """Write the blocks to a file. Raises PathRefused, QuotaExceeded, AccountFailure."""
        put = Put(path, lambda: contextlib.nullcontext(blocks), look_at, new)
        return put_alone(self.put_all, put)

    def put_all(self, puts: Sequence[Put]) -> None:
        """Write the files. Raises TransferError where the session is over.

        A confirmation that was lost after all data was sent is made good by connecting once more
        and comparing the size; no further file is begun then.
        """
        logins, told = self._connection.logins, Replies()
        self._longest = 0
        for put in puts:
            put.begun = True
            try:
                self._store(put, told, self._after(put, puts))
                put.outcome = PutResult()
            except BaseException as error:
                if is_lost(self, error):
                    raise
                put.outcome = error
                if is_refused(put) and not self._connection.control.has_begun:
                    put.reached = put.start  # what went out was taken by nobody
            if self._connection.logins != logins:
                if isinstance(put.outcome, TransferError):
                    # Uploads over connections of their own may have lost them by the same cause.
                    put.outcome.common = put.outcome
                return
        try:
            self._ask_for_missing(puts, told)
        except (ConnectionLost, Stalled):
            # The server has confirmed each file: all else can be asked anew.
            if not self._is_connected_again():
                raise
            return
        self._judge(puts, told)

    def _store(self, put: Put, told: Replies, after: _After) -> None:
        try:
            data = self._begin_store(put)
        finally:
            self._note_begun(put.path)
        behind = self._behind()
        try:
            with put.open() as blocks, self._connection.turn.taken():
                kept = self._keeping_alive(blocks, behind)
                sent = self._stream(data, _counted(put, kept))
        except BaseException:
            self._connection.abandon(data)
            self._hear_anyhow(behind, told)
            raise
        self._longest = max(self._longest, put.reached)
        self._connection.end_data(data)
        try:
            self._confirm(data, sent, told, behind, after)
        except (ConnectionLost, Stalled) as error:
            if not (self._is_connected_again() and self._is_whole(put.path, put.reached)):
                raise error from None
        finally:
            self._connection.close_data(data)

    def _confirm(
        self, data: Wire, sent: int, told: Replies, behind: list[Command], after: _After
    ) -> None:
        """Wait for the end of a transfer, and for the replies to what was asked behind it."""
        connection, control = self._connection, self._connection.control
        seconds = connection.limits.finish(sent, self._capabilities.finish_seconds)
        asked = [*behind, *after.queued]
        try:
            with connection.talk(seconds, store_refused):
                if after.queued:
                    control.ask(*after.queued)
                connection.hear_end(data)
            self._says_begin = control.has_begun  # be it later than it was waited for
        except TransferError:
            self._hear_anyhow(asked, told)
            raise
        self._hear(asked, told)
        self._ask(after.then, told)

    def _after(self, put: Put, puts: Sequence[Put]) -> _After:
        """What is asked at the end of the file: about all of them, or for the next connection."""
        is_last = put is puts[-1]
        if self._queues:
            return _After(self._about(puts) if is_last else [], [])
        return _After([], self._passive if self.pipelines and not is_last else [])

    def _about(self, puts: Sequence[Put]) -> list[Command]:
        """The size of each file and its digest, then whether the name that it is to have is taken:
        a digest may take its time, and what was seen before it may be true no more.

        RNFR is not asked along: ProFTPD takes nothing but RNTO after it, and the name may be taken.
        """
        stand = [put for put in puts if not isinstance(put.outcome, BaseException)]
        sizes = [("SIZE", self._folders.at(put.path)) for put in stand if self._capabilities.size]
        digests = [each for put in stand for each in self._digest_of(put)]
        looks = [look for put in stand if (look := self._look_of(put)) is not None]
        return [*sizes, *dict.fromkeys(digests), *looks]

    def _digest_of(self, put: Put) -> list[Command]:
        """What asks for its digest, the command itself last; nothing where none is wanted."""
        command = None if put.hash is None else self._digest_command(put.hash)
        if put.hash is None or command is None:
            return []
        return [*self._choosing(command, put.hash), (command, self._folders.at(put.path))]

    def _look_of(self, put: Put) -> Command | None:
        if not put.look_at or not is_sendable(put.look_at):
            return None
        return self._look_at(put.look_at)

    def _ask_for_missing(self, puts: Sequence[Put], told: Replies) -> None:
        """Ask about all files, unless that is done; and for the next file's connection."""
        if self.pipelines:
            missing = [command for command in self._about(puts) if command not in told]
            self._ask([*missing, *([] if self._queues else self._passive)], told)

    def _ask(self, commands: list[Command], told: Replies) -> None:
        """Send the commands together and wait for the replies."""
        if commands:
            with self._connection.talk(self._connection.limits.reply):
                self._connection.control.ask(*commands)
            self._hear(commands, told)

    def _hear(self, commands: list[Command], told: Replies) -> None:
        """Wait for the replies to commands that were sent."""
        connection, limits = self._connection, self._connection.limits
        for command in commands:
            is_digest = command[0] in DIGEST_COMMANDS
            try:
                with connection.talk(limits.digest(self._longest) if is_digest else limits.reply):
                    (told[command],) = connection.control.answers(1)
            except Stalled:
                if is_digest:
                    connection.avoids.add(command[0])
                raise
            if command in self._passive:
                connection.data.dial_ahead(told[command])

    def _hear_anyhow(self, commands: list[Command], told: Replies) -> None:
        """The same, after a failure: if the connection was lost, it is that."""
        with contextlib.suppress(TransferError):
            self._hear(commands, told)

    def _behind(self) -> list[Command]:
        """What is asked together with a transfer."""
        return self._passive if self._queues else []

    @property
    def _passive(self) -> list[Command]:
        """Asks for the data connection of the next file; nothing where the server connects."""
        return [] if self._connection.active else [(self._connection.data.verb, "")]

    def _judge(self, puts: Sequence[Put], told: Replies) -> None:
        """Set what was told of each file. Whatever is missing is asked for again later."""
        for put in puts:
            if not isinstance(put.outcome, PutResult):
                continue
            size = told_size(told.get(("SIZE", self._folders.at(put.path)), ""))
            if size is not None:
                self._tells_size = True
            taken = self._taken(told, put)
            if taken is False:
                self._note_free(put.look_at or "")
            put.outcome = PutResult(size, put.look_at, taken, self._digest_in(told, put))

    def _digest_in(self, told: Replies, put: Put) -> str | None:
        asked = self._digest_of(put)
        if put.hash is None or not asked:
            return None
        return self._told_digest(told.get(asked[-1], ""), put.path, put.hash)

    def _taken(self, told: Replies, put: Put) -> bool | None:
        look = self._look_of(put)
        if look is None:
            return None
        with contextlib.suppress(CannotTell):
            return is_there(told.get(look, ""))
        return None

    def _begin_store(self, put: Put) -> Wire:
        """A data connection for the file. Where its path is refused, its bare name is tried."""
        try:
            return self._begin_store_at(put)
        except PathRefused as refused:
            self._folders.forget(put.path)
            if self._connection.is_tested or self._folders.enters or "/" not in put.path:
                raise
            self._folders.enters = True
            try:
                return self._begin_store_at(put)
            except PathRefused:
                self._folders.leave()
                raise refused from None

    def _begin_store_at(self, put: Put) -> Wire:
        connection = self._connection
        named = partial(self._folders.at, put.path)
        data = connection.accept_data("STOR", named, store_refused, self._behind, put.start)
        is_begun = not connection.control.awaits_begin  # as heard beside a handshake of TLS
        if self._sends_early or is_begun or not self._says_begin:
            return data
        # A reply that never comes is no silence: its wait must not use up the limit of a reply.
        seconds = _BEGIN_SECONDS + connection.limits.reply
        try:
            with connection.talk(seconds, store_refused):
                if connection.control.speaks_within(_BEGIN_SECONDS):
                    connection.control.hear_begin()
        except BaseException:
            connection.close_data(data)
            raise
        return data

    def is_untouched(self, path: str) -> bool:
        """Whether the file was to be written, and that was never begun."""
        return self._begun.get(path) is False

    def _note_begun(self, path: str) -> None:
        if self._connection.access.is_settings_test:
            begins = self._connection.control.may_have_begun
            self._begun[path] = begins or self._begun.get(path, False)

    def _keeping_alive(self, blocks: Iterable[bytes], asked: list[Command]) -> Iterator[bytes]:
        """The blocks. On the way of a long file something goes over the control connection too, so
        that no gateway ends it: where commands wait for the end of a file."""
        for block in blocks:
            yield block
            if self._queues and (command := self._connection.keep_alive()) is not None:
                asked.append(command)

    def _stream(self, data: Wire, blocks: Iterable[bytes]) -> int:
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

    def _is_connected_again(self) -> bool:
        """Whether a new connection stands in place of one that was lost."""
        if self._connection.ended or self.connected:
            return False
        with contextlib.suppress(TransferError):
            self._connection.reopen()
            return True
        return False

    def _is_whole(self, path: str, size: int) -> bool:
        with contextlib.suppress(TransferError, Unsupported):
            return self.size(path) == size
        return False


def _counted(put: Put, blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks; `put.reached` tells how many bytes of them went out."""
    put.reached = put.start
    for block in blocks:
        yield block
        put.reached += len(block)
