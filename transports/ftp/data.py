"""FTP's data connections (RFC 959, 2428): passive, one a file, the next one's dialed ahead."""

import contextlib
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from transports.errors import ConnectFailed, DataConnectFailed, NoPassive, OutgoingFailed
from transports.ftp.replies import told_port
from transports.network.dialing import Dialing, begin_dial, dial, end_dial
from transports.words import spoken

if TYPE_CHECKING:
    from transports.ftp.connection import FtpConnection

_EXTENDED = "EPSV"
_AHEAD_SECONDS = 5.0
"""How long a data connection may wait for its file: servers give up after 30 seconds and more."""


class _Ahead(NamedTuple):
    """The data connection of the next file, on its way."""

    connection: Dialing
    until: float
    """When it is too old to be used, by the monotonic clock."""


class DataConnections:
    """To the address of the control connection, whatever a reply names.

    The control connection is another one once it was lost and made anew.
    """

    def __init__(self, connection: "FtpConnection") -> None:
        self._connection = connection
        self._ahead: _Ahead | None = None

    @property
    def verb(self) -> str:
        """The command that has the server listen for the next one."""
        return "PASV" if _EXTENDED in self._connection.avoids else _EXTENDED

    def open(self) -> socket.socket:
        """The connection for the next file. Raises ConnectFailed."""
        return self._dialed_ahead() or self._dial_now()

    def dial_ahead(self, reply: str) -> None:
        """Begin with the connection of the next file: `reply` is what the server said to `verb`."""
        self.drop()
        port = told_port(self.verb, reply)
        if port is None:
            return
        with contextlib.suppress(OSError, OutgoingFailed):
            connection = begin_dial(self._connection.control.peer.at(port))
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
        return end_dial(ahead.connection, self._connection.limits)

    def _dial_now(self) -> socket.socket:
        avoids = self._connection.avoids
        if _EXTENDED not in avoids:
            with contextlib.suppress(ConnectFailed):
                return self._dialed(_EXTENDED, self._connection.convenience(_EXTENDED))
            avoids.add(_EXTENDED)
        return self._dialed_ahead() or self._dialed("PASV", self._connection.reply_to("PASV"))

    def _dialed(self, verb: str, reply: str) -> socket.socket:
        port = told_port(verb, reply)
        if port is None:
            raise NoPassive(
                spoken(reply, self._connection.password) or "The server offers no passive transfers"
            )
        try:
            return dial([self._connection.control.peer.at(port)], self._connection.limits).socket
        except ConnectFailed as failure:
            raise DataConnectFailed(failure.words, port) from failure
