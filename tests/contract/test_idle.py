"""Servers that end idle sessions: the next use logs in anew, and nothing has failed."""

import select
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings
from config.credentials import Credentials
from consumers.delivery.connection_pool import STALE_SECONDS, ConnectionPool, PooledConnection
from consumers.delivery.observed_limit import ObservedLimits
from consumers.observe import LoggedIn
from deploy.local.customers import CustomerServer
from tests.contract.accounts import LIMITS, Ledger, files_in, job, opened, settings_of, upload
from tests.integration.platform import until
from tests.servers import Proftpd, Vsftpd
from tests.servers.fake import OpenGate
from transports.base import Egress
from transports.tap import Taps

SECONDS = 2
"""The servers' limit. No server ends a session that was used less than STALE_SECONDS ago."""
SERVERS: dict[str, Callable[[Path], Vsftpd | Proftpd]] = {
    "vsftpd": lambda folder: Vsftpd(folder, extra=[f"idle_session_timeout={SECONDS}"]),
    "vsftpd over TLS": lambda folder: Vsftpd(
        folder, extra=[f"idle_session_timeout={SECONDS}"], tls="ftps"
    ),
    "ProFTPD": lambda folder: Proftpd(folder, extra=[f"TimeoutIdle {SECONDS}"]),
}


def pool_at(customer: CustomerServer, seen: list[Any]) -> ConnectionPool:
    """The sessions of one account at the server."""
    credentials = Credentials(SecretStr(customer.password))
    deps: Any = SimpleNamespace(
        directory=SimpleNamespace(credentials_for=lambda *_: credentials),
        limits=LIMITS,
        egress=Egress(),
        observe=seen.append,
        observed_limits=ObservedLimits(),
        logins=OpenGate(),
        taps=Taps(),
    )
    return ConnectionPool(deps, "acme", threading.Event())


def deliver(pool: ConnectionPool, settings: FtpSettings, recording: Path, name: str) -> Any:
    """One flight of one file; its session, which the pool keeps."""
    connection = PooledConnection(pool)
    session = connection.open(settings)
    with opened(recording) as source:
        upload(session, source, job(), Ledger(names=(name,)))
    connection.keep()
    return session


def is_readable(session: Any) -> bool:
    """Whether the server has said something unasked, or has hung up."""
    asked = select.poll()
    asked.register(session._connection.control.wire.socket, select.POLLIN)
    return bool(asked.poll(0))


@pytest.mark.parametrize("start", SERVERS.values(), ids=SERVERS)
def test_a_session_that_the_server_has_ended_for_its_idleness_is_no_failure(
    tmp_path: Path, recording: Path, start: Callable[[Path], Vsftpd | Proftpd]
) -> None:
    assert SECONDS > STALE_SECONDS
    seen = list[Any]()
    with start(tmp_path / "server") as server:
        settings = settings_of(server.customer)
        pool = pool_at(server.customer, seen)
        first = deliver(pool, settings, recording, "first.wav")
        until(lambda: is_readable(first), "the server ends it")
        second = deliver(pool, settings, recording, "second.wav")
        pool.close()
        assert sorted(files_in(server.root)) == ["first.wav", "second.wav"]
    assert second is not first
    assert not first.connected
    assert seen == [LoggedIn("acme", "accepted"), LoggedIn("acme", "accepted")]
    assert pool.losses.count == 0
