"""Rule 13 of docs/rules.md: what several uploads have lost together is one failure."""

import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.credentials import Credentials
from consumers.delivery.connection_pool import ConnectionPool, PooledConnection
from consumers.delivery.login_errors import BesideDeferred
from consumers.delivery.observed_limit import ObservedLimits
from tests.integration.platform import until
from tests.servers.fake import FakeServer, OpenGate, Place
from transports.base import Server
from transports.errors import ConnectionLost, LoginRefused, PathRefused, TransferError
from transports.tap import Taps


class Connection:
    """What several uploads use at once."""


@pytest.fixture
def pool() -> ConnectionPool:
    deps: Any = None  # nothing is connected to
    return ConnectionPool(deps, "acme", threading.Event())


def cut(connection: Connection) -> TransferError:
    failure = ConnectionLost("Connection reset by peer")
    failure.common = connection
    return failure


def refused() -> TransferError:
    failure = LoginRefused("530 No")
    failure.common = failure
    return failure


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_the_cut_connection_and_the_login_refused_after_it_are_one_failure(
    pool: ConnectionPool, order: tuple[int, ...]
) -> None:
    connection, refusal = Connection(), refused()
    failures = [cut(connection), cut(connection), refusal]
    lines = [PooledConnection(pool) for _ in failures]
    told = [pool.losses.is_counted(failures[each], lines[each].loss_count) for each in order]
    assert told == [False, True, True]


def test_who_begins_after_it_fails_anew(pool: ConnectionPool) -> None:
    first = PooledConnection(pool)
    assert not pool.losses.is_counted(cut(Connection()), first.loss_count)
    second = PooledConnection(pool)
    assert not pool.losses.is_counted(refused(), second.loss_count)
    third = PooledConnection(pool)
    assert not pool.losses.is_counted(refused(), third.loss_count)


def test_what_is_shared_with_nobody_counts_by_itself(pool: ConnectionPool) -> None:
    lines = [PooledConnection(pool) for _ in range(3)]
    assert not pool.losses.is_counted(cut(Connection()), lines[0].loss_count)
    assert not pool.losses.is_counted(PathRefused("550 No"), lines[1].loss_count)
    assert not pool.losses.is_counted(PathRefused("550 No"), lines[2].loss_count)


# --- sessions of a pool that are connections of their own ----------------------------------------


@pytest.fixture
def settings() -> FtpSettings:
    return FtpSettings(protocol=Protocol.FTP, host="h", username="u")


class OwnConnection(FakeServer):
    """A session over a connection of its own, as those of FTP are."""

    asked = 0
    """How often somebody wanted to know whether it stands."""

    def another(self) -> FakeServer:
        return OwnConnection(self._place)

    def answers(self) -> bool:
        self.asked += 1
        return True


@pytest.fixture
def gate() -> OpenGate:
    return OpenGate()


@pytest.fixture
def connected(gate: OpenGate, monkeypatch: pytest.MonkeyPatch) -> ConnectionPool:
    """Whose sessions are of that kind."""
    monkeypatch.setattr("transports.backends.connect", lambda *_, **__: OwnConnection(Place()))
    directory = SimpleNamespace(credentials_for=lambda *_: Credentials(SecretStr("secret")))
    deps: Any = SimpleNamespace(
        directory=directory,
        logins=gate,
        limits=None,
        egress=None,
        observe=lambda _seen: None,
        observed_limits=ObservedLimits(),
        taps=Taps(),
    )
    return ConnectionPool(deps, "acme", threading.Event())


def lost() -> TransferError:
    failure = ConnectionLost("Connection reset by peer")
    failure.common = failure
    return failure


def test_a_loss_that_is_told_while_a_session_is_taken_is_one_failure_with_its_own(
    connected: ConnectionPool, settings: FtpSettings
) -> None:
    first, second = PooledConnection(connected), PooledConnection(connected)
    first.open(settings)
    second.open(settings)
    second.keep()
    third = PooledConnection(connected)
    login_waits = connected.wait_for_session

    def told_meanwhile(wanted: FtpSettings) -> Any:
        """The third one has the session in its hands when the first one tells of the loss."""
        server = login_waits(wanted)
        first.discard()
        assert not connected.losses.is_counted(lost(), first.loss_count)
        return server

    vars(connected)["wait_for_session"] = told_meanwhile
    third.open(settings)
    assert connected.losses.is_counted(lost(), third.loss_count)


def test_a_session_that_fails_after_those_beside_it_have_ended_had_others(
    connected: ConnectionPool, settings: FtpSettings
) -> None:
    """What the server refused it while they stood is no failure of the only upload."""
    first, second, third = (PooledConnection(connected) for _ in range(3))
    first.open(settings)
    second.open(settings)
    third.open(settings)
    third.discard()
    second.keep()
    connected.close()
    first.discard()
    assert (first.others, second.others, third.others) == (2, 0, 2)


def test_a_session_that_is_taken_again_alone_has_no_others(
    connected: ConnectionPool, settings: FtpSettings
) -> None:
    first, second = PooledConnection(connected), PooledConnection(connected)
    first.open(settings)
    second.open(settings)
    second.discard()
    first.keep()
    again = PooledConnection(connected)
    again.open(settings)
    again.discard()
    assert again.others == 0


def test_a_session_in_use_while_another_one_fails_is_asked_whether_it_stands_before_the_next_file(
    connected: ConnectionPool, settings: FtpSettings
) -> None:
    first, second = PooledConnection(connected), PooledConnection(connected)
    first.open(settings)
    server = second.open(settings)
    assert isinstance(server, OwnConnection)
    first.discard()
    second.keep()
    assert PooledConnection(connected).open(settings) is server
    assert server.asked == 1


def test_a_session_that_others_logins_come_before_waits_for_one_of_its_own(
    connected: ConnectionPool,
    gate: OpenGate,
    settings: FtpSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_deferred = threading.Event()

    def defer(*_: Any) -> Server:
        is_deferred.set()
        raise BesideDeferred

    monkeypatch.setattr(gate, "log_in_beside", defer)
    first, second = PooledConnection(connected), PooledConnection(connected)
    server, opened = first.open(settings), list[Server]()
    thread = threading.Thread(target=lambda: opened.append(second.open(settings)))
    thread.start()
    assert is_deferred.wait(60)
    first.keep()
    thread.join(60)
    assert opened == [server]
    assert second.others == 0
    until(lambda: connected.limit.sessions >= 4, "the moment to be over")
