"""SFTP requests and answers of one session, on an SSH channel of its own (version 3).

paramiko drops the answer to a pipelined request when it comes late. Here every answer reaches
whoever asked for it.
"""

import contextlib
import struct
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from paramiko import Channel, SFTPClient
from paramiko.message import Message
from paramiko.sftp import CMD_INIT, CMD_VERSION, CMD_WRITE, SFTPError
from paramiko.ssh_exception import SSHException

from config.text import MAX_WORDS
from transports.base import USUAL_REQUEST
from transports.network.round_trip import Asked, RoundTrip
from transports.sftp.answers import MAX_PACKET, Malformed, Packet, extensions_of
from transports.sftp.told import answer_told, is_told, request_told
from transports.ssh.packets import Buffer, send_data
from transports.tap import Conversation
from transports.words import own

_VERSION = 3
_LENGTH = 4
"""Bytes before a packet that tell its length."""
_PIECE = 16 * 1024
_WRITE = struct.Struct(">IBII")
"""Before the handle: the lengths of packet and handle, and the request's number between."""
_PLACE = struct.Struct(">QI")
"""Between handle and data: the offset, and the data's length."""
_SOON = 1.0
"""Seconds that words are waited for which are no answer."""

Moved = Callable[[], None]
"""Hears of every piece that was sent."""


class Answered(Protocol):
    """Whoever has asked for something, until the answer has come."""

    def take(self, kind: int, body: bytes) -> None:
        """The answer. Must not raise."""


class Request(NamedTuple):
    """What is asked of the server, and who gets the answer."""

    answered: Answered
    kind: int
    args: tuple[Any, ...]


class Printed(Exception):
    """The server printed this where SFTP should begin. Never leaves this package."""

    def __init__(self, text: bytes) -> None:
        super().__init__(text)
        self.text = text


