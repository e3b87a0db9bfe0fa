"""Queues are deleted, events come twice and in any order."""

import json
import random

import pika
import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.conftest import Tell
from tests.faults.scene import CALM, Scene
from tests.integration.platform import until
from tests.servers.misbehaving import Mood


@pytest.mark.parametrize("moment", ["while it rests", "during an upload"])
def test_row_14_a_deleted_queue_is_declared_and_filled_again_from_the_ledger(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, moment: str
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    mood.held = True
    if moment == "while it rests":
        ground.platform.core.ledger.accounts.pause("acme")
    ground.start()
    ids = ground.publish("acme", 25)
    ground.platform.wait_routed(ids)
    if moment == "during an upload":
        until(lambda: mood.uploads, "an upload")
    delete(ground, "deliveries.acme")
    mood.held = False
    ground.platform.core.ledger.accounts.resume("acme")
    ground.wait_delivered()
    ground.account_for_all()
    assert [row["tries"] for row in ground.rows().values()] == [0] * 25
    assert sorted(mood.renamed) == ids
    tell("25 files published again by the ledger, each sent once, tries 0")


def delete(ground: Scene, queue: str) -> None:
    url = ground.platform.core.settings.amqp_url.get_secret_value()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()


def test_row_15_duplicate_and_reordered_events_are_one_upload_each(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    workers = [ground.start(lease_seconds=CALM) for _ in range(2)]
    ids = ground.publish("acme", 20)
    bodies = [event(ground, name) for name in ids] * 3
    random.shuffle(bodies)
    for body in bodies:
        ground.platform.publish_raw(body)
    ground.wait_delivered()
    ground.account_for_all()
    assert all(worker.exit_code is None for worker in workers)
    assert sorted(mood.uploads) == sorted({*mood.uploads})
    assert sorted(mood.renamed) == ids
    tell("80 events of 20 recordings in any order: 20 uploads")


def event(ground: Scene, name: str) -> bytes:
    source = ground.platform.folder / name
    body = {"recording_id": name, "account_id": "acme", "file_url": source.as_uri()}
    return json.dumps(body).encode()
