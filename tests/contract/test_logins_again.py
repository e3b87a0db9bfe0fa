"""A session that logs in again in place of a connection that was lost does so in a turn of its own,
as the process's other logins do."""

import contextlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.contract.accounts import open_session
from tests.contract.cut_line import Serving, in_process
from tests.contract.ftp_handlers import HANG_UP, odd
from tests.contract.proxy import Proxy
from transports.base import Server
from transports.errors import Interrupted, TransferError

SERVERS = [in_process(AsyncSshServer), in_process(PyFtpServer)]


class Turns:
    """Notes who waits for a turn; `is_closed`: none comes."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_closed = False
        self._is_inside = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        assert not self._is_inside, "whoever has a turn would wait for itself"
        if self.is_closed:
            raise Interrupted("Others come first")
        self.taken, self._is_inside = self.taken + 1, True
        try:
            yield
        finally:
            self._is_inside = False


def lose(session: Server, line: Proxy) -> None:
    """Its connection is cut, and it has seen that."""
    line.reset()
    with contextlib.suppress(TransferError):
        session.size("nothing")
    assert not session.connected


@pytest.mark.parametrize("serving", SERVERS)
def test_it_waits_for_its_turn(serving: Serving, tmp_path: Path) -> None:
    turns = Turns()
    with (
        serving(tmp_path / "server") as server,
        Proxy(server.customer) as line,
        closing(open_session(server.customer, port=line.port, again=turns)) as session,
    ):
        assert turns.taken == 0, "the first login has its turn already"
        lose(session, line)
        assert session.reconnect()
        assert turns.taken == 1
        assert session.answers()


@pytest.mark.parametrize("serving", SERVERS)
def test_where_no_turn_comes_the_server_is_not_asked(serving: Serving, tmp_path: Path) -> None:
    turns = Turns()
    with (
        serving(tmp_path / "server") as server,
        Proxy(server.customer) as line,
        closing(open_session(server.customer, port=line.port, again=turns)) as session,
    ):
        lose(session, line)
        before, turns.is_closed = line.passed, True
        with pytest.raises(Interrupted):
            session.reconnect()
        assert line.passed == before


def test_what_is_lost_within_a_logon_is_part_of_its_turn(tmp_path: Path) -> None:
    turns = Turns()
    hangs_up = in_process(PyFtpServer, handler=odd({"FEAT": HANG_UP}))
    with (
        hangs_up(tmp_path / "server") as server,
        Proxy(server.customer) as line,
        closing(open_session(server.customer, port=line.port, again=turns)) as session,
    ):
        lose(session, line)
        assert session.reconnect()
    assert turns.taken == 1
