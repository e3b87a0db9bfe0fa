"""A firewall between us and a customer's server: it forgets connections that are silent."""

import contextlib
import ctypes
import socket
import struct
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Self

from deploy.local.customers import CustomerServer
from tests.contract.proxy import Proxy

_IP = 0x0800
_TCP = 6
_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER of Linux."""


class Firewall(Proxy):
    """Forgets a control connection over which no packet went for so long: from then on it drops,
    without a word, whatever the server says there. Data connections are left alone.

    It sees each packet as a firewall does, so that TCP's keep-alive counts, which no program is
    told of.
    """

    def __init__(self, customer: CustomerServer, *, idle: float, **more: Any) -> None:
        super().__init__(customer, **more)
        self._idle = idle
        self._last: dict[int, float] = {}
        self.forgotten: set[int] = set()
        """The ports of the connections' other ends."""
        self._done = threading.Event()

    def __enter__(self) -> Self:
        packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_IP))
        packets.bind(("lo", _IP))
        packets.settimeout(0.05)
        super().__enter__()
        _attach(packets, self.port)
        self._packets = packets
        self._sniffer = threading.Thread(target=self._sniff, name="firewall", daemon=True)
        self._sniffer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._done.set()
        self._sniffer.join(10)
        self._packets.close()
        super().__exit__(kind, error, traceback)

    def _say(self, client: socket.socket, data: bytes) -> None:
        if client.getpeername()[1] not in self.forgotten:
            super()._say(client, data)

    def _sniff(self) -> None:
        while not self._done.is_set():
            # All that has come is looked at before anything is forgotten, however late it is.
            for port in self._ports():
                self._last[port] = time.monotonic()
            now = time.monotonic()
            silent = {port for port, at in self._last.items() if now - at > self._idle}
            self.forgotten |= silent

    def _ports(self) -> Iterator[int]:
        """The other ends of the packets that have come."""
        with contextlib.suppress(TimeoutError, BlockingIOError):
            packet = self._packets.recv(128)
            while True:
                yield from self._other_end(packet)
                packet = self._packets.recv(128, socket.MSG_DONTWAIT)

    def _other_end(self, packet: bytes) -> Iterator[int]:
        size = (packet[0] & 0x0F) * 4
        if len(packet) >= size + 4 and packet[9] == _TCP:
            ends = [int.from_bytes(packet[at : at + 2]) for at in (size, size + 2)]
            if self.port in ends:
                ends.remove(self.port)
                yield ends[0]


def _attach(packets: socket.socket, port: int) -> None:
    """Have the system hand out the packets of this port alone: others may be many."""
    program = (
        (0x30, 0, 0, 9),  # the protocol
        (0x15, 0, 6, _TCP),
        (0xB1, 0, 0, 0),  # behind the header of IP
        (0x48, 0, 0, 0),  # the port it comes from
        (0x15, 2, 0, port),
        (0x48, 0, 0, 2),  # the port it goes to
        (0x15, 0, 1, port),
        (0x06, 0, 0, 0xFFFF),  # taken
        (0x06, 0, 0, 0),  # dropped
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *each) for each in program))
    described = struct.pack("HP", len(program), ctypes.addressof(code))
    packets.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, described)
