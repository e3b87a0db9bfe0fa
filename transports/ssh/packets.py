"""SSH packets on their way out (RFC 4253 section 6): sealed in place, several in one system call.

paramiko's Packetizer copies each byte nine times on its way and gives every packet of 32 KB a
system call of its own. `LeanPacketizer` stands in its place (`packetizer_class` of a Transport) and
does the way out anew, for every cipher and MAC. The way in, with every check of what a server says,
stays paramiko's, and so does the time of a key exchange: what is sent waits for it in
`Transport._send_user_message` as before, and the thread that reads begins one behind each packet.

What is used of paramiko without being documented is named in `PRIVATE`.
"""

import os
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from hmac import HMAC
from typing import TYPE_CHECKING, Any, Protocol

from paramiko import Channel, Transport
from paramiko.common import MSG_CHANNEL_DATA
from paramiko.message import Message
from paramiko.packet import Packetizer
from paramiko.ssh_exception import SSHException

from transports.words import own

PRIVATE = {
    Packetizer: ("_trigger_rekey",),
    Transport: ("_send_user_message",),
    Channel: ("_wait_for_send_window",),
}
"""What has no public name in paramiko. A test tells where a new version has moved it."""

_MOST_RECEIVED = 256 * 1024 + 64
"""Bytes of a packet that a server may send: what OpenSSH takes itself, and a MAC."""
_MOST_DATA = 32 * 1024
"""Bytes of channel data in one packet: servers need not take more (RFC 4253 section 6.1)."""
_TOGETHER = 256 * 1024
"""Bytes of channel data that are sealed and sent together."""
_LENGTH = 4
_HEAD = 5
"""Bytes before what a packet carries: its length, and that of its padding."""
_DATA_HEAD = struct.Struct(">BII")
"""Before the data: the kind of message, the server's number of the channel, the data's length."""
_LEAST_PADDING = 4
_MOST_PADDING = _LEAST_PADDING + 15
_SLACK = 64 + 16
"""Bytes behind a packet: the longest MAC, and what a cipher wants to have for a block."""
_RANDOM = 512
"""Bytes that are asked of the system at once."""
_NUMBERS = 1 << 32
_COUNTERS = 1 << 64

Buffer = bytes | bytearray | memoryview
Moved = Callable[[], None]
"""Hears of every piece that has gone out."""


class Seal(Protocol):
    """How a packet is made unreadable, and safe from changes."""

    block: int
    """What a packet's length is a multiple of."""
    open_length: int
    """Bytes at a packet's beginning that are not encrypted, and do not count for that."""
    random: bool
    """Whether the padding is made of random bytes, where a cipher needs it."""

    def seal(self, number: int, packet: memoryview, out: memoryview) -> int:
        """Write the sealed packet to `out`; how many bytes it has. `number`: the packet's."""


class NoSeal:
    """Before the first keys are agreed."""

    block = 8
    open_length = 0
    random = False

    def seal(self, _number: int, packet: memoryview, out: memoryview) -> int:
        """As of Seal."""
        out[: len(packet)] = packet
        return len(packet)


class GcmSeal:
    """AES-GCM (RFC 5647): the length is open, and sealed with the rest."""

    block = 16
    open_length = _LENGTH
    random = True
    _TAG = 16

    def __init__(self, cipher: Any, iv: bytes) -> None:
        self._cipher = cipher
        self._fixed = iv[:4]
        self._counter = int.from_bytes(iv[4:])

    def seal(self, _number: int, packet: memoryview, out: memoryview) -> int:
        """As of Seal."""
        nonce = self._fixed + self._counter.to_bytes(8)
        self._counter = (self._counter + 1) % _COUNTERS
        size = len(packet) + self._TAG
        length = packet[:_LENGTH]
        out[:_LENGTH] = length
        self._cipher.encrypt_into(nonce, packet[_LENGTH:], length, out[_LENGTH:size])
        return size


class Mac:
    """The first bytes of an HMAC over a packet and its number (RFC 4253 section 6.4)."""

    def __init__(self, key: bytes | bytearray, digest: Any, size: int) -> None:
        self._keyed = HMAC(key, digestmod=digest)
        self._size = size

    def add(self, number: int, told: memoryview, out: memoryview) -> int:
        """Write that of these bytes to `out`; how many bytes it has."""
        mac = self._keyed.copy()
        mac.update(number.to_bytes(4))
        mac.update(told)
        out[: self._size] = mac.digest()[: self._size]
        return self._size


