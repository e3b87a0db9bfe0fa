"""Rule 13 of docs/rules.md: what several uploads have lost together is one failure."""

import itertools
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from consumers.delivery.line import Line
from consumers.delivery.login import Login
from tests.servers.fake import FakeServer, Place
from transports.errors import ConnectionLost, LoginRefused, PathRefused, TransferError


class Connection:
    """What several uploads use at once."""


@pytest.fixture
def login() -> Login:
    means: Any = None  # nothing is connected to
    return Login(means, "acme", threading.Event())


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
    login: Login, order: tuple[int, ...]
) -> None:
    connection, refusal = Connection(), refused()
    failures = [cut(connection), cut(connection), refusal]
    lines = [Line(login) for _ in failures]
    told = [login.is_told(failures[each], lines[each].losses) for each in order]
    assert told == [False, True, True]


def test_who_begins_after_it_fails_anew(login: Login) -> None:
    first = Line(login)
    assert not login.is_told(cut(Connection()), first.losses)
    second = Line(login)
    assert not login.is_told(refused(), second.losses)
    third = Line(login)
    assert not login.is_told(refused(), third.losses)


def test_what_is_shared_with_nobody_counts_by_itself(login: Login) -> None:
    lines = [Line(login) for _ in range(3)]
    assert not login.is_told(cut(Connection()), lines[0].losses)
    assert not login.is_told(PathRefused("550 No"), lines[1].losses)
    assert not login.is_told(PathRefused("550 No"), lines[2].losses)


# --- sessions of a login that are connections of their own ----------------------------------------


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
def connected(monkeypatch: pytest.MonkeyPatch) -> Login:
    """Whose sessions are of that kind."""
    monkeypatch.setattr("transports.server.connect", lambda *_: OwnConnection(Place()))
    directory = SimpleNamespace(password_for=lambda *_: SecretStr("secret"))
    means: Any = SimpleNamespace(
        directory=directory, limits=None, egress=None, observe=lambda _seen: None
    )
    return Login(means, "acme", threading.Event())


def lost() -> TransferError:
    failure = ConnectionLost("Connection reset by peer")
    failure.common = failure
    return failure


def test_a_loss_that_is_told_while_a_session_is_taken_is_one_failure_with_its_own(
    connected: Login, settings: FtpSettings
) -> None:
    first, second = Line(connected), Line(connected)
    first.open(settings)
    second.open(settings)
    second.keep()
    third = Line(connected)
    login_waits = connected.wait_for_session

    def told_meanwhile(wanted: FtpSettings) -> Any:
        """The third one has the session in its hands when the first one tells of the loss."""
        server = login_waits(wanted)
        first.discard()
        assert not connected.is_told(lost(), first.losses)
        return server

    vars(connected)["wait_for_session"] = told_meanwhile
    third.open(settings)
    assert connected.is_told(lost(), third.losses)


def test_a_session_in_use_while_another_one_fails_is_asked_whether_it_stands_before_the_next_file(
    connected: Login, settings: FtpSettings
) -> None:
    first, second = Line(connected), Line(connected)
    first.open(settings)
    server = second.open(settings)
    assert isinstance(server, OwnConnection)
    first.discard()
    second.keep()
    assert Line(connected).open(settings) is server
    assert server.asked == 1
