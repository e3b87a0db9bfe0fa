"""Ports that tests and the demonstration listen on."""

import socket

import pytest

from deploy.local import processes
from deploy.local.processes import ServiceError, free_port, free_ports, give_back, kept_ports


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> range:
    """All that there are."""
    all_free = free_ports(200)
    monkeypatch.setattr(processes, "_ports", lambda: all_free)
    return all_free


def test_a_port_is_given_again_only_after_all_others(few: range) -> None:
    """Whoever has it may not listen yet."""
    given = [free_port() for _ in range(len(few) - 10)]
    assert len(set(given)) == len(given)


def test_ports_in_a_row_are_nobody_elses() -> None:
    given = [port for _ in range(4) for port in (free_port(), *free_ports(30))]
    assert len(set(given)) == len(given)


def test_a_port_that_somebody_listens_on_is_not_given(few: range) -> None:
    with socket.create_server(("127.0.0.1", few[50])):
        assert few[50] not in {free_port() for _ in range(2 * len(few))}
        assert few[50] not in free_ports(100)


def test_ports_of_a_server_that_lives_are_not_given_though_nobody_listens_on_them(
    few: range,
) -> None:
    kept = kept_ports(120)
    try:
        given = [port for _ in range(3 * len(few)) for port in (free_port(), *free_ports(30))]
    finally:
        give_back(kept)
    assert not set(given) & set(kept)
    assert set(kept) <= {free_port() for _ in range(2 * len(few))}, "once it has stopped they are"


def test_where_living_servers_keep_all_ports_others_are_still_given_some(few: range) -> None:
    kept = [kept_ports(len(few) // 4) for _ in range(6)]
    try:
        assert len(free_ports(20)) == 20
    finally:
        for each in kept:
            give_back(each)


def test_more_than_there_are_are_not_to_be_had(few: range) -> None:
    with pytest.raises(ServiceError):
        free_ports(len(few) + 1)


def test_where_all_are_taken_that_is_said(monkeypatch: pytest.MonkeyPatch, few: range) -> None:
    monkeypatch.setattr(processes, "_ports", lambda: few[:1])
    with socket.create_server(("127.0.0.1", few[0])), pytest.raises(ServiceError):
        free_port()
