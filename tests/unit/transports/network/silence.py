"""An address of this machine at which connections are neither taken nor refused."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_FILLING = 3
"""Connections that fill a backlog of 0: what comes then is left without an answer."""


@contextmanager
def silent(host: str, port: int = 0) -> Iterator[int]:
    """The port, at which whoever connects waits in vain; the one given, or a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        taken = int(listener.getsockname()[1])
        for _ in range(_FILLING):
            filling = stack.enter_context(socket.socket(family))
            filling.settimeout(0)
            filling.connect_ex((host, taken))
        yield taken