class MacThenSeal:
    """A cipher over the whole packet, and a MAC of what was encrypted (RFC 4253 section 6.4)."""

    open_length = 0

    def __init__(self, cipher: Any, block: int, mac: Mac, *, random: bool) -> None:
        self._cipher = cipher
        self._mac = mac
        self.block = block
        self.random = random

    def seal(self, number: int, packet: memoryview, out: memoryview) -> int:
        """As of Seal."""
        size: int = self._cipher.update_into(packet, out)
        return size + self._mac.add(number, packet, out[size:])


class SealThenMac(MacThenSeal):
    """`-etm@openssh.com`: the length is open, and the MAC is that of what is sent."""

    open_length = _LENGTH

    def seal(self, number: int, packet: memoryview, out: memoryview) -> int:
        """As of Seal."""
        out[:_LENGTH] = packet[:_LENGTH]
        size = _LENGTH + int(self._cipher.update_into(packet[_LENGTH:], out[_LENGTH:]))
        return size + self._mac.add(number, out[:size], out[size:])


class Pieces:
    """Buffers that are read one after the other, as if they were one."""

    def __init__(self, pieces: Sequence[Buffer]) -> None:
        self._pieces = deque(memoryview(piece) for piece in pieces if piece)
        self.size = sum(len(piece) for piece in self._pieces)

    def read_into(self, room: memoryview) -> None:
        """Fill the room with the next bytes."""
        at = 0
        while at < len(room):
            piece = self._pieces.popleft()
            taken = piece[: len(room) - at]
            room[at : at + len(taken)] = taken
            at += len(taken)
            if len(taken) < len(piece):
                self._pieces.appendleft(piece[len(taken) :])


class ChannelData:
    """Data for a channel, cut into packets whose sizes the server's window allows."""

    def __init__(self, channel: int, data: Pieces, sizes: Sequence[int], moved: Moved) -> None:
        self.channel = channel
        self.data = data
        self.sizes = sizes
        self.moved = moved


def send_data(channel: Channel, pieces: Sequence[Buffer], moved: Moved) -> None:
    """Send all of it, as the server's window opens. Raises EOFError where the channel is closed.

    `moved` hears of every piece that the system has taken. Waits while keys are agreed anew.
    """
    transport: Any = channel.transport
    data = Pieces(pieces)
    left = data.size
    while left:
        sizes = _allowed(channel, left)
        left -= sum(sizes)
        packets = ChannelData(channel.remote_chanid, data, sizes, moved)
        transport._send_user_message(packets)  # noqa: SLF001 - see PRIVATE


def _allowed(channel: Any, most: int) -> list[int]:
    """The sizes of the packets that may be sent now; it waits until there is one."""
    sizes: list[int] = []
    left = min(most, _TOGETHER)
    with channel.lock:
        while left and (channel.out_window_size or not sizes):
            size = channel._wait_for_send_window(min(left, _MOST_DATA))  # noqa: SLF001 - see PRIVATE
            if not size:
                raise EOFError
            sizes.append(size)
            left -= size
    return sizes


