"""Whose account is removed, switched off or no longer permitted, that one's uploads are cut."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood
from transports.sources.source import OpenSource

SECONDS = 20.0
"""Much less than any time limit of an upload, and enough on a machine that is busy."""


def remove(courier: Platform) -> None:
    courier.core.ledger.retention.discard_queued("acme")
    courier.core.directory.remove("acme")


def disable(courier: Platform) -> None:
    courier.core.directory.set_enabled("acme", enabled=False)


def revoke(courier: Platform) -> None:
    courier.core.directory.set_ftp_access("acme", granted=False)


WAYS: list[Callable[[Platform], None]] = [remove, disable, revoke]


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier()


class Endless:
    """A recording that never ends; without `flows` its next block never comes."""

    size = None

    def __init__(self, *, flows: bool) -> None:
        self._flows = flows
        self.begun = threading.Event()
        self.was_cut = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        while not self.was_cut.is_set():
            yield bytes(1000)
            self.begun.set()
            self.was_cut.wait(0.01 if self._flows else None)
        raise OSError("cut")

    def cut(self) -> None:
        self.was_cut.set()


@contextmanager
def reading(monkeypatch: pytest.MonkeyPatch, source: Endless) -> Iterator[None]:
    @contextmanager
    def opened(_url: str, **_: Any) -> Iterator[OpenSource]:
        yield source

    monkeypatch.setattr("consumers.delivery.flight.open_source", opened)
    yield


def wait_ended(courier: Platform, recording_id: str) -> None:
    until(lambda: courier.row(recording_id)["claim"] is None, "the upload to be cut", SECONDS)
    row = courier.row(recording_id)
    assert (row["tries"], row.get("last_error")) == (0, None)
    assert row["status"] in {"queued", "discarded"}


@pytest.mark.parametrize("act", WAYS)
@pytest.mark.parametrize("flows", [True, False])
def test_an_upload_of_a_source_without_end_is_cut_and_what_it_has_written_removed(
    courier: Platform,
    customer: AsyncSshServer,
    monkeypatch: pytest.MonkeyPatch,
    act: Callable[[Platform], None],
    *,
    flows: bool,
) -> None:
    source = Endless(flows=flows)
    courier.account("acme", customer.customer, Protocol.SFTP)
    with reading(monkeypatch, source), running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        assert source.begun.wait(SECONDS)
        until(lambda: [*customer.root.rglob("*.part")], "what is written")
        act(courier)
        wait_ended(courier, recording_id)
        until(lambda: not service._scheduler.busy_buckets(), "the session to end", SECONDS)
        assert [*customer.root.rglob("*")] == []


@pytest.mark.parametrize("flows", [True, False])
def test_over_ftp_too(
    courier: Platform,
    pyftpd_server: PyFtpServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    flows: bool,
) -> None:
    source = Endless(flows=flows)
    courier.account("acme", pyftpd_server.customer, Protocol.FTP)
    with reading(monkeypatch, source), running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        assert source.begun.wait(SECONDS)
        remove(courier)
        wait_ended(courier, recording_id)
        until(lambda: not service._scheduler.busy_buckets(), "the session to end", SECONDS)
        root = pyftpd_server.customer.root
        until(lambda: not [*root.rglob("*")], "what is written to be removed")


@pytest.mark.parametrize("act", WAYS)
def test_an_upload_to_a_server_that_does_not_go_on_is_cut(
    courier: Platform, customer: AsyncSshServer, mood: Mood, act: Callable[[Platform], None]
) -> None:
    mood.held = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier) as service:
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: mood.open_now == 1, "the upload")
        act(courier)
        wait_ended(courier, recording_id)
        until(lambda: not service._scheduler.busy_buckets(), "the session to end", SECONDS)
        assert customer.logins == 1
        mood.held = False


def test_one_that_is_permitted_again_is_delivered_and_nothing_is_left(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    mood.held = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: mood.open_now == 1, "the upload")
        revoke(courier)
        wait_ended(courier, recording_id)
        mood.held = False
        courier.core.directory.set_ftp_access("acme", granted=True)
        courier.core.ledger.accounts.wake("acme")
        courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)


def test_an_upload_that_has_not_come_to_its_place_does_not_come_there_any_more(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    """It is revoked right before the rename."""
    courier.account("acme", customer.customer, Protocol.SFTP)
    go_on = threading.Event()

    def wait() -> None:
        go_on.wait(SECONDS)

    with running(courier) as service:
        mood.when["uploaded"] = wait
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: [*customer.root.rglob("*.part")], "what is written")
        revoke(courier)
        sessions = [*service._scheduler._running.values()]
        until(lambda: bool(sessions[0]._revocation), "the session to know", SECONDS)
        go_on.set()
        wait_ended(courier, recording_id)
    assert mood.renamed == []


def test_an_upload_goes_on_while_its_account_is_paused(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    mood.held = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: mood.open_now == 1, "the upload")
        courier.core.ledger.accounts.pause("acme")
        mood.held = False
        courier.wait_status(recording_id, "delivered")
