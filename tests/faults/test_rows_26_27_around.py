"""The mail server is down; recordings are missing, half written, replaced."""

import os
from pathlib import Path

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

IT = ("it@customer.example",)


def test_row_26_an_alert_arrives_once_when_the_mail_server_is_back(
    make_scene: MakeScene, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink, tell: Tell
) -> None:
    ground = make_scene(suspend_seconds=600, suspend_after=3)
    ground.customer("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    smtp_sink.stop()
    mood.read_only = True
    first, _ = ground.start(), ground.start()
    ground.publish("acme", 3)
    ground.platform.wait_state("acme", "suspended")
    wait(3)
    first.kill()
    smtp_sink.start()
    (mail,) = smtp_sink.wait_for(1, 60)
    wait(3)
    assert len(smtp_sink.messages) == 1
    assert mail.recipients == IT
    mood.read_only = False
    ground.platform.core.ledger.accounts.try_now("acme")
    ground.wait_delivered()
    ground.account_for_all()
    tell("down for a while and a worker killed meanwhile: one mail when it was back")


def test_row_27_a_recording_that_is_not_there_dies_alone_and_blames_nobody(
    make_scene: MakeScene, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink, tell: Tell
) -> None:
    ground = make_scene(suspend_after=2, retry_delays=(0.0,))
    ground.customer("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    ground.start()
    missing, short = "missing.wav", "short.wav"
    gone = ground.platform.folder / "gone.wav"
    half = ground.platform.recording("half.wav", b"half")
    ground.platform.publish("acme", gone, recording_id=missing)
    ground.platform.publish("acme", half, recording_id=short, size=5_000)
    published = ground.accounts["acme"].published
    published |= {missing: None, short: b"half"}
    (good,) = ground.publish("acme")
    for name in (missing, short):
        row = ground.platform.wait_status(name, "dead_lettered")
        assert (row["tries"], row["reason"]) == (5, "source")
    ground.wait_delivered(good)
    mood.seconds_a_write = 0.1
    (replaced,) = ground.publish("acme", size=8_000_000)  # more than is read ahead
    until(lambda: ground.platform.row(replaced).get("status") == "uploading", "its upload")
    sent = len(mood.uploads)
    content = b"another recording altogether" * 30_000
    replace(ground.platform.folder / replaced, content)
    published[replaced] = content
    ground.wait_delivered(replaced)
    ground.account_for_all()
    assert len(mood.uploads) > sent
    run = ground.platform.run_state("acme")
    assert (run.failures, run.suspensions) == (0, 0)
    assert not smtp_sink.messages
    tell("missing and half written: 5 tries, dead letter; replaced: sent anew, whole; no alert")


def replace(path: Path, content: bytes) -> None:
    """As a program does that writes beside and renames."""
    beside = path.with_suffix(".new")
    beside.write_bytes(content)
    os.replace(beside, path)  # noqa: PTH105 - in one step
