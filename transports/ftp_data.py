"""FTP's data connections (RFC 959, 2428): passive, one a file, the next one's dialed ahead."""

import contextlib
import ftplib
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from transports.base import Limits
from transports.egress import begin_dial, dial, end_dial
from transports.errors import AccountFailure, ConnectFailed
from transports.ftp_control import Control

_AHEAD_SECONDS = 5.0
"""How long a data connection may wait for its file: servers give up after 30 seconds and more."""


class _Ahead(NamedTuple):
    """The data connection of the next file, on its way."""

    connection: socket.socket
    until: float
    """When it is too old to be used, by the monotonic clock."""


class DataConnections:
    """Of one control connection: to its address, whatever a reply names."""

    def __init__(
        self, control: Control, limits: Limits, asking: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """`asking`: within it the control connection is asked, its errors translated."""
        self._control = control
        self._limits = limits
        self._asking = asking
        self._is_extended = True
        self._ahead: _Ahead | None = None

    @property
    def verb(self) -> str:
        """The command that has the server listen for the next one."""
        return "EPSV" if self._is_extended else "PASV"

    def open(self) -> socket.socket:
        """The connection for the next file. Raises AccountFailure, ConnectFailed."""
        return self._dialed_ahead() or self._dial_now()

    def dial_ahead(self, reply: str) -> None:
        """Begin with the connection of the next file: `reply` is what the server said to `verb`."""
        self.drop()
        with contextlib.suppress(ftplib.Error, OSError):
            port = self._control.told_port(self.verb, reply)
            connection = begin_dial(self._control.peer.at(port))
            self._ahead = _Ahead(connection, time.monotonic() + _AHEAD_SECONDS)

    def drop(self) -> None:
        """Close the one that was dialed ahead; harmless where there is none."""
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.connection.close()

    def _dialed_ahead(self) -> socket.socket | None:
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            return None
        if time.monotonic() > ahead.until:  # the server may be about to give it up
            ahead.connection.close()
            return None
        return end_dial(ahead.connection, self._limits)

    def _dial_now(self) -> socket.socket:
        if self._is_extended:
            with contextlib.suppress(ConnectFailed):
                if (port := self._asked_port()) is not None:
                    return self._dialed(port)
            self._is_extended = False
        if (port := self._asked_port()) is None:
            raise AccountFailure("The server offers no passive transfers")
        return self._dialed(port)

    def _dialed(self, port: int) -> socket.socket:
        return dial([self._control.peer.at(port)], self._limits).socket

    def _asked_port(self) -> int | None:
        with self._asking():
            try:
                return self._control.passive_port(self.verb)
            except ftplib.error_perm:
                return None
