"""FTP's active mode: for each file the server connects to us (RFC 959 section 3.3, RFC 2428).

We listen at a port of those that the operator has opened, for one connection and a short time, and
take it from the address of the control connection alone.
"""

import contextlib
import errno
import random
import socket
import time
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import TYPE_CHECKING

from transports.base import ActiveFtp
from transports.errors import OutgoingFailed, TransferError
from transports.ftp.control import Command
from transports.ftp.errors import ActiveModeOff, CallBackFailed, Judge, NoPortFree
from transports.ftp.replies import code_of, is_done
from transports.ftp.wire import Wire, wait_for
from transports.network.dialing import SEND_BUFFER, out_of_resources
from transports.words import own, spoken, system_words

if TYPE_CHECKING:
    from transports.ftp.connection import FtpConnection

_BACKLOG = 8
"""Connections that may wait to be looked at: others than the server may be quicker."""
_NO_CONNECTION = "425"


def call_backs(connection: "FtpConnection") -> "CallBacks | None":
    """For settings with Active Mode; None without. Raises ActiveModeOff where it is not allowed."""
    if not connection.settings.active_mode:
        return None
    if connection.access.active is None:
        raise ActiveModeOff("No server may connect to this host, as Active Mode needs it")
    return CallBacks(connection, connection.access.active)


class CallBacks:
    """Has the server connect to us."""

    def __init__(self, connection: "FtpConnection", active: ActiveFtp) -> None:
        self._connection = connection
        self._active = active

    def listen(self) -> Wire:
        """A socket to which the server was told to connect.

        Raises ActiveModeOff, NoPortFree, OutgoingFailed, and CallBackFailed where the server does
        not want to.
        """
        control = self._connection.control
        address = self._told_address()
        listener = _listener(control.wire.socket, self._active.ports)
        try:
            self._tell(address, int(listener.getsockname()[1]))
        except BaseException:
            listener.close()
            raise
        return Wire(listener)

    def accept(self, listener: Wire, judge: Judge | None, *, may_be_over: bool) -> Wire:
        """The server's connection; where the transfer is over without one, the listening socket
        itself, over which nothing comes. Raises CallBackFailed, OutgoingFailed.
        """
        limits = self._connection.limits
        with self._connection.talk(limits.connect + limits.reply, _judging(judge)):
            called = self._called(listener, may_be_over=may_be_over)
        if called is None:
            listener.is_over = True
            return listener
        return Wire(called)

    def _called(self, listener: Wire, *, may_be_over: bool) -> socket.socket | None:
        control, seconds = self._connection.control, self._connection.limits.connect
        until = time.monotonic() + seconds
        while (called := self._accepted(listener)) is None:
            control.hear_if_begun(may_be_over=may_be_over)
            if control.awaits_reply and control.speaks_within(0):
                control.end_transfer()
            if not (control.awaits_begin or control.awaits_reply):
                return None
            if not wait_for(listener, control.wire, until=until):
                port = listener.socket.getsockname()[1]
                where = f"{self._told_address()}, port {port}"
                raise CallBackFailed(f"It did not connect to {where}, in {seconds:g} seconds")
        return called

    def _accepted(self, listener: Wire) -> socket.socket | None:
        with (
            contextlib.suppress(BlockingIOError, ConnectionAbortedError),
            out_of_resources(),
        ):
            called, address = listener.socket.accept()
            if ip_address(address[0]) == ip_address(self._connection.control.peer.host):
                return called
            called.close()
        return None

    def _told_address(self) -> IPv4Address | IPv6Address:
        version = ip_address(self._connection.control.peer.host).version
        for address in self._active.addresses:
            if address.version == version:
                return address
        raise ActiveModeOff(f"The platform names no IPv{version} address to connect to")

    def _tell(self, address: IPv4Address | IPv6Address, port: int) -> None:
        refused = ""
        for verb, where in _spellings(address, port):
            refused = self._connection.reply_to(verb, where)
            if is_done(refused):
                return
        raise CallBackFailed(spoken(refused, self._connection.password))


def _spellings(address: IPv4Address | IPv6Address, port: int) -> Iterator[Command]:
    """The command that names address and port: first the one that most servers know."""
    if isinstance(address, IPv4Address):
        octets = [*address.packed, port >> 8, port & 0xFF]
        yield "PORT", ",".join(map(str, octets))
    yield "EPRT", f"|{1 if address.version == 4 else 2}|{address}|{port}|"  # noqa: PLR2004 - of IP


def _judging(judge: Judge | None) -> Judge:
    """That the server could not connect is about no name, and about this mode."""

    def judged(reply: str) -> type[TransferError] | None:
        if code_of(reply) == _NO_CONNECTION:
            return CallBackFailed
        return judge(reply) if judge is not None else None

    return judged


def _listener(control: socket.socket, ports: range) -> socket.socket:
    """Where the control connection comes from, at a port that is free.

    Raises NoPortFree, OutgoingFailed: the server has no part in it.
    """
    host, _, *rest = control.getsockname()
    for port in random.sample(ports, len(ports)):
        with out_of_resources():
            listener = socket.socket(control.family, socket.SOCK_STREAM)
        try:
            # As with connections that we open: it is inherited by the one that comes.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port, *rest))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                words = f"The platform cannot listen for the server: {system_words(error)}"
                raise OutgoingFailed(own(words)) from error
        else:
            return listener
    raise NoPortFree(f"Of the ports {ports[0]} to {ports[-1]} none is free")
