"""Tests of settings and "try now": one tenant's never take what others need."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from config.permissions import Principal
from tests.integration.console import LIMIT, Console, serving
from tests.integration.platform import MakeCourier
from worker.console import validation
from worker.console.limits import TRY_NOW, TooManyRequests
from worker.console.validation import AT_ONCE, AT_ONCE_EACH, Run, TooManyTests
from worker.ftp_settings import NOTHING_GIVEN

TARGET = {"protocol": "sftp", "host": "127.0.0.1", "port": 9, "username": "x"}
ANNA, BERT = Principal("anna", "top"), Principal("bert", "top.0")
OTHER, THIRD = Principal("olga", "other"), Principal("tom", "third")
PROVIDER = Principal("admin", None)


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """One whose tests wait until they may go on, and then save nothing."""
    courier, may_end = make_courier(), threading.Event()

    def held(*_arguments: Any, **_named: Any) -> Any:
        assert may_end.wait(LIMIT)
        raise validation._GivenUp

    monkeypatch.setattr(validation, "change", held)
    for name in ("top", "other", "third", "fourth"):
        courier.core.directory.create(name, ftp_access=True)
    for number in range(AT_ONCE + 2):
        courier.core.directory.create(f"top.{number}", parent="top", ftp_access=True)
    try:
        with serving(courier) as console:
            yield console
            may_end.set()
    finally:
        may_end.set()


def start(console: Console, principal: Principal, account_id: str) -> Run:
    return console.services.validations.start(principal, account_id, TARGET, NOTHING_GIVEN)


def test_tests_are_counted_by_the_top_account_whoever_beneath_it_asks(console: Console) -> None:
    for number in range(AT_ONCE_EACH):
        start(console, (ANNA, BERT)[number % 2], f"top.{number}")

    for principal, account_id in ((ANNA, "top"), (BERT, "top.0"), (ANNA, "top.4")):
        with pytest.raises(TooManyTests):
            start(console, principal, account_id)
    start(console, OTHER, "other")


def test_one_slot_is_the_providers_whatever_its_tenants_do(console: Console) -> None:
    start(console, ANNA, "top.1")
    start(console, ANNA, "top.2")
    start(console, OTHER, "other")
    with pytest.raises(TooManyTests, match="try again in a minute"):
        start(console, THIRD, "third")

    start(console, PROVIDER, "fourth")

    with pytest.raises(TooManyTests):
        start(console, PROVIDER, "third")


def test_what_the_provider_tests_is_not_counted_against_the_tenant(console: Console) -> None:
    for number in range(AT_ONCE_EACH):
        start(console, PROVIDER, f"top.{number}")

    start(console, ANNA, "top.4")


def test_try_now_is_bounded_for_a_tenant_and_not_for_the_provider(console: Console) -> None:
    limits = console.services.limits
    for _ in range(TRY_NOW.burst):
        limits.try_now(ANNA, "top.1")
    with pytest.raises(TooManyRequests, match="wait a minute") as refused:
        limits.try_now(BERT, "top.1")
    assert refused.value.seconds >= 1

    limits.try_now(ANNA, "top.2")
    for _ in range(TRY_NOW.burst + 1):
        limits.try_now(PROVIDER, "top.1")
