"""The control connection of FTP: commands and replies (RFC 959 section 4.2), each bounded."""

import math
import time
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType

from config.naming_settings import NameEncoding
from transports.errors import NameRefused
from transports.ftp.errors import NEEDS_ACCOUNT, SESSION_IS_OVER, Garbled, Stranger, refusal
from transports.ftp.replies import code_of, is_done, is_refusal, is_sendable, told_features
from transports.ftp.wire import Wire, wait_for
from transports.network.dialing import Connection
from transports.network.round_trip import RoundTrip
from transports.tap import Conversation
from transports.words import own

_MAX_LINE = 8192
_MAX_REPLY = 64 * 1024
_PIECE = 4096
_SOON = 0.5
"""Seconds within which a reply goes on, where its form leaves open whether it does."""
_MAX_ANNOUNCEMENTS = 10
"""Replies that say that another one is to come."""
_FRESH = 5.0
"""Seconds for which what was found out is true, though the server was asked nothing since."""
_MORE_IN_CLEAR = "The server said more in clear behind its answer to AUTH"
_TRANSFER_IS_OVER = "226"
_REPEAT_SECONDS = 2.0
"""How long the reply to the command behind a transfer may take, where 226 was said before it."""
MOST_AHEAD = 4096
"""Bytes of commands whose replies were not read yet; one command alone may be longer.

Where both sides only write, both wait for ever once all buffers are full: so little fits into any
send buffer, and a server that reads slowly never has us wait before we read again. It is also what
the test on save has tried that the server's own buffer takes (`FtpServer.delivers_in_packs`).
"""


Command = tuple[str, str]
"""A verb, and a path or nothing."""
_SECRET = {"PASS", "ACCT"}
"""What follows these is for nobody's eyes."""
_PROTECT: tuple[Command, ...] = (("PBSZ", "0"), ("PROT", "P"))
UNSENDABLE = "A name with a line break cannot be sent over FTP"


def line_of(command: Command, encoding: str = "utf-8") -> bytes:
    """As it is sent. Raises NameRefused where it cannot be."""
    verb, path = command
    if not is_sendable(path):
        raise NameRefused(UNSENDABLE)
    line = f"{verb} {path}\r\n" if path else f"{verb}\r\n"
    return line.encode(encoding, "replace")