class SftpChannel(SFTPClient):
    """For one thread at a time; `close` may be called from another one."""

    if TYPE_CHECKING:  # what is used of paramiko beyond its stubs
        request_number: int
        _expecting: dict[int, Answered]

        def _async_request(self, waiting: Answered, kind: int, *args: Any) -> int: ...

    def __init__(
        self,
        channel: Channel,
        moved: Moved,
        line: RoundTrip,
        said: Conversation | None = None,
    ) -> None:
        """Greet the server.

        `moved` hears of everything that was sent, and of every answer that is waited for; `line` of
        every request and every answer; `said` of what they say, while somebody listens.
        """
        self._said = said
        self._told: set[int] = set()
        """Requests that were told and are not answered."""
        self.extensions: frozenset[bytes] = frozenset()
        """Which the server has named in its greeting."""
        self._moved = moved
        self._line = line
        self._asked: dict[int, Asked] = {}
        self._gathered: list[Buffer] = []
        """Requests that are about to be sent."""
        self._gathered_size = 0
        self._heard = b""
        super().__init__(channel)

    @property
    def is_closed(self) -> bool:
        """Whether either side has closed the channel."""
        return bool(self.sock.closed)

    def close(self) -> None:
        """Close the channel; what was asked over it will not be answered any more."""
        self._line.forget(len(self._asked))
        self._asked.clear()
        self._told.clear()
        super().close()

    def ask_all(self, requests: Iterable[Request]) -> None:
        """Send the requests, whole; as many in one packet as fit."""
        try:
            for request in requests:
                self._gather(request)
            self._send_gathered()
        finally:
            self._gathered.clear()
            self._gathered_size = 0

    def wait(self, is_answered: Callable[[], bool]) -> None:
        """Read answers until that is so."""
        while not is_answered():
            self._read_answer()

    def _gather(self, request: Request) -> None:
        size = sum(len(each) for each in request.args if isinstance(each, bytes))
        self._asked[self.request_number] = self._line.ask(size)
        if self._said is not None and self._said.is_heard:
            self._tell(self._said, request)
        if request.kind == CMD_WRITE:
            self._gather_write(request.answered, *request.args)
        else:
            self._async_request(request.answered, request.kind, *request.args)

    def _tell(self, said: Conversation, request: Request) -> None:
        if is_told(request.kind, request.args):
            self._told.add(self.request_number)
            said.asked(request_told(request.kind, request.args))

    def _gather_write(self, answered: Answered, handle: bytes, offset: int, data: bytes) -> None:
        """As any other request, but its data is not copied."""
        number = self.request_number
        self.request_number += 1
        self._expecting[number] = answered
        told = _WRITE.size - _LENGTH + len(handle) + _PLACE.size + len(data)
        head = _WRITE.pack(told, CMD_WRITE, number, len(handle))
        self._keep(head, handle, _PLACE.pack(offset, len(data)), data)

    def _read_answer(self) -> None:
        try:
            kind, data = self._read_packet()
        except EOFError as error:
            raise SSHException(own("The server ended the SFTP session")) from error
        packet = Packet(data)
        number = packet.number()
        waiting = self._expecting.pop(number, None)
        asked = self._asked.pop(number, None)
        if asked is not None:
            self._line.answer(asked)
        if self._said is not None and number in self._told:
            self._told.discard(number)
            self._said.answered(answer_told(kind, packet.rest))
        if waiting is not None:  # what nobody waits for any more is no harm, and no progress
            waiting.take(kind, packet.rest)
            self._moved()

    def _send_version(self) -> int:
        hello = Message()
        hello.add_int(_VERSION)
        self._send_packet(CMD_INIT, hello)
        self._send_gathered()
        kind, data = self._read_packet_of(self._length_of_greeting())
        if kind != CMD_VERSION:
            raise SFTPError(own("It does not speak SFTP"))
        version = Packet(data).number()
        with contextlib.suppress(Malformed):  # whoever cannot name them has none
            self.extensions = frozenset(extensions_of(data))
        return version

    def _read_packet(self) -> tuple[int, bytes]:
        return self._read_packet_of(int.from_bytes(self._read_all(_LENGTH)))

    def _read_packet_of(self, length: int) -> tuple[int, bytes]:
        if not 0 < length <= MAX_PACKET:
            raise SFTPError(own("The server sent an answer of no allowed length"))
        data = self._read_all(length)
        return data[0], data[1:]

    def _read_all(self, count: int) -> bytes:
        while len(self._heard) < count:
            piece = self.sock.recv(_PIECE)
            if not piece:
                raise EOFError
            self._heard += piece
        taken, self._heard = self._heard[:count], self._heard[count:]
        return taken

    def _length_of_greeting(self) -> int:
        """Raises Printed where the server begins with words instead."""
        heard = b""
        while len(heard) < _LENGTH:
            piece = self.sock.recv(_LENGTH - len(heard))
            if not piece:
                break
            heard += piece
        length = int.from_bytes(heard)
        if len(heard) == _LENGTH and length <= MAX_PACKET:
            return length
        if not heard.strip():
            raise EOFError
        raise Printed(heard + self._heard_soon())

    def _heard_soon(self) -> bytes:
        """What else the server says at once; no more than can be shown."""
        heard = b""
        self.sock.settimeout(_SOON)
        with contextlib.suppress(TimeoutError):
            while len(heard) < MAX_WORDS and (piece := self.sock.recv(MAX_WORDS)):
                heard += piece
        self.sock.settimeout(None)
        return heard

    def _send_packet(self, kind: int, message: Message) -> None:
        """Keep it until it is sent with others: whole requests, as many as fit in one packet.

        ProFTPD's mod_sftp loses track where a request is in two (see `base.USUAL_REQUEST`).
        """
        body = message.asbytes()
        self._keep(struct.pack(">IB", len(body) + 1, kind), body)

    def _keep(self, *pieces: Buffer) -> None:
        size = sum(len(piece) for piece in pieces)
        most = min(USUAL_REQUEST, self.sock.out_max_packet_size)
        if self._gathered and self._gathered_size + size > most:
            self._send_gathered()
        self._gathered += pieces
        self._gathered_size += size

    def _send_gathered(self) -> None:
        out, self._gathered, self._gathered_size = self._gathered, [], 0
        send_data(self.sock, out, self._moved)
