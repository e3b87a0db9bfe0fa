"""Recordings reach a real server, from the pipeline's event to the acknowledgement."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.platform import Platform, platform, running, settings_for, until
from tests.servers import Sshd


@pytest.fixture
def courier(
    amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[Platform]:
    settings = settings_for(amqp_url, mongodb_url, smtp_sink.url)
    with platform(settings, tmp_path / "recordings") as made:
        yield made


def test_recordings_reach_an_openssh_server_whole(courier: Platform, sshd: Sshd) -> None:
    courier.account("acme", sshd.customer, Protocol.SFTP, path="calls/2026")
    with running(courier):
        ids = [
            courier.publish("acme", courier.recording(f"call-{number}.wav")) for number in range(10)
        ]
        for recording_id in ids:
            row = courier.wait_status(recording_id, "delivered")
            assert row["verified"] == "size"
        until(lambda: courier.queue_length("deliveries.acme") == 0, "an empty queue")
    delivered = sorted(path.name for path in (sshd.root / "calls/2026").iterdir())
    assert delivered == sorted(f"call-{number}.wav" for number in range(10))