class Control:
    """Raises Refused, Garbled, Stranger, OSError, EOFError.

    Replies that are not UTF-8 are kept as bytes: `surrogateescape` cannot fail, and `words.spoken`
    finds the bytes again.
    """

    def __init__(
        self,
        connection: Connection,
        line: RoundTrip,
        names: NameEncoding = NameEncoding.UTF_8,
        said: Conversation | None = None,
    ) -> None:
        """`line` hears how soon the server answers, `said` what; `names`: how paths are sent."""
        self._names = names
        self._said = said
        self.peer = connection.address
        self.awaits_reply = False
        """Whether a transfer was begun whose last reply is still to come."""
        self.awaits_begin = False
        """Whether a transfer was asked for whose first reply is still to come."""
        self.may_have_begun = False
        """Whether the server may have begun the last transfer: it was asked, and did not refuse."""
        self.has_begun = False
        """Whether it has said of the last transfer that it begins it."""
        self.greeting = ""
        """As it came: whoever shows it has to mask the password."""
        self.spoke_at = time.monotonic()
        """When a command was last sent."""
        self._round_trip = line
        self._is_logged_in = False
        self.wire = Wire(connection.socket)
        self._received = b""
        self._unsent = deque[bytes]()
        """Commands that were asked for and have to wait for replies to earlier ones."""
        self._ahead = deque[int]()
        """The lengths of those that were sent and not answered."""
        self._room = _MAX_REPLY
        self._asked_at = -math.inf
        self._is_behind_transfer = False
        self._protection = ""
        """The reply to PROT."""
        self._standing: dict[str, float] = {}
        self._features: Mapping[str, str] = MappingProxyType({})

    def close(self) -> None:
        """Close the connection."""
        self.wire.close()

    def greet(self) -> None:
        """Wait for the server's greeting; 120 announces a delay."""
        self._room = _MAX_REPLY
        for _ in range(_MAX_ANNOUNCEMENTS):
            first = self._line()
            if not code_of(first):
                raise Stranger(first)  # `SSH-2.0` would pass for a reply's first line
            reply = self.greeting = self._whole(first)
            if not reply.startswith("1"):
                break
        if not is_done(reply):
            raise refusal(reply)

    def ask_for_tls(self) -> None:
        """Have the server begin TLS (RFC 4217 section 4). What follows is not in clear.

        Whatever was said behind the server's answer is nobody's: taken for an answer later, it
        would let somebody in between speak for the server (CVE-2011-0411).
        """
        reply = self.reply_to("AUTH", "TLS")
        if is_refusal(reply) or self._received:
            raise refusal(reply) if is_refusal(reply) else Garbled(own(_MORE_IN_CLEAR))

    def shake_hands(self, data: Wire, *, may_be_over: bool = False) -> bool:
        """The TLS handshake of a data connection, unless a refusal comes first, which is raised.

        False where the transfer is over without it: some say of nothing that it was sent.
        """
        while not data.try_handshake():
            self.hear_if_begun(may_be_over=may_be_over)
            if self.awaits_reply and self._has_spoken():
                self.end_transfer()
            if not (self.awaits_begin or self.awaits_reply):
                data.is_over = True
                return False
            wait_for(data, self.wire)
        return True

    def protect(self) -> None:
        """Have data connections be encrypted. Raises Refused, Garbled.

        That PBSZ is not known is no harm: TLS has no buffer whose size it could tell.
        """
        if not self._protection:
            self.ask(*_PROTECT)
            _, self._protection = self.answers(len(_PROTECT))
        if not is_done(self._protection):
            raise refusal(self._protection)

    def log_in(self, username: str, password: str) -> None:
        """Raises Refused where the server wants more, or others."""
        reply = self.reply_to("USER", username)
        if reply.startswith("3") and code_of(reply) not in NEEDS_ACCOUNT:
            reply = self.reply_to("PASS", password)
        if not is_done(reply):
            raise refusal(reply)
        self._is_logged_in = True

    def log_in_at_once(self, username: str, password: str, passive: str | None) -> str:
        """USER to FEAT in one flight; the reply to the passive command behind them, if any."""
        protect = _PROTECT if self.wire.tls is not None else ()
        logon_pair = (("USER", username), ("PASS", password))
        ahead = ((passive, ""),) if passive else ()
        self.ask(*logon_pair, *protect, ("TYPE I", ""), ("FEAT", ""), *ahead)
        user, logon = self.answers(2)
        if protect:
            _, self._protection = self.answers(len(protect))
        _binary, features, *data = self.answers(2 + len(ahead))
        logon = user if user[0] in "245" else logon
        if not is_done(logon):
            raise refusal(logon)
        self._is_logged_in = True
        self.learn(features)
        if self.knows("UTF8"):
            self.reply_to("OPTS UTF8 ON" if self._names is NameEncoding.UTF_8 else "OPTS UTF8 OFF")
        return "".join(data)

    def learn(self, features: str) -> None:
        """What the server can do, from its reply to FEAT."""
        self._features = told_features(features)

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

    def command(self, verb: str, path: str = "") -> str:
        """Send a command about a path; its reply. Raises NameRefused for what cannot be sent."""
        reply = self.reply_to(verb, path)
        if is_refusal(reply):
            raise refusal(reply)
        return reply

    def reply_to(self, verb: str, path: str = "") -> str:
        """The reply, be it a refusal. Raises Refused where the session is over."""
        self.ask((verb, path))
        return self._answer()

    def ask(self, *commands: Command) -> None:
        """Ask for commands, each a verb and a path or nothing: sent together, as far as they fit.

        The rest goes out as the replies are read.
        """
        # A password is sent as it always was: the choice is about names.
        encoding = self._names if self._is_logged_in else NameEncoding.UTF_8
        lines = [line_of(command, encoding) for command in commands]
        if self._said is not None and self._said.is_heard:
            for verb, path in commands:
                self._said.asked(f"{verb} {'***' if verb in _SECRET else path}".rstrip())
        self._asking()
        self._unsent += lines
        self._send_ahead()

    def answers(self, count: int) -> list[str]:
        """The replies to so many commands, be they refusals."""
        return [self._answer() for _ in range(count)]

    def _send_ahead(self) -> None:
        """Send as many of the next commands as may be on their way unanswered."""
        pack = list[bytes]()
        while self._unsent:
            if self._ahead and sum(self._ahead) + len(self._unsent[0]) > MOST_AHEAD:
                break
            pack.append(self._unsent.popleft())
            self._ahead.append(len(pack[-1]))
        if pack:
            self.spoke_at = time.monotonic()
            try:
                self.wire.send(b"".join(pack))
            except OSError:
                self._hear_uncalled()  # who hangs up may have said why: by 421, or TLS by an alert
                raise

    def _answer(self) -> str:
        reply = self._reply()
        if self._ahead:
            self._ahead.popleft()
            self._send_ahead()
        if code_of(reply) == _TRANSFER_IS_OVER and self._is_said_twice():
            reply = self._reply()
        self._is_behind_transfer = False
        if code_of(reply) == SESSION_IS_OVER:
            raise refusal(reply)
        return reply

    def _is_said_twice(self) -> bool:
        """Whether the end of a transfer was told again; some answer other commands so."""
        return self._is_behind_transfer and self.speaks_within(_REPEAT_SECONDS)

    def ask_transfer(self, verb: str, path: str, *behind: Command) -> None:
        """Have the server take or give data on the data connection, as soon as it comes to it.

        `behind`: commands that it is to answer after the end of the transfer.
        """
        self.may_have_begun, self.has_begun = True, False
        self.ask((verb, path), *behind)
        self._ahead.popleft()  # its replies are heard by `hear_begin` and `end_transfer`
        self._send_ahead()
        self.awaits_begin = True

    def hear_begin(self, *, may_be_over: bool = False) -> None:
        """Wait for the reply that begins a transfer; with `may_be_over` also for one that ends it:
        it is all that some say."""
        self.awaits_begin = False
        reply = self._reply()
        if code_of(reply) == "200" and self.speaks_within(_SOON):  # some say it before 150
            reply = self._reply()
        is_over = may_be_over and is_done(reply)
        self.awaits_reply = not is_over and reply.startswith(("1", "2"))  # some say 200 or 250
        if not (self.awaits_reply or is_over):
            self.may_have_begun = not reply.startswith("5")
            raise refusal(reply)
        self.has_begun = True
        self._is_behind_transfer = is_over

    def end_transfer(self) -> None:
        """Wait for the reply that ends a transfer; the one that begins it may be missing."""
        if not (self.awaits_begin or self.awaits_reply):
            return
        self.awaits_begin = self.awaits_reply = False
        self._is_behind_transfer = True
        for _ in range(_MAX_ANNOUNCEMENTS):
            reply = self._reply()
            if not self._is_early(reply, has_begun=self.has_begun):
                break
            self.has_begun = True
        if not is_done(reply):
            raise refusal(reply)

    def _is_early(self, reply: str, *, has_begun: bool) -> bool:
        if code_of(reply) == "200" and not has_begun:  # some say it before 150
            return self.speaks_within(_SOON)
        return reply.startswith("1")

    def speaks_within(self, seconds: float) -> bool:
        """Whether a reply comes so soon."""
        deadline = time.monotonic() + seconds
        while not self._has_spoken():
            if not wait_for(self.wire, until=deadline):
                return False
        return True

    def hear_if_begun(self, *, may_be_over: bool) -> None:
        """Hear the reply that begins a transfer, if it has come. A refusal is raised."""
        while self.awaits_begin and self._has_spoken():
            self.hear_begin(may_be_over=may_be_over)

    def wait_for_data(self, data: Wire) -> None:
        """Wait until the data connection may go on or, before a transfer began, a reply comes."""
        wait_for(data, *([self.wire] if self.awaits_begin else []))

    def _has_spoken(self) -> bool:
        """Whether something was said that was not heard yet, be it that all is over."""
        if self._received:
            return True
        piece = self.wire.try_receive(_PIECE)
        self._received += piece or b""
        return piece is not None

    def _asking(self) -> None:
        """The next reply is to what is asked now, unless one to a transfer comes first."""
        self._standing.clear()
        if self.awaits_begin or self.awaits_reply:
            self._asked_at = -math.inf
            return
        self._hear_uncalled()
        self._asked_at = time.monotonic()

    def _hear_uncalled(self) -> None:
        """What was said without a question: that the session is over, or nothing of use."""
        self._received += self.wire.try_receive(_PIECE) or b""
        said = self._received.decode("utf-8", "surrogateescape").splitlines()
        self._received = b""
        for line in said:
            if code_of(line) == SESSION_IS_OVER:
                raise refusal(line)

    def _reply(self) -> str:
        """The next reply. Raises EOFError, and Garbled where it does not end."""
        self._room = _MAX_REPLY
        first = self._line()
        while not code_of(first):  # what comes between two replies is nobody's answer
            first = self._line()
        reply = self._whole(first)
        if self._is_logged_in and self._asked_at > -math.inf:  # a login takes more than its way
            self._round_trip.took(time.monotonic() - self._asked_at)
        self._asked_at = -math.inf
        return reply

    def _whole(self, first: str) -> str:
        """The reply that begins with the line, to the line that ends it."""
        lines = [first]
        if first[3:4] == "-":
            lines.append(self._line())
            while not self._is_last(lines[-1], code_of(first)):
                lines.append(self._line())
        reply = "\n".join(lines)
        if self._said is not None and self._said.is_heard:
            self._said.answered(reply)
        return reply

    def _is_last(self, line: str, code: str) -> bool:
        if code_of(line) == code:
            return line[3:4] != "-"
        # Another code ends it on servers that count badly; mostly it is text.
        return bool(code_of(line)) and line[3:4] == " " and not self.speaks_within(_SOON)

    def _line(self) -> str:
        while b"\n" not in self._received:
            if len(self._received) > _MAX_LINE:
                raise Garbled(own("The server's reply does not end"))
            piece = self.wire.receive(_PIECE)
            if not piece:
                raise EOFError
            self._received += piece
        line, _, self._received = self._received.partition(b"\n")
        self._room -= len(line) + 1
        if self._room < 0:
            raise Garbled(own("The server's reply does not end"))
        return line.rstrip(b"\r").decode("utf-8", "surrogateescape")
