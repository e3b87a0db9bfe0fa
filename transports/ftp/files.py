"""What an FTP server tells of its files: whether one is there, its size, its digest."""

import posixpath
import re
from functools import partial

from config.accounts import HashAlgorithm, Look
from transports.base import CannotTell, ServerFeatures, Unsupported
from transports.errors import (
    ConnectionLost,
    NameRefused,
    ProtocolFailed,
    Stalled,
    TransferError,
)
from transports.ftp.control import Command
from transports.ftp.errors import OF_THE_CONNECTION, Judge, read_refused
from transports.ftp.replies import (
    MISSING,
    UNKNOWN_COMMAND,
    code_of,
    is_done,
    told_digest,
    told_size,
)
from transports.ftp.session import FtpSession
from transports.ftp.wire import Wire
from transports.names import may_be

_PACKS = (
    {"pipelines": True, "queues": True},
    {"pipelines": True, "early": True},
    {"pipelines": True},
)
_MOST_LISTED = 8 * 1024 * 1024
_PIECE = 16 * 1024
_LONGEST_NAME = 4096
_PATTERN = re.compile(r"[*?\[\]{}~\\]|^-")
"""What NLST may take for a pattern or an option."""
_SEPARATOR = re.compile(r"[\s\"'`$&;|<>()!#]")
"""In a name: where NLST may take one name for two."""
_HIDDEN = "."
_HASH = "HASH"
_HASH_NAMES = {
    HashAlgorithm.SHA256: "SHA-256",
    HashAlgorithm.SHA1: "SHA-1",
    HashAlgorithm.MD5: "MD5",
    HashAlgorithm.CRC32: "CRC32",
}
"""As the command HASH has them (draft-bryan-ftpext-hash-02)."""
_HASH_COMMANDS = {
    HashAlgorithm.SHA256: ("XSHA256",),
    HashAlgorithm.SHA1: ("XSHA1", "XSHA"),
    HashAlgorithm.MD5: ("XMD5",),
    HashAlgorithm.CRC32: ("XCRC",),
}
"""What servers had before it, each a command of its own."""
DIGEST_COMMANDS = {_HASH, *(each for names in _HASH_COMMANDS.values() for each in names)}
_DIGITS = {
    HashAlgorithm.SHA256: 64,
    HashAlgorithm.SHA1: 40,
    HashAlgorithm.MD5: 32,
    HashAlgorithm.CRC32: 8,
}


