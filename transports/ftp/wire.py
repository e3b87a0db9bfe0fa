"""A connection of FTP, in clear or over TLS, in which nothing waits but `wait_for`.

A record of TLS may hold nothing of use, and what is read may wait inside of OpenSSL: so nobody asks
whether a connection is readable, but tries to read, and waits for what that was short of.
"""

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from transports.ftp.trust import Trust

_RECORD = 16 * 1024
"""Bytes of the largest record of TLS (RFC 8446 section 5.1). OpenSSL writes a longer piece as a
whole or waits: nobody would see that it moves."""
_Result = TypeVar("_Result")


class Wire:
    """For one thread at a time, but for `socket`, which any may shut down."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self.socket = connection
        self.event = select.POLLIN
        """What the last try was short of, an event of select.poll."""
        self.is_over = False
        """Whether nothing comes over it any more."""
        self.is_cut = False
        """Whether the other side ended TLS without saying so: something may be missing."""
        self._tls: ssl.SSLSocket | None = None

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """Its TLS; None where it is in clear."""
        return self._tls

    def secure(self, trust: Trust, like: "Wire | None" = None) -> None:
        """Speak TLS from now on; `try_handshake` begins. `like`: whose TLS session is resumed."""
        session = like.tls.session if like is not None and like.tls is not None else None
        self.socket = self._tls = trust.wrap(self.socket, session)

    def try_handshake(self) -> bool:
        """Whether the handshake is over; else it has to wait. Raises OSError."""
        tls = self._tls
        return tls is None or bool(self._try(lambda: _shaken(tls), self.event))

    def try_send(self, data: memoryview) -> int:
        """The number of bytes that were taken; 0 where it has to wait. Raises OSError."""
        piece = data if self._tls is None else data[:_RECORD]
        return self._try(lambda: self.socket.send(piece), select.POLLOUT) or 0

    def try_receive(self, most: int) -> bytes | None:
        """What came next; nothing at the end, None where it has to wait. Raises OSError."""
        if self.is_over:
            return b""
        try:
            return self._try(lambda: self.socket.recv(most), select.POLLIN)
        except ssl.SSLEOFError:
            self.is_cut = True
            return b""

    def try_end(self) -> bool:
        """Whether the other side of TLS was told that nothing more comes; else it has to wait.

        Its own word for that is not waited for. Raises OSError.
        """
        # What is short of input was told, and waits for that word alone.
        return self._is_unwrapped() or self.event == select.POLLIN

    def has_ended(self) -> bool:
        """Whether the other side of TLS has said that nothing more comes, or has just gone."""
        try:
            return self._is_unwrapped()
        except OSError:
            return True

    def shut(self) -> None:
        """Send the end of the connection (FIN), and go on hearing."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def _is_unwrapped(self) -> bool:
        """Whether both sides have said the end of TLS: nothing may be sent any more, as it would
        go in clear."""
        tls = self._tls
        if tls is not None and not self.is_over:
            self.is_over = self._try(tls.unwrap, select.POLLIN) is not None
        return self.is_over

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError."""
        left = memoryview(data)
        while left:
            sent = self.try_send(left)
            left = left[sent:]
            if not sent:
                wait_for(self)

    def receive(self, most: int) -> bytes:
        """What comes next; nothing at the end. Raises OSError."""
        while (piece := self.try_receive(most)) is None:
            wait_for(self)
        return piece

    def close(self) -> None:
        """Close the connection; may be repeated."""
        self.socket.close()

    def _try(self, act: Callable[[], _Result], event: int) -> _Result | None:
        try:
            return act()
        except ssl.SSLWantReadError:
            self.event = select.POLLIN
        except ssl.SSLWantWriteError:
            self.event = select.POLLOUT
        except BlockingIOError:
            self.event = event
        return None


def _shaken(tls: ssl.SSLSocket) -> bool:
    tls.do_handshake()
    return True


def wait_for(*wires: Wire, until: float | None = None) -> bool:
    """Wait until one of them may go on, as long as nobody shuts it down; False where `until` (by
    the monotonic clock) comes first."""
    waiting = select.poll()
    for wire in wires:
        waiting.register(wire.socket, wire.event)
    left = None if until is None else max(0.0, until - time.monotonic()) * 1000
    return bool(waiting.poll(left))
