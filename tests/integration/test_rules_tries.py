"""Rules 1 to 3 of docs/rules.md: what a try is, when a file is dead, and who goes first."""

import hashlib
from pathlib import Path

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Vsftpd
from tests.servers.misbehaving import Mood

DELAYS = (0.0, 0.2, 0.4, 0.8)
GOOD = [f"good-{number:02}.wav" for number in range(12)]


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=DELAYS)


def test_a_poison_file_among_good_ones_dies_at_its_fifth_try_and_the_others_flow(
    courier: Platform, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink
) -> None:
    told = ("it@acme.example",)
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=told, uploads=1)
    mood.refused_names.add("poison.wav")
    with running(courier):
        good = courier.publish_many("acme", GOOD[:6])
        (poison,) = courier.publish_many("acme", ["poison.wav"])
        good += courier.publish_many("acme", GOOD[6:])
        row = courier.wait_status(poison, "dead_lettered")
        for recording_id in good:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root, dead=[poison])
        run = courier.run_state("acme")
    assert row["tries"] == 5
    assert (row["reason"], row["last_error"]["kind"]) == ("file", "file")
    ((headers, body),) = courier.messages("dead-letters.acme")
    assert headers["x-courier-tries"] == 5
    assert headers["x-courier-reason"] == "file"
    assert poison.encode() in body
    assert mood.renamed == GOOD
    assert run.state is State.ACTIVE
    assert run.suspensions == 0
    assert not smtp_sink.messages


def test_a_recording_that_cannot_be_read_dies_alone_and_blames_nobody(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=("it@acme.example",))
    wrong = hashlib.sha256(b"something else").hexdigest()
    with running(courier):
        dead = [
            courier.publish("acme", courier.folder / "missing.wav"),
            courier.publish("acme", courier.recording("short.wav"), size=1),
            courier.publish("acme", courier.recording("long.wav"), size=10**9),
            courier.publish("acme", courier.recording("hash.wav"), sha256=wrong),
            courier.publish("acme", courier.folder),
        ]
        good = courier.publish_many("acme", GOOD)
        for recording_id in dead:
            row = courier.wait_status(recording_id, "dead_lettered")
            assert (row["tries"], row["reason"]) == (5, "source")
        for recording_id in good:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root, dead=dead)
        run = courier.run_state("acme")
    for headers, _ in courier.messages("dead-letters.acme"):
        assert (headers["x-courier-tries"], headers["x-courier-reason"]) == (5, "source")
    assert (run.state, run.failures, run.suspensions) == (State.ACTIVE, 0, 0)
    assert not smtp_sink.messages


def test_a_failure_of_the_source_resets_no_count(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.add("poison.wav")
    with running(courier):
        dead = courier.publish_many("acme", ["poison.wav"])
        courier.wait_status(dead[0], "dead_lettered")
        dead.append(courier.publish("acme", courier.folder / "missing.wav"))
        courier.wait_status(dead[1], "dead_lettered")
        assert courier.run_state("acme").failures == 5
        good = courier.publish_many("acme", ["good.wav"])
        courier.wait_status(good[0], "delivered")
        until(lambda: courier.run_state("acme").failures == 0, "the count to be 0")
        courier.account_for("acme", customer.root, dead=dead)


def test_a_failed_file_yields_to_files_with_fewer_tries_also_at_delay_0(
    make_courier: MakeCourier, customer: AsyncSshServer, mood: Mood
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.refused_names.add("poison.wav")
    ids: list[str] = []
    with running(courier):
        courier.core.ledger.accounts.pause("acme")
        ids = courier.publish_many("acme", ["poison.wav", *GOOD])
        courier.wait_length("deliveries.acme", len(ids))
        courier.core.ledger.accounts.resume("acme")
        courier.wait_status(ids[0], "dead_lettered")
        for recording_id in ids[1:]:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root, dead=ids[:1])
    assert mood.renamed == GOOD
    parts = list(dict.fromkeys(mood.uploads))
    assert len(parts) == len(GOOD) + 5
    first_and_last_tries = [index for index, part in enumerate(parts) if _is_of(part, parts[0])]
    assert first_and_last_tries == [0, *range(len(GOOD) + 1, len(GOOD) + 5)]


def test_a_failed_file_waits_its_delay(make_courier: MakeCourier, customer: AsyncSshServer) -> None:
    delays = (0.2, 0.4, 0.6, 0.8)
    courier = make_courier(retry_delays=delays)
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        dead = courier.publish("acme", courier.folder / "missing.wav")
        row = courier.wait_status(dead, "dead_lettered")
        courier.account_for("acme", customer.root, dead=[dead])
    took = (row["dead_at"] - row["created_at"]).total_seconds()
    assert sum(delays) <= took <= sum(delays) + 3


def test_a_delay_longer_than_the_session_is_waited_for_without_one(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    mood: Mood,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 0.3)
    courier = make_courier(retry_delays=(2.0,))
    courier.account("acme", customer.customer, Protocol.SFTP)
    mood.refused_names.add("call.wav")
    with running(courier):
        (recording,) = courier.publish_many("acme", ["call.wav"])
        until(lambda: courier.row(recording).get("tries") == 1, "the first try")
        courier.wait_length("deliveries.acme", 1)
        until(lambda: not customer._connections, "the session to end")
        mood.refused_names.clear()
        row = courier.wait_status(recording, "delivered")
        courier.account_for("acme", customer.root)
    assert (row["delivered_at"] - row["created_at"]).total_seconds() >= 2


def test_more_failed_files_than_a_session_takes_at_once_do_not_hold_up_the_others(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=(0.0, 3.0, 0.0))
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        failing = [courier.publish("acme", courier.folder / f"no-{n}.wav") for n in range(25)]
        for recording_id in courier.publish_many("acme", GOOD):
            courier.wait_status(recording_id, "delivered")
        assert max(courier.row(recording_id)["tries"] for recording_id in failing) <= 2
        for recording_id in failing:
            courier.wait_status(recording_id, "dead_lettered")
        courier.account_for("acme", customer.root, dead=failing)


def test_a_name_that_vsftpd_refuses_is_a_failure_of_the_file(
    courier: Platform, tmp_path: Path
) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["deny_file={*poison*}"]) as server:
        courier.account("acme", server.customer, Protocol.FTP)
        with running(courier):
            ids = courier.publish_many("acme", ["poison.wav", *GOOD])
            row = courier.wait_status(ids[0], "dead_lettered")
            for recording_id in ids[1:]:
                courier.wait_status(recording_id, "delivered")
            courier.account_for("acme", server.root, dead=ids[:1])
        assert (row["tries"], row["reason"]) == (5, "file")


def _is_of(part: str, other: str) -> bool:
    """Whether two temporary names are of the same recording."""
    return part.rsplit("-", 1)[0] == other.rsplit("-", 1)[0]
