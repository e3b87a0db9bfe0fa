"""Customers' servers of every kind, and what an upload to them needs."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.customers import CustomerServer
from tests.contract.accounts import open_session
from transports.base import Server

SFTP_SERVERS = ("sshd", "asyncssh_server")
FTP_SERVERS = ("vsftpd", "pyftpd_server")


def _customer(request: pytest.FixtureRequest) -> CustomerServer:
    customer: CustomerServer = request.getfixturevalue(request.param).customer
    return customer


customer = pytest.fixture(params=[*SFTP_SERVERS, *FTP_SERVERS], name="customer")(_customer)
sftp_customer = pytest.fixture(params=SFTP_SERVERS, name="sftp_customer")(_customer)
ftp_customer = pytest.fixture(params=FTP_SERVERS, name="ftp_customer")(_customer)


@pytest.fixture
def session(customer: CustomerServer) -> Iterator[Server]:
    """A session at the customer's server."""
    server = open_session(customer)
    yield server
    server.close()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A recording of a minute."""
    path = tmp_path / "recording.wav"
    path.write_bytes(os.urandom(480_044))
    return path


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """No thread and no descriptor is left behind by the test."""
    with leaving_nothing():
        yield


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Fails where a thread or a descriptor is left behind by the block."""
    before = _held()
    yield
    deadline = time.monotonic() + 5
    while (after := _held()) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert after <= before


def _held() -> tuple[int, int]:
    # What starts servers for the tests is made with the first of them, and stays.
    threads = [each for each in threading.enumerate() if not each.name.startswith("spawner")]
    return len(threads), len(list(Path("/proc/self/fd").iterdir()))
