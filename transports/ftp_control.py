"""The control connection of FTP: ftplib's, on a socket that was checked, and bounded."""
# ruff: noqa: S321 - plain FTP is what the customer has chosen

import contextlib
import ftplib
import math
import re
import select
import socket
import time

from transports.egress import Connection
from transports.errors import NameRefused
from transports.words import own

_MAX_REPLY = 64 * 1024
_FRESH = 5.0
"""Seconds for which what was found out is true, though the server was asked nothing since."""
_LINE_BREAKS = re.compile(r"[\r\n\0]")


def code_of(error: ftplib.Error) -> str:
    """The reply code (RFC 959 section 4.2) of a refusal."""
    return str(error)[:3]


def told_size(reply: str) -> int | None:
    """The size in the reply to SIZE (RFC 3659 section 4.1)."""
    match = re.fullmatch(r"213[ ](\d{1,18})\s*", reply)
    return int(match[1]) if match else None


def is_sendable(path: str) -> bool:
    """Whether it can be part of a command."""
    return not _LINE_BREAKS.search(path)


def _line(verb: str, path: str) -> str:
    if not is_sendable(path):
        raise NameRefused("A name with a line break cannot be sent over FTP")
    return f"{verb} {path}"


def _refusal(reply: str) -> ftplib.Error:
    kinds = {"4": ftplib.error_temp, "5": ftplib.error_perm}
    return kinds.get(reply[:1], ftplib.error_reply)(reply)


