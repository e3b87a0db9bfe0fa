"""What fell off the route comes back to it by itself, and nothing is left lying at the customer."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pika
import pytest

from config.accounts import Protocol
from consumers.amqp.connection import NotRouted
from consumers.intake.routing import Router
from consumers.ledger import Routing
from consumers.upkeep.reconciler import route_unrouted
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running, until
from worker.core import open_messaging

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
        ((_, (path,)),) = courier.core.ledger.outcomes.leftovers("acme")
        leftover.rename(asyncssh_server.root / path)
        courier.wait_status(courier.publish("acme", courier.recording("next.wav")), "delivered")
        until(lambda: not (asyncssh_server.root / path).exists(), "the leftover to be removed")
        until(lambda: not courier.row(dead)["parts"], "the row to say so")


def test_a_file_that_makes_the_program_fail_keeps_no_other_from_its_route(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None was routed when its event came; the round of the reconciler makes up for it."""
    courier = make_courier()
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    route_all, poison = Router.route_all, "poison"

    def fails(router: Router, routings: Sequence[Routing]) -> dict[str, NotRouted]:
        if any(each.recording_id == poison for each in routings):
            raise OverflowError("what nobody foresaw")
        return route_all(router, routings)

    with running(courier):
        courier.wait_status(courier.publish_many("acme", ["first.wav"])[0], "delivered")
    with open_messaging(courier.core, lambda _: None) as messaging:
        ids = [poison, "other-1", "other-2"]
        for name in ids:
            body = json.dumps({"recording_id": name, "account_id": "acme"})
            courier.core.database["deliveries"].insert_one(row_of(courier, name, body))
        monkeypatch.setattr(Router, "route_all", fails)
        with pytest.raises(OverflowError):
            route_unrouted(courier.core.ledger, messaging.router)
        assert courier.row(poison)["routed_at"] is None
        assert all(courier.row(name)["routed_at"] for name in ids[1:])
        assert route_unrouted(courier.core.ledger, messaging.router) == 0


def row_of(courier: Platform, name: str, event: str) -> dict[str, Any]:
    """A row as the intake leaves it that died before it was routed."""
    delivered = courier.rows("acme")[0]
    long_ago = delivered["created_at"] - timedelta(hours=1)
    fresh = {"status": "queued", "routed_at": None, "unrouted_at": long_ago, "event": event}
    kept = {key: value for key, value in delivered.items() if key not in {"remote_path", "copy"}}
    return {**kept, **fresh, "_id": name, "wanted": name}
