"""The control connection of FTP: ftplib's, on a socket that was checked, and bounded."""
# ruff: noqa: S321 - plain FTP is what the customer has chosen

import contextlib
import ftplib
import math
import re
import socket
import time

from transports.egress import Connection
from transports.errors import NameRefused

_MAX_REPLY = 64 * 1024
_LINE_BREAKS = re.compile(r"[\r\n\0]")


def code_of(error: ftplib.Error) -> str:
    """The reply code (RFC 959 section 4.2) of a refusal."""
    return str(error)[:3]


class Control(ftplib.FTP):
    """Commands and replies. Raises ftplib's errors; replies that are not UTF-8 are kept as bytes.

    `surrogateescape` cannot fail, and `words.spoken` finds the bytes again.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(encoding="utf-8")
        self.peer = connection.address
        self.awaits_reply = False
        """Whether a transfer was begun whose last reply is still to come."""
        self.sock: socket.socket = connection.socket
        self.sock.settimeout(None)  # the watchdog cuts it
        self.file = self.sock.makefile("r", encoding="utf-8", errors="surrogateescape")
        self.round_trip = math.inf
        """Seconds: the quickest reply to a command."""
        self._features: dict[str, str] = {}
        self._room = _MAX_REPLY
        self._begins = True

    def greet(self) -> None:
        """Wait for the server's greeting; 120 announces a delay."""
        while (welcome := self.getresp()).startswith("1"):
            pass
        self.welcome = welcome

    def prepare(self) -> None:
        """Binary transfers, and UTF-8 names where the server knows them (RFC 2640)."""
        self.voidcmd("TYPE I")
        with contextlib.suppress(ftplib.error_perm):
            lines = self.voidcmd("FEAT").splitlines()[1:-1]
            features = (line.split(maxsplit=1) for line in lines if line.strip())
            self._features = {name.upper(): "".join(rest) for name, *rest in features}
        if self.knows("UTF8"):
            with contextlib.suppress(ftplib.error_perm):
                self.voidcmd("OPTS UTF8 ON")

    def knows(self, feature: str) -> bool:
        """Whether the server lists the feature (RFC 2389)."""
        return feature in self._features

    def parameters(self, feature: str) -> list[str]:
        """What the server says behind the feature, as in `HASH SHA-256*;SHA-1`."""
        return [part.rstrip("*") for part in self._features.get(feature, "").split(";") if part]

    def command(self, verb: str, path: str) -> str:
        """Send a command about a path; its reply. Raises NameRefused for what cannot be sent."""
        if _LINE_BREAKS.search(path):
            raise NameRefused("A name with a line break cannot be sent over FTP")
        return self.sendcmd(f"{verb} {path}")

    def size_of(self, path: str) -> int:
        """The reply to SIZE."""
        reply = self.command("SIZE", path)
        if not (match := re.fullmatch(r"213[ ](\d{1,18})\s*", reply)):
            raise ftplib.error_proto(reply)
        return int(match[1])

    def sendcmd(self, cmd: str) -> str:
        """As ftplib's."""
        started = time.monotonic()
        try:
            return super().sendcmd(cmd)
        finally:
            self.round_trip = min(self.round_trip, time.monotonic() - started)

    def passive_port(self, verb: str) -> int:
        """The port that EPSV or PASV names; the address that PASV names is ignored."""
        reply = self.sendcmd(verb)
        if verb == "EPSV":
            return ftplib.parse229(reply, self.peer.sockaddr)[1]
        return ftplib.parse227(reply)[1]

    def begin_transfer(self, verb: str, path: str) -> None:
        """Have the server take or give data on the data connection."""
        reply = self.command(verb, path)
        if reply.startswith("2"):  # some say 200 before 150
            reply = self.getresp()
        if not reply.startswith("1"):
            raise ftplib.error_reply(reply)
        self.awaits_reply = True

    def end_transfer(self) -> None:
        """Wait for the reply that ends a transfer."""
        self.awaits_reply = False
        self.voidresp()

    def getresp(self) -> str:
        """As ftplib's. Raises ftplib.Error where the reply does not end."""
        self._room = _MAX_REPLY
        self._begins = True
        return super().getresp()

    def getline(self) -> str:
        """As ftplib's."""
        line = super().getline()
        if self._begins and not line[:3].isdigit():
            raise ftplib.error_proto(line)  # not FTP: `SSH-2.0` would pass for a reply's first line
        self._begins = False
        self._room -= len(line) + 1
        if self._room < 0:
            raise ftplib.Error("The server's reply does not end")
        return line
