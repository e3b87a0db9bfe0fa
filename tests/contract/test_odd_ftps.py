"""FTP servers that answer in their own way, over TLS: the same as without."""

import os
import socket
from pathlib import Path

import pytest
from OpenSSL import SSL
from pyftpdlib.handlers import FTPHandler, TLS_DTPHandler
from pyftpdlib.ioloop import _RetryError

from tests.contract.ftp_handlers import odd
from tests.contract.test_odd_ftp import EPSV, ODD, deliver, found
from tests.servers.pyftpd import PyFtpdTls

KINDS = (
    "FEAT is one line",
    "FEAT hangs up",
    "TYPE is not known",
    "CWD is refused",
    "RNFR hangs up",
    "226 twice",
    "150 is missing",
    "200 before 150",
    "250 in the place of 350",
    "no SIZE",
    "SIZE hangs up",
    "MLST is listed and broken",
    "no MLST, no SIZE, no EPSV, no FEAT",
    "ProFTPD's RNFR",
    "no QUIT",
)
"""Of those without TLS: what a data connection's TLS, or a login made anew, could disturb."""


@pytest.mark.parametrize("kind", KINDS)
def test_recordings_reach_servers_that_answer_in_their_own_way_over_tls(
    tmp_path: Path, recording: Path, kind: str
) -> None:
    with PyFtpdTls(tmp_path / "server", handler=ODD[kind]) as server:
        deliver(server.customer, found(server.customer), recording)


@pytest.mark.parametrize("kind", ["is not known", "hangs up"])
def test_pasv_is_used_over_tls_where_epsv_is_refused(
    tmp_path: Path, recording: Path, kind: str
) -> None:
    with PyFtpdTls(tmp_path / "server", handler=odd({"EPSV": EPSV[kind]})) as server:
        stored = found(server.customer)
        assert stored.avoids == ("EPSV",)
        deliver(server.customer, stored, recording)


class WaitsForFin(FTPHandler):  # type: ignore[misc]
    """Takes a file for whole once its connection has ended: the end of TLS is not enough.

    Why it does not get that at once: `test_proxies`, with microsocks.
    """

    class dtp_handler(TLS_DTPHandler):  # type: ignore[misc] # noqa: N801 - pyftpdlib's name
        """Its data connection."""

        def recv(self, size: int) -> bytes:
            """What came; nothing at the end of the connection."""
            try:
                received: bytes = self.socket.recv(size)
            except (SSL.WantReadError, SSL.ZeroReturnError) as nothing:
                if not has_ended(self.socket):
                    raise _RetryError from nothing
                self.handle_close()
                return b""
            return received


def has_ended(connection: SSL.Connection) -> bool:
    """Whether nothing more comes, not even of TLS."""
    with socket.socket(fileno=os.dup(connection.fileno())) as bare:
        try:
            return not bare.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False


def test_a_server_that_waits_for_the_end_of_the_connection_gets_it(
    tmp_path: Path, recording: Path
) -> None:
    with PyFtpdTls(tmp_path / "server", handler=WaitsForFin) as server:
        stored = found(server.customer)
        assert stored.pipelines  # it was waited for by no trial in vain
        deliver(server.customer, stored, recording)
