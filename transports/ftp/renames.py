"""Renaming files over FTP: RNFR and RNTO, each pair in one pack, and many pairs together."""

from collections.abc import Iterator, Sequence

from transports.base import CannotTell, Move, TargetExists, Unsupported, permitted
from transports.batches import rename_each
from transports.errors import NameRefused, TransferError
from transports.ftp.control import MOST_AHEAD, UNSENDABLE, Command, line_of
from transports.ftp.errors import RenameRefused, refusal, rename_refused, words_of
from transports.ftp.files import is_there
from transports.ftp.replies import (
    UNKNOWN_COMMAND,
    code_of,
    is_begun,
    is_done,
    is_refusal,
    is_sendable,
)
from transports.ftp.stores import FtpStores, Replies

_BAD_SEQUENCE = "503"


class FtpRenames(FtpStores):
    """Renames files."""

    def rename(self, path: str, to: str) -> None:
        """Rename; RNTO overwrites on most servers, so it looks first, unless it just has."""
        if not self._is_known_free(to) and self.exists(to):
            raise TargetExists(to)
        self._rename(path, to)

    def rename_all(self, moves: Sequence[Move]) -> None:
        """Rename the files; many at once where the server takes several commands at once.

        Raises TransferError where the session is over.
        """
        if not self.pipelines or self._look_verb() is None:
            rename_each(self, moves)
            return
        for move in moves:
            if not is_sendable(move.to):
                move.error = NameRefused(UNSENDABLE)
        for pack in self._packs_of([move for move in moves if move.error is None]):
            if not all(self._is_known_free(move.to) for move in pack):
                self._look_at_all(pack)
            self._rename_all([move for move in pack if move.error is None and move.is_permitted()])

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

    def _packs_of(self, moves: Sequence[Move]) -> Iterator[list[Move]]:
        """As many at a time as `Control.ask` sends at once.

        A command that waits for replies to others would go out with an old permit, and its name
        would have been looked at a while ago.
        """
        pack, room = list[Move](), MOST_AHEAD
        for move in moves:
            size = sum(len(line_of(command)) for command in self._commands(move))
            if pack and size > room:
                yield pack
                pack, room = [], MOST_AHEAD
            pack.append(move)
            room -= size
        if pack:
            yield pack

    def _look_at_all(self, moves: Sequence[Move]) -> None:
        """Have those end whose name is taken, or of which nothing tells."""
        looks = [(move, look) for move in moves if (look := self._look_at(move.to)) is not None]
        told = Replies()
        self._ask([look for _, look in looks], told)
        for move, look in looks:
            try:
                if is_there(told[look]):
                    move.error = TargetExists(move.to)
            except CannotTell as error:
                move.error = error

    def _rename(self, path: str, to: str) -> None:
        move = Move(path, to, permitted)
        self._rename_all([move])
        if move.error is not None:
            raise move.error

    def _rename_all(self, moves: Sequence[Move]) -> None:
        """RNTO right behind RNFR, all in one pack where the server takes that."""
        if not self.pipelines:
            self._rename_singly(moves)
            return
        if not moves:
            return
        connection = self._connection
        pairs = [self._commands(move) for move in moves]
        with connection.talk(connection.limits.reply):
            connection.control.ask(*(command for pair in pairs for command in pair))
        forgotten = []
        for move in moves:
            with connection.talk(connection.limits.reply):
                begun, done = connection.control.answers(2)
            if is_begun(begun) and code_of(done) == _BAD_SEQUENCE:
                forgotten.append(move)
            else:
                self._judge_rename(move, begun, done)
        if forgotten:
            connection.pipelines = False
            self._rename_singly([move for move in forgotten if move.is_permitted()])

    def _rename_singly(self, moves: Sequence[Move]) -> None:
        for move in moves:
            begin, end = self._commands(move)
            begun = self._connection.decisive(*begin)
            is_over = is_refusal(begun) or not begun
            done = begun if is_over else self._connection.reply_to(*end)
            self._judge_rename(move, begun, done)

    def _commands(self, move: Move) -> tuple[Command, Command]:
        return ("RNFR", self._folders.at(move.path)), ("RNTO", self._folders.at(move.to))

    def _judge_rename(self, move: Move, begun: str, done: str) -> None:
        connection = self._connection
        try:
            with connection.talk(connection.limits.reply, rename_refused):
                _check_renamed(begun, done)
        except Unsupported as unsupported:
            move.error = self._refused(begun, done) or unsupported
        except TransferError as error:
            if not self.connected:
                raise
            move.error = error
        else:
            move.done = True

    def _refused(self, begun: str, done: str) -> TransferError | None:
        """What it means where the server is known to rename: something has changed there, or is
        wrong with this one file. None where that is not known."""
        connection = self._connection
        if not (connection.is_tested and self._capabilities.rename):
            return None
        if is_refusal(begun):
            return RenameRefused(words_of(begun, "RNFR", connection.password))
        return NameRefused(words_of(done, "RNTO", connection.password))


def _check_renamed(begun: str, done: str) -> None:
    told = begun if is_refusal(begun) else done
    if not begun or begun.startswith("5") or code_of(told) in UNKNOWN_COMMAND:
        raise Unsupported(told)  # the file is there: it is the renaming
    if not is_done(told):
        raise refusal(told)