class FtpFiles(FtpSession):
    """Looks at files and reads them; tells what the server says of itself."""

    @property
    def features(self) -> ServerFeatures:
        """What the server's answer to FEAT names, and what was found out since."""
        return ServerFeatures(
            hashes=tuple(each for each in HashAlgorithm if self._digest_command(each)),
            avoids=tuple(sorted(self._connection.avoids)),
            enters=self._folders.enters,
            tls=self._connection.encryption,
            packs=() if self._folders.enters else _PACKS,
        )

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken: what was stored, then what FEAT names."""
        stored = self._capabilities.look
        if stored is Look.NOTHING:
            return ()
        usual = [Look.MLST] if self._connection.control.knows("MLST") else []
        return tuple(dict.fromkeys([*([stored] if stored else []), *usual, Look.SIZE, Look.NLST]))

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken, as MLST, SIZE or a listing tells it. Raises CannotTell."""
        is_there = self._is_there(path, by or self.look or self._likely_look)
        if not is_there:
            self._note_free(path)
        return is_there

    def size(self, path: str) -> int | None:
        """The file's size in bytes (RFC 3659 section 4). Raises Unsupported."""
        if self._tells_size is False:
            raise Unsupported("The server does not tell sizes")
        reply = self._connection.decisive("SIZE", self._folders.at(path))
        size = told_size(reply)
        if size is not None:
            self._tells_size = True
            return size
        if code_of(reply) not in MISSING or (not self._tells_size and self._may_stand(path)):
            if not self._tells_size or code_of(reply) in UNKNOWN_COMMAND:
                self._tells_size = False
            raise Unsupported(reply)
        return None

    def digest(
        self, path: str, algorithm: HashAlgorithm, size: int, *, of_prefix: bool = False
    ) -> str:
        """The server's digest of the file, in hexadecimal digits. Raises Unsupported.

        Of a beginning it tells none: servers differ in how they are asked for that.
        """
        command = None if of_prefix else self._digest_command(algorithm)
        if command is None:
            raise Unsupported("The server tells no such digest")
        connection, name = self._connection, self._folders.at(path)
        try:
            with connection.talk(connection.limits.digest(size)):
                for verb, _ in self._choosing(command, algorithm):
                    connection.control.reply_to(verb)
                reply = connection.control.reply_to(command, name)
        except Stalled as silent:
            connection.do_without(command, silent)
            raise Unsupported(silent.words) from silent
        digest = self._told_digest(reply, path, algorithm)
        if digest is None:
            if code_of(reply) not in MISSING:
                connection.avoids.add(command)
            raise Unsupported(reply)
        return digest

    def read(self, path: str, most: int) -> bytes:
        """The file's first bytes, `most` at most. Raises NameRefused."""
        connection, content = self._connection, bytearray()
        named = partial(self._folders.at, path)
        data = connection.accept_data("RETR", named, read_refused)
        try:
            while len(content) < most and (
                piece := self._next_of(data, most - len(content), read_refused)
            ):
                content += piece
            if len(content) < most:  # else the server may still be sending
                connection.end_data(data)  # some wait for our end of TLS before they say a word
                with connection.talk(connection.limits.reply, read_refused):
                    connection.hear_end(data)
        finally:
            connection.abandon(data)
        return bytes(content)

    def _digest_command(self, algorithm: HashAlgorithm) -> str | None:
        """The command that tells such a digest; None without one."""
        control, avoids = self._connection.control, self._connection.avoids
        known = [each for each in _HASH_COMMANDS[algorithm] if control.knows(each)]
        if _HASH_NAMES[algorithm] in control.parameters(_HASH):
            known.insert(0, _HASH)
        return next((each for each in known if each not in avoids), None)

    def _choosing(self, command: str, algorithm: HashAlgorithm) -> list[Command]:
        """What has to be said before the command."""
        return [(f"OPTS HASH {_HASH_NAMES[algorithm]}", "")] if command == _HASH else []

    def _told_digest(self, reply: str, path: str, algorithm: HashAlgorithm) -> str | None:
        return told_digest(reply, _DIGITS[algorithm], path)

    def _is_there(self, path: str, look: Look) -> bool:
        match look:
            case Look.MLST | Look.SIZE:
                return is_there(self._connection.decisive(look.name, self._folders.at(path)))
            case Look.NLST:
                return self._is_listed(path)
            case _:
                raise CannotTell("The server does not tell whether a name is taken")

    def _may_stand(self, path: str) -> bool:
        """Asked by another means than SIZE, of which it is not known whether it tells anything."""
        for look in self.looks:
            if look is not Look.SIZE:
                try:
                    return self._is_there(path, look)
                except CannotTell:
                    continue
        return True

    def _is_listed(self, path: str) -> bool:
        """By a listing of the one name or, where that could be misread, of its folder."""
        folder, name = posixpath.split(path)
        of_folder = bool(_PATTERN.search(self._folders.at(path)) or _SEPARATOR.search(name))
        is_lost = bool(_PATTERN.search(folder)) and not self._folders.enters
        if of_folder and (is_lost or name.startswith(_HIDDEN)):
            raise CannotTell("The server may misread the name in a listing")
        if "NLST" in self._connection.avoids:
            raise CannotTell("The server cannot be asked for a listing")
        try:
            return self._lists(path, name, of_folder=of_folder)
        except (ConnectionLost, Stalled, ProtocolFailed) as error:
            self._connection.forgo("NLST", error)
            raise CannotTell(error.words) from error

    def _lists(self, path: str, wanted: str, *, of_folder: bool) -> bool:
        try:
            return self._is_in_listing(path, wanted, of_folder=of_folder)
        except _NotThere as refused:
            if of_folder:
                raise CannotTell(refused.words) from refused
            return False
        except _NoListing as refused:
            raise CannotTell(refused.words) from refused

    def _is_in_listing(self, path: str, wanted: str, *, of_folder: bool) -> bool:
        """Raises _NotThere and _NoListing, over TLS as early as the connection is to be made."""

        def named() -> str:
            name = self._folders.at(path)
            return name if not of_folder else posixpath.dirname(name)

        connection = self._connection
        data = connection.accept_data("NLST", named, _listing_refused)
        try:
            if self._finds(data, wanted, of_folder=of_folder):
                return True
            connection.end_data(data)
            with connection.talk(connection.limits.reply, _listing_refused):
                connection.hear_end(data)
            if data.is_cut:
                raise CannotTell("The server's listing was cut off")
        finally:
            connection.abandon(data)
        return False

    def _finds(self, data: Wire, wanted: str, *, of_folder: bool) -> bool:
        """Whether the listing has the name, as it comes.

        Raises CannotTell where it does not end, and where nothing is listed of a folder: a file
        was just written to it.
        """
        rest, left = b"", _MOST_LISTED
        while piece := self._next_of(data, _PIECE, _listing_refused):
            left -= len(piece)
            *lines, rest = (rest + piece).split(b"\n")
            if any(may_be(_last_part(line), wanted) for line in lines):
                return True
            if left < 0 or len(rest) > _LONGEST_NAME:
                raise CannotTell("The server's listing does not end")
        if of_folder and left == _MOST_LISTED:
            raise CannotTell("The server lists nothing of the folder")
        return may_be(_last_part(rest), wanted)

    def _next_of(self, data: Wire, most: int, judge: Judge) -> bytes:
        with self._connection.talk(self._connection.limits.stall, judge):
            try:
                return self._connection.receive(data, min(most, _PIECE))
            except OSError:  # some reset it where they refuse, and say why
                self._connection.hear_why(data)
                raise

    def _note_free(self, path: str) -> None:
        """The name was seen to be free: that holds until the server is asked anything else."""
        self._connection.control.note(_is_free(path))

    def _is_known_free(self, path: str) -> bool:
        return self._connection.control.holds(_is_free(path))

    def _look_at(self, path: str) -> Command | None:
        """The command that tells in a pack whether the name is taken; None without one."""
        verb = self._look_verb()
        return None if verb is None else (verb, self._folders.at(path))

    def _look_verb(self) -> str | None:
        """The command that tells whether a name is taken, where it was found to be true."""
        return {Look.MLST: "MLST", Look.SIZE: "SIZE"}.get(self.look) if self.look else None

    @property
    def _likely_look(self) -> Look:
        """SIZE alone, which many refuse, has to have worked once."""
        works = self._tells_size
        likely = (look for look in self.looks if look is not Look.SIZE or works)
        return next(likely, Look.NOTHING)

    def _may_be_there(self, path: str) -> bool:
        try:
            return self.exists(path)
        except CannotTell:
            return True


def is_there(reply: str) -> bool:
    """What the reply to MLST or SIZE says. Raises CannotTell."""
    if is_done(reply):
        return True
    if code_of(reply) in MISSING:
        return False
    raise CannotTell(reply)


def _is_free(path: str) -> str:
    return f"{path} is free"


class _NotThere(NameRefused):
    """A listing was refused as that of a missing file is."""


class _NoListing(NameRefused):
    """It was refused in another way."""


def _listing_refused(reply: str) -> type[TransferError] | None:
    code = code_of(reply)
    if code in MISSING:
        return _NotThere
    return None if code in OF_THE_CONNECTION else _NoListing


def _last_part(line: bytes) -> bytes:
    return re.split(rb"[/\\]", line.rstrip(b"\r"))[-1]