class LeanPacketizer(Packetizer):
    """As paramiko's own; besides messages it takes `ChannelData`."""

    if TYPE_CHECKING:  # what is used of paramiko beyond its stubs
        REKEY_BYTES: int
        REKEY_PACKETS: int

        def _trigger_rekey(self) -> None: ...

    def __init__(self, wire: socket.socket) -> None:
        super().__init__(wire)
        self._wire = wire
        self._sending = threading.Lock()
        self._seal: Seal = NoSeal()
        self._number = 0
        self._sent_bytes = self._sent_packets = 0
        """With the keys of this moment."""
        self._unused = b""
        self._is_complete = False
        self._packet = memoryview(bytearray())
        self._sealed = memoryview(bytearray())

    def send_message(self, data: Message | ChannelData) -> None:
        """Seal and send it: behind what other threads send, and whole. Raises EOFError."""
        with self._sending:
            if isinstance(data, ChannelData):
                self._send(self._seal_data(data), data.moved)
            else:
                self._send(self._seal_message(data.asbytes()), _unheard)
            has_sent_much = (
                self._sent_bytes >= self.REKEY_BYTES or self._sent_packets >= self.REKEY_PACKETS
            )
            if has_sent_much and not self.need_rekey():
                # The thread that reads looks at it behind each packet, and after 0.1 seconds of
                # silence: neither a server that talks without end nor a silent one can starve it.
                self._trigger_rekey()

    def read_all(self, n: int, check_rekey: bool = False) -> bytes:  # noqa: FBT001, FBT002 - paramiko's
        """As of Packetizer; a packet is never longer than a server may send one."""
        if not 0 <= n <= _MOST_RECEIVED:
            raise SSHException(own("The server sent a packet of no allowed length"))
        return super().read_all(n, check_rekey)

    def complete_handshake(self) -> None:
        """End the timer of the handshake: paramiko does so again behind each message."""
        if not self._is_complete:
            super().complete_handshake()
            self._is_complete = True

    def reset_seqno_out(self) -> None:
        """Count packets anew (strict key exchange)."""
        self._number = 0

    def set_outbound_cipher(
        self,
        block_engine: Any,
        block_size: int,
        mac_engine: Any,
        mac_size: int,
        mac_key: bytes | bytearray,
        sdctr: bool = False,  # noqa: FBT001, FBT002 - paramiko's
        etm: bool = False,  # noqa: FBT001, FBT002 - paramiko's
        aead: bool = False,  # noqa: FBT001, FBT002 - paramiko's
        iv_out: bytes | None = None,
    ) -> None:
        """Use new keys from now on."""
        with self._sending:
            if aead:
                self._seal = GcmSeal(block_engine, iv_out or b"")
            else:
                mac = Mac(mac_key, mac_engine, mac_size)
                kind = SealThenMac if etm else MacThenSeal
                self._seal = kind(block_engine, block_size, mac, random=not sdctr)
            self._sent_bytes = self._sent_packets = 0
        super().set_outbound_cipher(
            block_engine, block_size, mac_engine, mac_size, mac_key, sdctr, etm, aead, iv_out
        )

    def _seal_message(self, message: bytes) -> memoryview:
        self._make_room(len(message), 1)
        self._packet[_HEAD : _HEAD + len(message)] = message
        return self._sealed[: self._seal_packet(len(message), 0)]

    def _seal_data(self, packets: ChannelData) -> memoryview:
        """Head and data of each packet come together in one place, and are sealed into another."""
        self._make_room(max(packets.sizes) + _DATA_HEAD.size, len(packets.sizes))
        begin = _HEAD + _DATA_HEAD.size
        end = 0
        for size in packets.sizes:
            _DATA_HEAD.pack_into(self._packet, _HEAD, MSG_CHANNEL_DATA, packets.channel, size)
            packets.data.read_into(self._packet[begin : begin + size])
            end += self._seal_packet(_DATA_HEAD.size + size, end)
        return self._sealed[:end]

    def _make_room(self, size: int, packets: int) -> None:
        room = _HEAD + size + _MOST_PADDING
        if len(self._packet) < room:
            self._packet = memoryview(bytearray(room))
        if len(self._sealed) < packets * (room + _SLACK):
            self._sealed = memoryview(bytearray(packets * (room + _SLACK)))

    def _seal_packet(self, size: int, at: int) -> int:
        """Seal what lies there, of so many bytes; how many it has then."""
        seal = self._seal
        whole = _HEAD + size
        padding = _LEAST_PADDING + -(whole + _LEAST_PADDING - seal.open_length) % seal.block
        struct.pack_into(">IB", self._packet, 0, 1 + size + padding, padding)
        self._packet[whole : whole + padding] = (
            self._random(padding) if seal.random else bytes(padding)
        )
        sealed = seal.seal(self._number, self._packet[: whole + padding], self._sealed[at:])
        self._number = (self._number + 1) % _NUMBERS
        self._sent_packets += 1
        self._sent_bytes += sealed
        return sealed

    def _random(self, size: int) -> bytes:
        """Bytes that nobody can guess, each given once."""
        if len(self._unused) < size:
            self._unused = os.urandom(_RANDOM)
        taken, self._unused = self._unused[:size], self._unused[size:]
        return taken

    def _send(self, sealed: memoryview, moved: Moved) -> None:
        while sealed:
            try:
                sent = self._wire.send(sealed)
            except TimeoutError:  # only so that it is seen when it is closed
                if self.closed:
                    raise EOFError from None
                continue
            except OSError as error:
                raise EOFError from error
            sealed = sealed[sent:]
            moved()


def _unheard() -> None: ...
