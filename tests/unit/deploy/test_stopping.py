"""A customer's server in this process leaves nothing open when it stops, whoever connects then.

What is left open fails the test: Python warns of it, and warnings are errors.
"""

import gc
import time
from pathlib import Path

import pytest

from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.servers.callers import calling

ROUNDS = 12
BUSY = 0.1


def started(kind: str, folder: Path) -> tuple[AsyncSshServer | PyFtpServer | SmtpSink, int]:
    """A server that listens, and its port."""
    if kind == "SMTP":
        sink = SmtpSink()
        sink.start()
        return sink, sink.port
    server = AsyncSshServer(folder) if kind == "SSH" else PyFtpServer(folder)
    server.start()
    return server, server.customer.port


@pytest.mark.parametrize("kind", ["SSH", "FTP", "SMTP"])
def test_who_connects_while_a_server_stops_is_cut(kind: str, tmp_path: Path) -> None:
    for _ in range(ROUNDS):
        server, port = started(kind, tmp_path)
        with calling(port):
            time.sleep(BUSY)
            server.stop()
        del server
        gc.collect()
