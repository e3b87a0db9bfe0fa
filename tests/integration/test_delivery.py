"""Recordings reach a real server, from the pipeline's event to the acknowledgement."""

import hashlib
import time
from pathlib import Path

import pytest

from config.accounts import DeliveryMethod, LogonType, Protocol
from config.directory import Number
from consumers.delivery.connection_pool import STALE_SECONDS
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd, Vsftpd
from tests.servers.misbehaving import Mood, moody_server

NAMES = [f"call-{number:02}.wav" for number in range(10)]


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier()


def test_recordings_reach_an_openssh_server_whole(courier: Platform, sshd: Sshd) -> None:
    courier.account("acme", sshd.customer, Protocol.SFTP, path="calls/2026")
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        for recording_id in ids:
            assert courier.wait_status(recording_id, "delivered")["verified"] == "size"
        courier.account_for("acme", sshd.root)
    assert sorted(path.name for path in (sshd.root / "calls/2026").iterdir()) == NAMES


def test_recordings_reach_vsftpd_whole(courier: Platform, vsftpd: Vsftpd) -> None:
    courier.account("acme", vsftpd.customer, Protocol.FTP, path="calls/2026")
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        for recording_id in ids:
            assert courier.wait_status(recording_id, "delivered")["verified"] == "size"
        courier.account_for("acme", vsftpd.root)
    assert sorted(path.name for path in (vsftpd.root / "calls/2026").iterdir()) == NAMES


