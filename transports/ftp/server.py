"""FTP (RFC 959, 2428, 2640, 3659): a session for uploads, passive and binary; I/O only.

Its parts: `connection` (logged in, with time limits), `control` and `data` (the two kinds of
sockets), `replies` (what is said, pure), `errors` (what a refusal means), `folders`, `files` (what
stands there), `session`, `stores` (writing), `renames`. Here is what is left, and the trial of
commands that are sent together.
"""

import time
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from functools import partial

from transports.access import session_over
from transports.base import SAMPLE, Move, Put, PutResult, permitted
from transports.digests import digest_of
from transports.errors import PathRefused
from transports.ftp.control import MOST_AHEAD, Command, line_of
from transports.ftp.errors import store_refused, words_of
from transports.ftp.renames import FtpRenames
from transports.ftp.replies import code_of, is_done, told_size
from transports.ftp.wire import Wire, wait_for

_EARLY = 0.5
"""Seconds within which a server answers that does not wait for the end of a file."""
_ENDED = 0.3
"""Seconds within which a server ends a data connection that it does not want to keep."""
_WAYS_OF_A_HANDSHAKE = 3
"""How often one of TLS 1.2 goes to the server and back, and once more for what is sent then."""


class FtpServer(FtpRenames):
    """A session at an FTP server. See `transports.base.Server`."""

    def remove(self, path: str) -> None:
        """Remove the file. Raises PathRefused where it may be there and must stay.

        Over a connection that was lost before nothing is removed: a file whose renaming has no
        answer may stand in its place, and its intent is to be kept.
        """
        if not self.connected:
            raise session_over()
        reply = self._connection.convenience("DELE", self._folders.at(path))
        if not is_done(reply) and self._may_be_there(path):
            raise PathRefused(words_of(reply, "DELE", self._connection.password))

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

    # --- the trial of packs -----------------------------------------------------------------------

    def delivers_in_packs(self, parts: Sequence[str], names: Sequence[str]) -> bool:
        """Whether files arrive with the very packs of commands that uploads send.

        Two files go to names that are free, and then to the same names, which are taken now. At
        the end comes a pack of the full length.
        """
        if self._sends_early and not self._keeps_what_is_early(parts[0]):
            return False
        puts = self._store_samples(parts, names, are_taken=False)
        if not (puts and self._renames(puts)):
            return False
        puts = self._store_samples(parts, names, are_taken=True)
        return bool(puts) and self._takes_long_packs(self._about(puts)) and self.pipelines

    def _store_samples(
        self, parts: Sequence[str], names: Sequence[str], *, are_taken: bool
    ) -> list[Put]:
        """Nothing where the server told anything else of them than what is true."""
        pairs, algorithm = zip(parts, names, strict=True), self._capabilities.hash
        puts = [
            Put(part, lambda: nullcontext([SAMPLE]), name, hash=algorithm) for part, name in pairs
        ]
        self.put_all(puts)
        told = are_taken if self._look_verb() else None
        # Some tell no digest of a few bytes.
        digests = [None, digest_of(SAMPLE, algorithm)] if algorithm else [None]
        is_right = all(
            each.outcome
            in [PutResult(len(SAMPLE), each.look_at, told, digest) for digest in digests]
            for each in puts
        )
        return puts if is_right else []

    def _renames(self, puts: Sequence[Put]) -> bool:
        moves = [Move(each.path, each.look_at or "", permitted) for each in puts]
        self.rename_all(moves)
        return all(each.done for each in moves)

    def _keeps_what_is_early(self, path: str) -> bool:
        """Whether bytes of a file that come before its command wait for it, as tried with it: they
        do so where a packet with the command was lost. Where commands are to be sent while a file
        is on its way, also whether they wait for its end.

        Raises ConnectionLost where they do not.
        """
        connection, control, sent = self._connection, self._connection.control, 0

        def send_early(data: Wire) -> None:
            nonlocal sent
            sent = self._sent_early(data)

        named = partial(self._folders.at, path)
        data = connection.accept_data("STOR", named, store_refused, before=send_early)
        asked = [("SIZE", self._folders.at(path)), ("NOOP", "")] if self._queues else []
        blocks = [SAMPLE] * 100
        try:
            sent += self._stream(data, blocks)
            with connection.talk(connection.limits.stall, store_refused):
                if control.awaits_begin:
                    control.hear_begin()
                control.ask(*asked)
            self._expect_silence(asked)
            sent += self._stream(data, blocks)  # ProFTPD hears commands when more bytes come
            self._expect_silence(asked)
            connection.end_data(data)
            with connection.talk(connection.limits.stall, store_refused):
                connection.hear_end(data)
                told = control.answers(len(asked))
                if told and told_size(told[0]) != sent:
                    raise EOFError  # what belongs to what is anybody's guess now
        finally:
            connection.close_data(data)
        is_whole = bool(told) or self.size(path) == sent
        with suppress(PathRefused):
            self.remove(path)  # some let no file be written over
        return is_whole

    def _expect_silence(self, asked: Sequence[Command]) -> None:
        """Raises ConnectionLost where one of these commands is answered now."""
        connection = self._connection
        with connection.talk(connection.limits.stall, store_refused):
            if asked and connection.control.speaks_within(_EARLY):
                raise EOFError

    def _sent_early(self, data: Wire) -> int:
        """How many bytes were sent over a data connection that has no transfer yet. Where TLS waits
        for the transfer, that is none: the first of its handshake alone.

        Raises ConnectionLost where the server ends the connection over them, as pyftpdlib does.
        """
        connection, sent = self._connection, 0
        with connection.talk(connection.limits.reply):
            for _ in range(_WAYS_OF_A_HANDSHAKE):
                if data.try_handshake():
                    sent = data.try_send(memoryview(SAMPLE))
                connection.control.reply_to("NOOP")
                if sent:
                    break
            # Its answer may be quicker than what the server makes of the bytes.
            deadline = time.monotonic() + _ENDED
            while sent and data.try_receive(1) is None:
                if time.monotonic() >= deadline or not wait_for(data, until=deadline):
                    return sent
            if sent:
                raise EOFError
        return sent

    def _takes_long_packs(self, commands: Sequence[Command]) -> bool:
        """Whether the server's buffer holds all that may be on its way: small ones lose the rest.

        Raises Stalled where replies are missing.
        """
        size = sum(len(line_of(command)) for command in commands)
        asked = [*commands] * (1 + MOST_AHEAD // size)
        connection, told = self._connection, list[str]()
        with connection.talk(connection.limits.reply):
            connection.control.ask(*asked)
        for _ in asked:
            with connection.talk(connection.limits.reply):
                told += connection.control.answers(1)
        codes = [code_of(reply) for reply in told]
        return codes == codes[: len(commands)] * (len(asked) // len(commands))
