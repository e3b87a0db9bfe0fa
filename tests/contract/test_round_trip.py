"""How far away a server is, measured over real connections as long as they are used."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from consumers.delivery.connection_pool import ROUND_TRIP_FOR_ONE_MORE as FAR
from deploy.local.customers import CustomerServer
from tests.bench.line import slow_line
from tests.contract.accounts import open_session
from tests.contract.proxy import Proxy
from transports.base import Server

PATIENCE = 30


@pytest.fixture(params=["sshd", "vsftpd"], name="customer")
def served_by_processes(request: pytest.FixtureRequest) -> CustomerServer:
    """A server that starts a process for each login."""
    customer: CustomerServer = request.getfixturevalue(request.param).customer
    return customer


@contextmanager
def busy_machine() -> Iterator[None]:
    """More processes than cores that want to compute all the time."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        yield
    finally:
        for each in busy:
            each.kill()
            each.wait()


def asked_until(session: Server, holds: Callable[[], bool]) -> bool:
    """Whether that is so after some more questions to the server."""
    end = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < end:
        session.answers()
    return holds()


def test_thirty_logins_on_a_busy_machine_are_near(customer: CustomerServer) -> None:
    with busy_machine():
        for _ in range(30):
            with closing(open_session(customer)) as session:
                assert session.round_trip < FAR
                assert asked_until(session, lambda: 0 < session.round_trip < FAR)


def test_a_line_of_40_ms_is_far(customer: CustomerServer, tmp_path: Path) -> None:
    with (
        slow_line(0.04, [customer.port], tmp_path / "line.log") as host,
        closing(open_session(customer, host=host)) as session,
    ):
        assert asked_until(session, lambda: session.round_trip > 0)
        assert session.round_trip >= 0.04


def test_a_line_whose_delay_changes_is_followed(customer: CustomerServer) -> None:
    with Proxy(customer) as proxy, closing(open_session(customer, port=proxy.port)) as session:
        assert asked_until(session, lambda: 0 < session.round_trip < FAR)
        proxy.delay = 0.04
        assert asked_until(session, lambda: session.round_trip >= 0.04)
        proxy.delay = 0.0
        assert asked_until(session, lambda: session.round_trip < FAR)


def test_sessions_over_one_login_measure_together(customer: CustomerServer) -> None:
    with closing(open_session(customer)) as first:
        assert asked_until(first, lambda: first.round_trip > 0)
        with closing(first.another()) as second:
            assert 0 < second.round_trip <= first.round_trip
