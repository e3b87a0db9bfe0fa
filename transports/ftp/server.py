"""FTP (RFC 959, 2428, 2640, 3659): a session for uploads, passive and binary; I/O only.

Its parts: `connection` (logged in, with time limits), `control` and `data` (the two kinds of
sockets), `replies` (what is said, pure), `errors` (what a refusal means), `folders`, `files` (what
stands there), `session`, `stores` (writing), `renames`. Here is what is left, and the trial of
commands that are sent together.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial

from transports.access import session_over
from transports.base import SAMPLE, Move, Put, PutResult, permitted
from transports.errors import PathRefused
from transports.ftp.control import MOST_AHEAD, Command, line_of
from transports.ftp.errors import store_refused, words_of
from transports.ftp.renames import FtpRenames
from transports.ftp.replies import code_of, is_done, told_size

_EARLY = 0.5
"""Seconds within which a server answers that does not wait for the end of a file."""


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
        if self._queues and not self._queues_commands(parts[0]):
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
        pairs = zip(parts, names, strict=True)
        puts = [Put(part, lambda: nullcontext([SAMPLE]), name) for part, name in pairs]
        self.put_all(puts)
        told = are_taken if self._look_verb() else None
        is_right = all(each.outcome == PutResult(len(SAMPLE), each.look_at, told) for each in puts)
        return puts if is_right else []

    def _renames(self, puts: Sequence[Put]) -> bool:
        moves = [Move(each.path, each.look_at or "", permitted) for each in puts]
        self.rename_all(moves)
        return all(each.done for each in moves)

    def _queues_commands(self, path: str) -> bool:
        """Whether commands that come while a file is on its way wait for its end, as tried with it.

        Raises ConnectionLost where they do not.
        """
        connection, control = self._connection, self._connection.control
        data = connection.accept_data("STOR", partial(self._folders.at, path), store_refused)
        name = self._folders.at(path)
        blocks = [SAMPLE] * 100
        try:
            sent = self._stream(data, blocks)
            with connection.talk(connection.limits.stall, store_refused):
                if control.awaits_begin:
                    control.hear_begin()
                control.ask(("SIZE", name), ("NOOP", ""))
                if control.speaks_within(_EARLY):
                    raise EOFError  # what belongs to what is anybody's guess now
            sent += self._stream(data, blocks)
            connection.end_data(data)
            with connection.talk(connection.limits.stall, store_refused):
                control.end_transfer()
                size, _ = control.answers(2)
        finally:
            connection.close_data(data)
        return told_size(size) == sent

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
