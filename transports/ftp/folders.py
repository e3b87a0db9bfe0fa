"""Folders of an FTP server: made, entered, and how a file in one is named in a command."""

import posixpath
from pathlib import PurePosixPath

from transports.errors import PathRefused
from transports.ftp.connection import FtpConnection
from transports.ftp.errors import words_of
from transports.ftp.replies import is_done, told_folder
from transports.names import with_parents
from transports.words import own

HOME = "~"
_NOT_ENTERED = own("The folder cannot be entered")


class Folders:
    """`known`: those that are there, shared by the sessions of one login."""

    def __init__(self, connection: FtpConnection, known: set[str], *, enters: bool) -> None:
        """`enters`: whether a file is named in the folder that was entered, without a path."""
        self.enters = enters
        self._connection = connection
        self._known = known
        self._home: str | None = None
        self._inside = ""
        """The folder that was entered; empty in the login folder."""
        self._login = 0

    def at(self, path: str) -> str:
        """The path as a command has it. Raises PathRefused."""
        path = self._from_login(path)
        if not self.enters:
            return path
        folder, name = posixpath.split(path)
        if not self._is_in(folder) and not self._go(folder):
            raise PathRefused(_NOT_ENTERED)
        return name

    def make(self, path: str) -> None:
        """Make sure of the folder. Raises PathRefused."""
        if path in self._known:
            return
        self._find_home(path)
        folder = self._from_login(path)
        if not self._is_there_or_made(path, folder):
            refused = self._make_all(folder)
            is_made = self._is_there(folder) or self._make_one_by_one(folder)
            # Gateways of buckets make folders that are not there before a file is: they are taken
            # at their word, and the upload finds out.
            if not is_made and refused is not None:
                raise PathRefused(words_of(refused, "MKD", self._connection.password))
        self._known.add(path)

    def forget(self, path: str) -> None:
        """A file was refused there: maybe somebody has removed the folder meanwhile."""
        self._known.difference_update(with_parents(posixpath.dirname(path)))

    def remove(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""
        reply = self._connection.convenience("RMD", self.at(path))
        if not is_done(reply):
            raise PathRefused(words_of(reply, "RMD", self._connection.password))
        self._known.discard(path)

    def leave(self) -> None:
        """Go back to the login folder, and name files by their paths."""
        self.enters = False
        self._go_home()

    def _find_home(self, path: str) -> None:
        """Whether the server takes `~` for the home: many do not, and would make a folder of it."""
        connection = self._connection
        is_wanted = path == HOME or path.startswith(f"{HOME}/")
        if is_wanted and not connection.is_tested and not self._is_there(HOME):
            connection.avoids.add(HOME)

    def _from_login(self, path: str) -> str:
        """The path; without a `~` that the server does not take for the home."""
        if HOME not in self._connection.avoids:
            return path
        if path == HOME or path.startswith(f"{HOME}/"):
            return path[2:].lstrip("/") or "."
        return path

    def _is_there(self, path: str) -> bool:
        """Whether the folder can be entered; back in the login folder afterwards."""
        is_there = self._go(path)
        if not self.enters:
            self._go_home()
        return is_there

    def _is_there_or_made(self, path: str, folder: str) -> bool:
        """Whether the folder is there; where the one above it is known to be, it may be made now:
        it takes one command to find out, and one more to make it."""
        if self.enters or posixpath.dirname(path) not in self._known - {""}:
            return self._is_there(folder)
        self._go_home()
        if self._enter(folder):
            self._go_home()
            return True
        return is_done(self._connection.convenience("MKD", folder))

    def _make_all(self, path: str) -> str | None:
        """Why the last of the folders was refused, None where it was made."""
        refused: str | None = _NOT_ENTERED
        for folder in with_parents(path):
            reply = self._connection.convenience("MKD", folder)
            refused = None if is_done(reply) else reply
        return refused

    def _make_one_by_one(self, path: str) -> bool:
        """The same for servers that take no path in a command: each in the one above it."""
        self._go_home()
        for name in PurePosixPath(path).parts:
            if not self._enter(name):
                self._connection.convenience("MKD", name)
                if not self._enter(name):
                    break
        else:
            self._inside = path
            if not self.enters:
                self._go_home()
            return True
        self._go_home()
        return False

    def _is_in(self, folder: str) -> bool:
        return self._login == self._connection.logins and folder == self._inside

    def _go(self, folder: str) -> bool:
        """Enter it from the login folder, at once or one by one."""
        self._go_home()
        if folder in {"", "."}:
            return True
        is_in = self._enter(folder)
        if not is_in and len(names := PurePosixPath(folder).parts) > 1:
            is_in = all(self._enter(name) for name in names)
        self._inside = folder if is_in else self._inside
        return is_in

    def _enter(self, folder: str) -> bool:
        if self._home is None:
            self._home = told_folder(self._connection.convenience("PWD")) or ""
        self._login = self._connection.logins
        is_in = is_done(self._connection.convenience("CWD", folder))
        if is_in:
            self._inside = folder
        return is_in

    def _go_home(self) -> None:
        """Back to the login folder; by a new login where the server does not tell which it is."""
        if self._login == self._connection.logins and self._inside:
            home = self._home
            if not home or not is_done(self._connection.reply_to("CWD", home)):
                self._home = ""
                self._connection.reopen()
        self._inside = ""
