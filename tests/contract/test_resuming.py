"""A large file over a line that is cut again and again, at real servers: it goes on."""

from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.cut_line import (
    PATIENT,
    SERVERS,
    Serving,
    Truncating,
    carry,
    in_process,
    made,
)
from tests.contract.ftp_handlers import Hashing, odd
from tests.contract.proxy import Proxy
from tests.servers import Proftpd, Sshd, Vsftpd
from transports import settings_test
from transports.base import Egress
from transports.errors import ConnectionLost

SIZE = 64_000_000
MOST_TWICE = 7_000_000
"""Bytes that are on their way unconfirmed when a connection is cut, and what it is rounded by."""


@pytest.fixture(scope="module", name="large")
def large_recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of hours."""
    return made(tmp_path_factory.mktemp("large") / "call.wav", SIZE)


@pytest.mark.parametrize("server", SERVERS)
def test_it_arrives_whole_in_one_try_and_little_is_sent_twice(
    server: str, tmp_path: Path, large: Path
) -> None:
    """As a gigabyte over a line that is cut after each 200 MB (`tests.contract.cut_line`)."""
    with SERVERS[server].serving(tmp_path / "server") as serving:
        seen = carry(serving.customer, large, SIZE // 5, SERVERS[server].ways, written=True)
    assert seen.connections > 4
    assert seen.twice < MOST_TWICE


def found(customer: CustomerServer) -> Capabilities:
    """What the test on save stores."""
    report = settings_test.test_settings(
        settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    assert files_in(customer.root) == {}
    return report.capabilities


class UploadOnly(Truncating):
    """The same, and it hands no file out."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Only to be written."""
        if not pflags & asyncssh.FXF_WRITE:
            raise asyncssh.SFTPPermissionDenied("Uploads only")
        return super().open(path, pflags, attrs)


_NO_RETR = odd({"RETR": "550 Uploads only."})


class UploadOnlyHashing(_NO_RETR, Hashing):  # type: ignore[misc,valid-type]
    """Hands no file out, but tells digests."""


class BeginsAnew(FTPHandler):  # type: ignore[misc]
    """Takes REST, and begins anew all the same."""

    def ftp_REST(self, line: str) -> None:
        """Say so, and nothing more."""
        self.respond(f"350 Restarting at position {line}.")


@pytest.mark.parametrize(
    ("serving", "resumes"),
    [
        (Sshd, True),
        (in_process(AsyncSshServer), True),
        (in_process(AsyncSshServer, sftp=Truncating), False),
        (in_process(AsyncSshServer, sftp=UploadOnly), False),
        (Vsftpd, True),
        (in_process(PyFtpServer), True),
        (in_process(PyFtpServer, handler=BeginsAnew), False),
        (in_process(PyFtpServer, handler=_NO_RETR), False),
        (in_process(PyFtpServer, handler=UploadOnlyHashing), True),
        (in_process(PyFtpServer, handler=odd({"REST": "502 No."})), False),
        (Proftpd, False),  # AllowStoreRestart is off as shipped
    ],
)
def test_the_test_on_save_finds_out_whether_files_can_be_gone_on_with(
    serving: Serving, tmp_path: Path, *, resumes: bool
) -> None:
    with serving(tmp_path / "server") as server:
        assert found(server.customer).resumes is resumes


@pytest.mark.parametrize(
    "serving",
    [
        in_process(PyFtpServer, handler=odd({"REST": "502 No."})),
        Proftpd,
    ],
)
def test_where_the_server_does_not_go_on_the_try_has_failed_and_leaves_nothing(
    serving: Serving, tmp_path: Path, large: Path
) -> None:
    with serving(tmp_path / "server") as server:
        customer = server.customer
        with Proxy(customer, cut_after=SIZE // 5, again=lambda: SIZE * 2) as proxy:
            session = open_session(customer, PATIENT, port=proxy.port)
            with closing(session), opened(large) as source, pytest.raises(ConnectionLost):
                upload(session, source, job(), Ledger())
        assert files_in(customer.root) == {}
