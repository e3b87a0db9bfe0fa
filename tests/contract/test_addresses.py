"""Servers that have IPv6 only, and names of which one address is dead."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, settings_of, upload
from tests.contract.conftest import leaving_nothing
from tests.servers import Sshd, Vsftpd
from tests.servers.catalogue import Running
from tests.unit.transports.network.silence import silent
from transports.base import Egress, Limits
from transports.settings_test import test_settings

NAME = "customer.example"
LONG = Limits(connect=600, login=60, reply=60, stall=60)
"""Nobody gets there: a dead address that is waited for would be felt."""
SOON = 60.0
IPV6: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "vsftpd": partial(Vsftpd, host="::1"),
    "vsftpd, TLS": partial(Vsftpd, host="::1", tls="ftps"),
    "OpenSSH": partial(Sshd, host="::1"),
}


@pytest.fixture(params=IPV6)
def ipv6_customer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CustomerServer]:
    """A server that listens at ::1 and nowhere else."""
    with IPV6[request.param](tmp_path / "server") as running:
        yield running.customer


def test_settings_of_a_server_with_ipv6_only_pass_the_test(ipv6_customer: CustomerServer) -> None:
    report = test_settings(
        settings_of(ipv6_customer, host="[::1]"), SecretStr(ipv6_customer.password), LONG, Egress()
    )
    assert report.ok, report.failure
    assert files_in(ipv6_customer.root) == {}


def test_a_recording_reaches_a_server_with_ipv6_only(
    ipv6_customer: CustomerServer, recording: Path
) -> None:
    with contextlib.closing(open_session(ipv6_customer, LONG)) as server, opened(recording) as it:
        upload(server, it, job(), Ledger())
    assert files_in(ipv6_customer.root) == {"call.wav": recording.stat().st_size}


@pytest.fixture(params=["FTP", "SFTP"])
def half_dead(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CustomerServer]:
    """A server whose name has another address before its own, at which nothing answers."""
    folder = tmp_path / "server"
    if request.param == "FTP":
        folder.mkdir()
    with PyFtpServer(folder) if request.param == "FTP" else Sshd(folder) as running:
        port = running.customer.port
        with silent("127.0.0.2", port):
            found = [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))
                for host in ("127.0.0.2", "127.0.0.1")
            ]
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
            yield running.customer


def test_a_dead_address_of_several_costs_an_upload_a_moment_and_once(
    half_dead: CustomerServer, recording: Path
) -> None:
    started = time.monotonic()
    with leaving_nothing():
        server = open_session(half_dead, LONG, host=NAME)
        with contextlib.closing(server), contextlib.closing(server.another()):
            for number, name in enumerate(("a.wav", "b.wav"), 1):
                with opened(recording) as source:
                    upload(server, source, job(number), Ledger(names=(name,)))
    assert time.monotonic() - started < SOON
    size = recording.stat().st_size
    assert files_in(half_dead.root) == {"a.wav": size, "b.wav": size}
