"""Rule 13 of docs/rules.md: what several uploads have lost together is one failure."""

import itertools
import threading
from typing import Any

import pytest

from consumers.delivery.line import Line
from consumers.delivery.login import Login
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
