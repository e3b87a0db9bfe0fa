"""What fell off the route comes back to it by itself, and nothing is left lying at the customer."""

import pika

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until

NAMES = [f"call-{number}.wav" for number in range(5)]


def delete_queue(courier: Platform, queue: str) -> None:
    url = courier.core.settings.amqp_url.get_secret_value()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_delete(queue)
    connection.close()


def test_an_accounts_queue_that_was_deleted_is_declared_and_filled_again(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    courier.core.ledger.accounts.pause("acme")
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_length("deliveries.acme", len(ids))
        delete_queue(courier, "deliveries.acme")
        courier.core.ledger.accounts.resume("acme")
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", asyncssh_server.root)
    assert [courier.row(recording_id)["tries"] for recording_id in ids] == [0] * len(ids)


def test_what_a_dead_file_left_at_the_customer_is_removed_by_the_next_login(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with running(courier):
        dead = courier.publish("acme", "file:///nowhere/gone.wav")
        row = courier.wait_status(dead, "dead_lettered", limit=120)
        leftover = asyncssh_server.root / "courier-left.part"
        leftover.write_bytes(b"half")
        courier.core.database["deliveries"].update_one(
            {"_id": dead}, {"$set": {"parts": [{"start": row["starts"], "folder": "."}]}}
        )
        ((_, (path,)),) = courier.core.ledger.files.leftovers("acme")
        leftover.rename(asyncssh_server.root / path)
        courier.wait_status(courier.publish("acme", courier.recording("next.wav")), "delivered")
        until(lambda: not (asyncssh_server.root / path).exists(), "the leftover to be removed")
        until(lambda: not courier.row(dead)["parts"], "the row to say so")
