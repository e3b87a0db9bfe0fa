"""TCP's keep-alive (RFC 9293 section 3.8.4): a connection that is silent stays known.

Firewalls and NATs forget a connection over which nothing has passed for some minutes, and drop what
comes later without a word. The system's own keep-alive begins after two hours.
"""

import socket

_UNANSWERED = 4
"""So many questions without an answer, and the connection is lost."""


def keep_alive(connection: socket.socket, seconds: float) -> None:
    """Have the system ask the other side whether it still stands, after each silence this long."""
    every = max(1, round(seconds))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, every)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, every)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _UNANSWERED)
