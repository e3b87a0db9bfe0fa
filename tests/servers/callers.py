"""Clients that connect to a test's server again and again, also in the moment in which it ends."""

import contextlib
import socket
import threading
from collections import deque
from collections.abc import Iterator

_AT_ONCE = 100
"""Connections that one of them keeps: the oldest is closed for the next one."""
_PAUSE = 0.0005


@contextlib.contextmanager
def calling(port: int, callers: int = 2) -> Iterator[None]:
    """So many of them inside of the block."""
    ended = threading.Event()
    threads = [
        threading.Thread(target=_call, args=(port, ended), name="caller", daemon=True)
        for _ in range(callers)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(10)


def _call(port: int, ended: threading.Event) -> None:
    kept = deque[socket.socket]()
    while not ended.wait(_PAUSE):
        with contextlib.suppress(OSError):
            kept.append(socket.create_connection(("127.0.0.1", port), timeout=1))
        if len(kept) > _AT_ONCE:
            kept.popleft().close()
    for each in kept:
        each.close()
