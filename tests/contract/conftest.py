"""Customers' servers of every kind, and what an upload to them needs."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.outgoing import ProxyProtocol
from deploy.local.customers import CustomerServer
from tests.contract.accounts import open_session
from tests.servers.proxies import NotingProxy
from transports.base import Server

SFTP_SERVERS = ("sshd", "asyncssh_server")
FTP_SERVERS = ("vsftpd", "pyftpd_server")
DESCRIPTOR_SECONDS = 8.0
"""Below the limit of a login: a socket that is left would end by it."""
THREAD_SECONDS = 60.0
"""Those of the tests' own servers end late on a busy machine."""


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


@pytest.fixture(params=ProxyProtocol)
def noting(request: pytest.FixtureRequest) -> Iterator[NotingProxy]:
    """A proxy that notes for what it is asked."""
    with NotingProxy(request.param) as proxy:
        yield proxy


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
    descriptors, threads = _descriptors(), _threads()
    yield
    assert _least(_descriptors, descriptors, DESCRIPTOR_SECONDS) <= descriptors
    assert _least(_threads, threads, THREAD_SECONDS) <= threads


def _least(count: Callable[[], int], before: int, seconds: float) -> int:
    """What is left of them once no more than before are, or after so many seconds."""
    deadline = time.monotonic() + seconds
    while (left := count()) > before and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _threads() -> int:
    # What starts servers for the tests is made with the first of them, and stays.
    return sum(not each.name.startswith("spawner") for each in threading.enumerate())