def test_one_login_serves_an_accounts_files_one_after_another_in_order(
    courier: Platform, customer: AsyncSshServer, mood: Mood
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    with running(courier):
        for recording_id in courier.publish_many("acme", NAMES):
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert customer.logins == 1
    assert mood.renamed == NAMES
    assert mood.most_at_once == 1


def test_the_login_is_kept_for_what_comes_next_and_ends_with_the_session(
    courier: Platform, customer: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 1.0)
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        (first,) = courier.publish_many("acme", ["first.wav"])
        courier.wait_status(first, "delivered")
        (second,) = courier.publish_many("acme", ["second.wav"])
        courier.wait_status(second, "delivered")
        assert customer.logins == 1
        until(lambda: not customer._connections, "the session to log out")
        (third,) = courier.publish_many("acme", ["third.wav"])
        courier.wait_status(third, "delivered")
        assert customer.logins == 2
        courier.account_for("acme", customer.root)


def test_interactive_logon_answers_the_servers_question(courier: Platform, tmp_path: Path) -> None:
    with moody_server(tmp_path / "asks", Mood(), logon=("keyboard-interactive",)) as server:
        courier.account(
            "acme", server.customer, Protocol.SFTP, logon_type=LogonType.INTERACTIVE.value
        )
        with running(courier):
            for recording_id in courier.publish_many("acme", NAMES):
                courier.wait_status(recording_id, "delivered")
            courier.account_for("acme", server.root)
        assert server.logins == 1


def test_a_name_is_never_a_path_and_stands_as_it_was_given(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, path="calls")
    stands = {
        "../../etc/passwd": ".._.._etc_passwd",
        "..\\up.wav": ".._up.wav",
        "line\r\nbreak\x00.wav": "line__break_.wav",
        "Gespräch 電話 🎧.wav": "Gespräch 電話 🎧.wav",
        "ü" * 200 + ".wav": "ü" * 125 + ".wav",
        "x" * 251 + ".wav": "x" * 251 + ".wav",
        " ": "source.bin",
        "-rf.wav": "-rf.wav",
        "plain.part": "plain.part",
    }
    source = courier.recording("source.bin")
    with running(courier):
        ids = [courier.publish("acme", source, file_name=given) for given in stands]
        rows = [courier.wait_status(recording_id, "delivered") for recording_id in ids]
        courier.account_for("acme", customer.root)
    assert [row["remote_path"] for row in rows] == [f"calls/{name}" for name in stands.values()]


def test_a_second_recording_of_the_same_name_never_overwrites_the_first(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    (customer.root / "own.wav").write_bytes(b"the customer's own")
    with running(courier):
        ids = [
            courier.publish("acme", courier.recording(f"{number}.wav"), file_name="call.wav")
            for number in range(3)
        ]
        ids.append(courier.publish("acme", courier.recording("mine.wav"), file_name="own.wav"))
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root, own=["own.wav"])
    names = ["call (2).wav", "call (3).wav", "call.wav", "own (2).wav", "own.wav"]
    assert sorted(path.name for path in customer.root.iterdir()) == names
    assert (customer.root / "own.wav").read_bytes() == b"the customer's own"


def test_a_file_of_the_customers_own_is_never_overwritten_over_ftp(
    courier: Platform, vsftpd: Vsftpd
) -> None:
    courier.account("acme", vsftpd.customer, Protocol.FTP)
    (vsftpd.root / "call.wav").write_bytes(b"the customer's own")
    with running(courier):
        ids = [
            courier.publish("acme", courier.recording(f"{number}.wav"), file_name="call.wav")
            for number in range(2)
        ]
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", vsftpd.root, own=["call.wav"])
    assert (vsftpd.root / "call.wav").read_bytes() == b"the customer's own"


def test_an_empty_recording_one_without_a_size_and_a_large_one_arrive_whole(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    large = bytes(range(256)) * 4096 * 5
    with running(courier):
        ids = [
            courier.publish("acme", courier.recording("empty.wav", b""), size=0),
            courier.publish("acme", courier.recording("empty-2.wav", b"")),
            courier.publish("acme", courier.recording("no-size.wav", b"some")),
            courier.publish(
                "acme",
                courier.recording("large.wav", large),
                size=len(large),
                sha256=hashlib.sha256(large).hexdigest(),
            ),
        ]
        rows = [courier.wait_status(recording_id, "delivered") for recording_id in ids]
        courier.account_for("acme", customer.root)
    assert [row["size"] for row in rows] == [0, 0, 4, len(large)]
    assert rows[-1]["sha256"] == hashlib.sha256(large).hexdigest()


def test_duplicates_are_delivered_once_and_conflicts_are_invalid(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    source, other = courier.recording("call.wav"), courier.recording("other.wav")
    with running(courier):
        for _ in range(5):
            courier.publish("acme", source, recording_id="one")
        courier.publish("acme", source, recording_id="one", file_name="renamed.wav")
        courier.wait_status("one", "delivered")
        courier.publish("acme", other, recording_id="one")
        courier.wait_length("recordings.invalid", 1)
        (message,) = courier.messages("recordings.invalid")
        assert message[0]["x-courier-reason"] == "conflict"
        courier._published["one"] = source.read_bytes()
        courier.account_for("acme", customer.root)


def test_hostile_events_are_set_aside_with_a_reason_and_stop_nobody(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    courier.core.directory.create("other")
    courier.core.directory.set_number(Number("+44", "other", DeliveryMethod.FTP))
    known = '{"recording_id":"r%d","account_id":"acme","file_url":"file:///a/b.wav"%s}'
    hostile = [
        b"",
        b"[]",
        b"\xff\xfe",
        b'{"recording_id": NaN}',
        (known % (1, ',"x":"\\ud800"')).encode(),
        (known % (2, ',"x":' + "[" * 400 + "]" * 400)).encode(),
        (known % (3, ',"x":' + "[" * 30_000 + "]" * 30_000)).encode(),
        (known % (4, ',"x":"' + "x" * 66_000 + '"')).encode(),
        (known % (5, ',"file_name":".."')).encode(),
        (known % (6, ',"size":-1')).encode(),
        (known % (7, ',"number":"+44"')).encode(),
        (known % (8, "")).replace("acme", "nobody").encode(),
        (known % (9, "")).replace("file:///a/b.wav", "gcs://bucket/b.wav").encode(),
    ]
    with running(courier):
        for body in hostile:
            courier.publish_raw(body)
        (good,) = courier.publish_many("acme", ["good.wav"])
        courier.wait_status(good, "delivered")
        courier.account_for("acme", customer.root)
        courier.wait_length("recordings.invalid", len(hostile))
        courier.wait_length("recordings.ready", 0)
        found = courier.messages("recordings.invalid")
    assert [body for _, body in found] == hostile
    assert all(headers["x-courier-reason"] for headers, _ in found)


def test_recordings_of_a_number_set_to_email_are_skipped(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    courier.core.directory.set_number(Number("+44", "acme", DeliveryMethod.EMAIL))
    courier.core.directory.set_number(Number("+45", "acme", DeliveryMethod.FTP_AND_EMAIL))
    with running(courier):
        skipped = courier.publish("acme", courier.recording("mailed.wav"), number="+44")
        sent = courier.publish("acme", courier.recording("sent.wav"), number="+45")
        courier.wait_status(skipped, "skipped")
        courier.wait_status(sent, "delivered")
    assert [path.name for path in customer.root.iterdir()] == ["sent.wav"]


def test_a_server_that_has_ended_an_idle_session_has_not_failed(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with running(courier):
        courier.wait_status(courier.publish("acme", courier.recording("one.wav")), "delivered")
        asyncssh_server.stop()
        asyncssh_server.start()
        time.sleep(STALE_SECONDS)
        row = courier.wait_status(
            courier.publish("acme", courier.recording("two.wav")), "delivered"
        )
        courier.account_for("acme", asyncssh_server.root)
    assert (row["tries"], row["last_error"]) == (0, None)