class Control(ftplib.FTP):
    """Commands and replies. Raises ftplib's errors; replies that are not UTF-8 are kept as bytes.

    `surrogateescape` cannot fail, and `words.spoken` finds the bytes again.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(encoding="utf-8")
        self.peer = connection.address
        self.awaits_reply = False
        """Whether a transfer was begun whose last reply is still to come."""
        self.awaits_begin = False
        """Whether a transfer was asked for whose first reply is still to come."""
        self._standing: dict[str, float] = {}
        self.sock: socket.socket = connection.socket
        self.sock.settimeout(None)  # the watchdog cuts it
        self.file = self.sock.makefile("r", encoding="utf-8", errors="surrogateescape")
        self.round_trip = math.inf
        """Seconds: the quickest reply to a command."""
        self._asked_at = -math.inf
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
            self._learn(self.voidcmd("FEAT"))
        self._take_names()

    def _take_names(self) -> None:
        if self.knows("UTF8"):
            with contextlib.suppress(ftplib.error_perm):
                self.voidcmd("OPTS UTF8 ON")

    def log_in_at_once(self, username: str, password: str, passive: str) -> str:
        """`login` and `prepare` in one flight; the reply to the passive command behind them."""
        self.ask(
            ("USER", username), ("PASS", password), ("TYPE I", ""), ("FEAT", ""), (passive, "")
        )
        user, logon, binary, features, data = self.answers(5)
        logon = user if user[0] in "245" else logon
        for reply in (logon, binary):
            if not reply.startswith("2"):
                raise _refusal(reply)
        self._learn(features)
        self._take_names()
        return data

    def note(self, fact: str) -> None:
        """Keep what was found out with the last commands: it holds until the next one."""
        self._standing[fact] = time.monotonic()

    def holds(self, fact: str) -> bool:
        """Whether that was found out just now, and nothing was asked since."""
        return time.monotonic() - self._standing.get(fact, -math.inf) < _FRESH

    def knows(self, feature: str) -> bool:
        """Whether the server lists the feature (RFC 2389)."""
        return feature in self._features

    def parameters(self, feature: str) -> list[str]:
        """What the server says behind the feature, as in `HASH SHA-256*;SHA-1`."""
        return [part.rstrip("*") for part in self._features.get(feature, "").split(";") if part]

    def command(self, verb: str, path: str) -> str:
        """Send a command about a path; its reply. Raises NameRefused for what cannot be sent."""
        return self.sendcmd(_line(verb, path))

    def ask(self, *commands: tuple[str, str]) -> None:
        """Send commands, each a verb and a path or nothing, in one flight."""
        self._asking()
        lines = [_line(verb, path) if path else verb for verb, path in commands]
        self.sock.sendall("".join(f"{line}\r\n" for line in lines).encode(self.encoding))

    def answers(self, count: int) -> list[str]:
        """The replies to so many commands, be they refusals."""
        return [self._answer() for _ in range(count)]

    def _learn(self, features: str) -> None:
        """From the reply to FEAT; a refusal is one line and names none."""
        lines = (line.split(maxsplit=1) for line in features.splitlines()[1:-1] if line.strip())
        self._features = {name.upper(): "".join(rest) for name, *rest in lines}

    def _answer(self) -> str:
        try:
            return self.getresp()
        except (ftplib.error_temp, ftplib.error_perm) as refusal:
            if code_of(refusal) == "421":
                raise
            return str(refusal)

    def size_of(self, path: str) -> int:
        """The reply to SIZE."""
        reply = self.command("SIZE", path)
        if (size := told_size(reply)) is None:
            raise ftplib.error_proto(reply)
        return size

    def sendcmd(self, cmd: str) -> str:
        """As ftplib's."""
        self._asking()
        return super().sendcmd(cmd)

    def passive_port(self, verb: str) -> int:
        """The port that EPSV or PASV names; the address that PASV names is ignored."""
        return self.told_port(verb, self.sendcmd(verb))

    def told_port(self, verb: str, reply: str) -> int:
        """The port that the reply names."""
        if verb == "EPSV":
            return ftplib.parse229(reply, self.peer.sockaddr)[1]
        return ftplib.parse227(reply)[1]

    def ask_transfer(self, verb: str, path: str) -> None:
        """Have the server take or give data on the data connection, as soon as it comes to it."""
        self.ask((verb, path))
        self.awaits_begin = True

    def hear_begin(self) -> None:
        """Wait for the reply that begins a transfer."""
        self.awaits_begin = False
        reply = self.getresp()
        if reply.startswith("2"):  # some say 200 before 150
            reply = self.getresp()
        if not reply.startswith("1"):
            raise ftplib.error_reply(reply)
        self.awaits_reply = True

    def end_transfer(self) -> None:
        """Wait for the reply that ends a transfer."""
        if self.awaits_begin:
            self.hear_begin()
        self.awaits_reply = False
        self.voidresp()

    def speaks_within(self, seconds: float) -> bool:
        """Whether a reply comes so soon."""
        waiting = select.poll()
        waiting.register(self.sock, select.POLLIN)
        return bool(waiting.poll(seconds * 1000))

    def wait_for_room(self, data: socket.socket) -> None:
        """Wait until the data connection takes more. A refusal that comes first is raised."""
        while self.awaits_begin:
            waiting = select.poll()
            waiting.register(self.sock, select.POLLIN)
            waiting.register(data, select.POLLOUT)
            if self.sock.fileno() not in {ready for ready, _ in waiting.poll()}:
                return
            self.hear_begin()

    def getresp(self) -> str:
        """As ftplib's. Raises ftplib.Error where the reply does not end."""
        self._room = _MAX_REPLY
        self._begins = True
        try:
            return super().getresp()
        finally:
            self.round_trip = min(self.round_trip, time.monotonic() - self._asked_at)
            self._asked_at = -math.inf

    def _asking(self) -> None:
        """The next reply is to what is asked now, unless one to a transfer comes first."""
        self._standing.clear()
        others_first = self.awaits_begin or self.awaits_reply
        self._asked_at = -math.inf if others_first else time.monotonic()

    def getline(self) -> str:
        """As ftplib's."""
        line = super().getline()
        if self._begins and not line[:3].isdigit():
            raise ftplib.error_proto(line)  # not FTP: `SSH-2.0` would pass for a reply's first line
        self._begins = False
        self._room -= len(line) + 1
        if self._room < 0:
            raise ftplib.Error(own("The server's reply does not end"))
        return line
