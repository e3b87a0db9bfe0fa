"""A file that fails at a server which is well is not the probe for ever, whatever it fails of."""

from functools import partial
from pathlib import Path

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, in_short, running, until
from tests.servers.misbehaving import Mood
from tests.servers.poison import FTP_WAYS, SFTP_WAYS, Way, poisoned
from transports.base import Limits

OTHERS = ["a.wav", "b.wav", "c.wav"]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.service.Limits", partial(Limits, stall=2.0))


def publish_together(courier: Platform) -> tuple[str, list[str]]:
    """The poison first, then the others: all in the queue before the first is tried."""
    courier.core.ledger.accounts.pause("acme")
    poison = courier.publish("acme", courier.recording("poison.wav"), recording_id="poison")
    others = courier.publish_many("acme", OTHERS)
    courier.wait_routed([poison, *others])
    courier.core.ledger.accounts.resume("acme")
    return poison, others


@pytest.mark.parametrize("way", [*SFTP_WAYS, *FTP_WAYS])
def test_the_poison_dies_alone_and_the_account_comes_back(
    make_courier: MakeCourier, tmp_path: Path, way: Way
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_after=1, suspend_seconds=0.3)
    protocol = Protocol.SFTP if way in SFTP_WAYS else Protocol.FTP
    with poisoned(tmp_path / "customer", "poison", way) as server, running(courier):
        courier.account("acme", server, protocol, uploads=1)
        poison, others = publish_together(courier)
        for recording_id in others:
            row = courier.wait_status(recording_id, "delivered")
            assert row["tries"] == 0
        row = courier.wait_status(poison, "dead_lettered")
        assert (row["tries"], row["reason"]) == (5, "file"), in_short(row)
        assert "took a test file just now" in row["last_error"]["advice"]
        (more,) = courier.publish_many("acme", ["more.wav"])
        courier.wait_status(more, "delivered")
        courier.wait_state("acme", State.ACTIVE)
        until(lambda: not [*server.root.rglob("*.part")], "what was cut to be removed")
        courier.account_for("acme", server.root, dead=[poison])
    assert courier.row(poison).get("casualty") is None


def test_a_test_file_is_removed_though_the_connection_was_cut_over_it(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_after=1, suspend_seconds=0.3)
    with poisoned(tmp_path / "c", "poison", "550 No", texts=1) as server, running(courier):
        courier.account("acme", server, Protocol.FTP, uploads=1)
        poison, others = publish_together(courier)
        for recording_id in others:
            courier.wait_status(recording_id, "delivered")
        courier.wait_status(poison, "dead_lettered")
        assert not [*server.root.rglob("courier-test-*")]


def test_a_server_that_takes_nothing_costs_the_probe_no_try_whatever_the_test_finds(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_after=1, suspend_seconds=0.3)
    mood.read_only = True
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        poison, others = publish_together(courier)
        until(lambda: courier.run_state("acme").suspensions >= 5, "probes")
        assert courier.row(poison)["tries"] == 1
        mood.read_only = False
        for recording_id in (poison, *others):
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)


def test_one_that_returns_as_an_outages_dead_letter_and_dies_again_dies_for_good(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    """Others are delivered between its tries: each of them would bring it back."""
    courier = make_courier(retry_delays=(0.0, 0.05))
    with poisoned(tmp_path / "customer", "poison", "denied") as server, running(courier):
        courier.account("acme", server, Protocol.SFTP, uploads=1)
        poison, others = publish_together(courier)
        for number in range(200):
            others += courier.publish_many("acme", [f"more-{number}.wav"])
            courier.wait_status(others[-1], "delivered")
            row = courier.row(poison)
            if row["status"] == "dead_lettered" and "casualty" not in row:
                break
        assert (row["status"], row["reason"]) == ("dead_lettered", "file"), in_short(row)
        courier.account_for("acme", server.root, dead=[poison])
