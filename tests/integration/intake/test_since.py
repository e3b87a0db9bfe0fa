"""What lies in `recordings.invalid` says since when, whoever has put it there."""

import json
import time
from pathlib import Path

from pika import BasicProperties

from config.accounts import Protocol
from consumers.amqp import topology
from consumers.amqp.browser import Message, browse
from deploy.local.customers import PyFtpServer
from tests.integration.platform import MakeCourier, Platform, running, until


def test_each_message_says_since_when_it_lies_there(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    courier = make_courier()
    root = tmp_path / "ftp"
    root.mkdir()
    began = int(time.time())
    with PyFtpServer(root) as ftp, running(courier):
        courier.account("acme", ftp.customer, Protocol.FTP)
        first = courier.publish("acme", courier.recording("call.wav"))
        courier.wait_status(first, "delivered")
        courier.publish_raw(b"no event")
        _put_into_an_accounts_queue(courier)
        until(lambda: courier.queue_length(topology.INVALID.name) == 2, "both to lie there")
    found = _found(courier)
    assert [reason.split(":")[0] for reason, _ in found] == ["malformed", "unknown-recording"]
    assert all(since is not None and began <= since <= time.time() for _, since in found)


def _put_into_an_accounts_queue(courier: Platform) -> None:
    event = {"recording_id": "nobodys", "account_id": "acme", "file_url": "file:///a.wav"}
    with courier._channel() as channel:
        channel.confirm_delivery()
        channel.basic_publish(
            topology.DELIVERIES.name,
            "acme",
            json.dumps(event).encode(),
            BasicProperties(delivery_mode=2),
            mandatory=True,
        )


def _found(courier: Platform) -> list[tuple[str, float | None]]:
    """Reasons, and since when, in seconds after 1970."""
    found: list[tuple[str, float | None]] = []

    def look(message: Message) -> bool:
        since = None if message.since is None else message.since.timestamp()
        found.append((message.headers["x-courier-reason"], since))
        return False

    browse(courier.core.settings.rabbitmq, topology.INVALID.name, look)
    return sorted(found)
