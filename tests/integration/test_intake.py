"""recordings.ready -> deliveries.<account>, on a real broker and a real database."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pika
import pytest
from cryptography.fernet import Fernet
from kombu import Connection
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import ChannelClosedByBroker
from pydantic import SecretStr
from pymongo import MongoClient

from config.accounts import DeliveryMethod
from config.directory import Directory, Number
from config.secrets import Vault
from consumers import intake as intake_module
from consumers import reconciler, topology
from consumers.broker import Broker, NotRouted, Publisher
from consumers.confirms import Outgoing
from consumers.declared import DeclaredQueues
from consumers.events import CLOUD_EVENT, decode
from consumers.intake import Intake
from consumers.ledger import (
    BUCKETS,
    Arrival,
    Claimant,
    Document,
    Ledger,
    Routing,
    Selection,
    Status,
)
from consumers.observe import EventTaken, Observation, Trouble
from consumers.routing import Router
from tests.integration.commands import Commands
from tests.integration.platform import until

EVERY = range(BUCKETS)

ACCOUNT = "acme"
QUEUE = f"deliveries.{ACCOUNT}"
INVALID = "recordings.invalid"
LIMIT = 60.0


@dataclass
class Route:
    """The parts that the intake works with, put together as the service does."""

    url: SecretStr
    directory: Directory
    ledger: Ledger
    publisher: Publisher
    router: Router
    channel: BlockingChannel
    seen: list[Observation] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)

    def publish(self, body: bytes, key: str = "recording.ready", **properties: Any) -> None:
        facts = {"content_type": "application/json", "delivery_mode": 2, **properties}
        self.channel.basic_publish("recordings", key, body, pika.BasicProperties(**facts))

    def taken(self, count: int = 1) -> list[EventTaken]:
        """What the intake has told of the events, once there are so many."""
        until(lambda: len(self._taken()) >= count, lambda: f"{count} events: {self.seen}", LIMIT)
        return self._taken()

    def _taken(self) -> list[EventTaken]:
        return [each for each in self.seen if isinstance(each, EventTaken)]

    def row(self, recording_id: str = "one") -> Document:
        row = self.ledger.files.row(recording_id)
        assert row is not None
        return row

    def ready(self, queue: str) -> int:
        count: int = self.channel.queue_declare(queue, passive=True).method.message_count
        return count

    def messages(self, queue: str, count: int) -> list[tuple[Any, bytes]]:
        """Take what lies in a queue: exactly so many."""
        found: list[tuple[Any, bytes]] = []
        for _, properties, body in self.channel.consume(queue, inactivity_timeout=LIMIT):
            assert properties is not None, f"{queue} has {len(found)} messages, not {count}"
            found.append((properties, body))
            if len(found) == count:
                break
        self.channel.basic_ack(0, multiple=True)
        self.channel.cancel()
        assert self.ready(queue) == 0
        return found

    def turns(self, count: int) -> list[int]:
        return [each.headers["x-courier-turn"] for each, _ in self.messages(QUEUE, count)]


def event(recording_id: str = "one", **fields: Any) -> bytes:
    content = {
        "recording_id": recording_id,
        "account_id": ACCOUNT,
        "file_url": "file:///r/a.wav",
        **fields,
    }
    return json.dumps(content).encode()


@pytest.fixture
def route(amqp_url: str, mongodb_url: str) -> Iterator[Route]:
    url = SecretStr(amqp_url)
    seen: list[Observation] = []
    with MongoClient[Document](mongodb_url, tz_aware=True, w="majority") as client:
        database = client.get_default_database()
        directory = Directory(database, Vault([SecretStr(Fernet.generate_key().decode())]))
        directory.create(ACCOUNT, ftp_access=True)
        ledger = Ledger(database)
        broker = Broker(url, "publishing", seen.append)
        publisher = Publisher(broker)
        with Connection(amqp_url) as declaring:
            topology.declare_base(declaring.default_channel)
        connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
        broker.start()
        try:
            broker.wait_ready(LIMIT)
            router = Router(DeclaredQueues(url), publisher, ledger)
            yield Route(url, directory, ledger, publisher, router, connection.channel(), seen)
        finally:
            broker.stop()
            if connection.is_open:
                connection.close()


@contextmanager
def intake(route: Route) -> Iterator[Intake]:
    """The intake at work; it is stopped with nothing left to take."""
    running = Intake(
        route.url,
        route.directory,
        route.ledger,
        route.publisher,
        route.router,
        route.seen.append,
        route.woken.set,
    )
    running.start()
    try:
        assert running.consuming.wait(LIMIT)
        yield running
    finally:
        running.stop()


def open_row(route: Route, body: bytes) -> Routing:
    """The first step of an intake, and the last one it takes."""
    [row] = route.ledger.files.open([Arrival(decode(body, None), body, skipped=False)])
    assert row.routing is not None
    return row.routing


# --- the way of a good event ----------------------------------------------------------------


def test_an_event_is_routed_to_its_accounts_queue(route: Route) -> None:
    with intake(route):
        route.publish(event(caller="anna"))
        assert route.taken() == [EventTaken("routed", ACCOUNT, "one")]

    [(properties, body)] = route.messages(QUEUE, 1)
    assert json.loads(body) == json.loads(event(caller="anna"))
    assert (properties.message_id, properties.delivery_mode) == ("one", 2)
    assert properties.headers["x-courier-turn"] == 1
    assert (route.row()["status"], route.row()["turn"]) == ("queued", 1)
    assert route.row()["routed_at"] is not None
    assert route.ledger.accounts.read(ACCOUNT).routed == 1
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]
    assert route.woken.is_set()
    assert route.ready("recordings.ready") == route.ready(INVALID) == 0


@pytest.mark.parametrize("key", ["recording.ready", "recording.ready.eu.west"])
def test_both_routing_keys_of_the_contract_arrive(route: Route, key: str) -> None:
    with intake(route):
        route.publish(event(), key)
        assert route.taken()[0].outcome == "routed"


def test_the_order_of_the_events_is_that_of_the_queue(route: Route) -> None:
    names = [str(number) for number in range(50)]
    with intake(route):
        for name in names:
            route.publish(event(name))
        route.taken(50)

    assert [each.message_id for each, _ in route.messages(QUEUE, 50)] == names


def test_an_event_in_a_cloudevents_envelope_is_routed_as_the_event(route: Route) -> None:
    envelope = {"specversion": "1.0", "id": "7", "source": "/p", "type": "recording.ready"}
    body = json.dumps({**envelope, "data": json.loads(event())}).encode()
    with intake(route):
        route.publish(body, content_type=CLOUD_EVENT)
        assert route.taken()[0].outcome == "routed"

    [(_, sent)] = route.messages(QUEUE, 1)
    assert json.loads(sent) == json.loads(event())


# --- the queues -----------------------------------------------------------------------------

QUORUM = {"x-queue-type": "quorum", "x-delivery-limit": 1_000_000_000}


def test_the_queues_are_those_of_the_contract(route: Route) -> None:
    """Declaring them once more with the contract's arguments is refused where they differ."""
    route.router.route(open_row(route, event()))
    topology.declare_once(route.url, topology.dead_letter_queue(ACCOUNT))
    single = {**QUORUM, "x-single-active-consumer": True}

    for name in ("recordings.ready", INVALID, f"dead-letters.{ACCOUNT}"):
        route.channel.queue_declare(name, durable=True, arguments=QUORUM)
    route.channel.queue_declare(QUEUE, durable=True, arguments=single)
    route.channel.exchange_declare("recordings", "topic", durable=True)
    route.channel.exchange_declare("deliveries", "direct", durable=True)
    with pytest.raises(ChannelClosedByBroker, match="PRECONDITION_FAILED"):
        route.channel.queue_declare(QUEUE, durable=True, arguments=QUORUM)


# --- events again ---------------------------------------------------------------------------


def test_a_duplicate_is_acknowledged_and_not_routed_again(route: Route) -> None:
    with intake(route):
        for _ in range(3):
            route.publish(event())
        outcomes = [each.outcome for each in route.taken(3)]

    assert outcomes == ["routed", "duplicate", "duplicate"]
    assert route.turns(1) == [1]
    assert route.ledger.accounts.read(ACCOUNT).routed == 1


@pytest.mark.parametrize("status", ["delivered", "dead_lettered", "discarded"])
def test_a_duplicate_of_what_is_final_is_not_routed(route: Route, status: str) -> None:
    open_row(route, event())
    route.ledger.files._rows.update_one({"_id": "one"}, {"$set": {"status": status}})
    with intake(route):
        route.publish(event())
        assert route.taken()[0].outcome == "duplicate"

    assert route.row()["turn"] == 1


def test_another_url_or_account_for_a_recording_is_a_conflict(route: Route) -> None:
    route.directory.create("other", ftp_access=True)
    with intake(route):
        route.publish(event())
        route.publish(event(file_url="file:///r/b.wav"))
        route.publish(event(account_id="other"))
        outcomes = [each.outcome for each in route.taken(3)]

    assert outcomes == ["routed", "invalid", "invalid"]
    for properties, _ in route.messages(INVALID, 2):
        assert properties.headers["x-courier-reason"] == "conflict"
    assert route.row()["file_url"] == "file:///r/a.wav"


# --- events that cannot be used -------------------------------------------------------------

DEEP = b'{"recording_id":"one","account_id":"acme","file_url":"file:///a","x":%s}' % (
    b"[" * 600 + b"]" * 600
)


UNUSABLE = [
    (b"", "malformed: not UTF-8 JSON: "),
    (b"\xff\x00", "malformed: not UTF-8 JSON: "),
    (b"[]", "malformed: the event must be a JSON object"),
    (event(size="7"), "malformed: size: "),
    (event(size=None), "malformed: size: leave it out instead of null"),
    (event(account_id="nobody"), "unknown-account: there is no account 'nobody'"),
    (event(file_url="s3://b/a.wav"), "unsupported-source: s3:// "),
    (event(file_name=".."), "malformed: file_name: "),
    (event(x="\ud800"), "malformed: "),
    (event(x="x" * 65536), "too-large: "),
    (DEEP, "malformed: "),
]


def test_events_that_cannot_be_used_are_kept_with_the_reason(route: Route) -> None:
    with intake(route):
        for number, (body, _) in enumerate(UNUSABLE):
            route.publish(body, message_id=f"m-{number}")
        route.publish(event("next"))
        *refused, last = route.taken(len(UNUSABLE) + 1)

    assert {each.outcome for each in refused} == {"invalid"}
    assert last == EventTaken("routed", ACCOUNT, "next")
    kept = route.messages(INVALID, len(UNUSABLE))
    for number, ((properties, body), (sent, reason)) in enumerate(zip(kept, UNUSABLE, strict=True)):
        assert body == sent
        assert properties.headers["x-courier-reason"].startswith(reason)
        assert properties.message_id == f"m-{number}"
        assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert route.ledger.files.row("one") is None


STRANGE: dict[str, dict[str, Any]] = {
    "no type": {"content_type": None},
    "no text": {"content_type": "text/plain", "content_encoding": "no-such-code"},
    "forged": {"headers": {"x-courier-reason": "none", "deep": {"a": [1, {"b": None}]}}},
    "transient": {"delivery_mode": 1, "priority": 9, "expiration": "60000"},
    "not compressed": {"headers": {"compression": "application/x-gzip"}},
    "unknown compression": {"headers": {"compression": "no-such-method"}},
}


@pytest.mark.parametrize("properties", STRANGE)
def test_no_property_of_a_message_holds_up_the_intake(route: Route, properties: str) -> None:
    """Routed or kept as invalid: the event is taken, once, and so is the next one."""
    with intake(route):
        route.publish(event(), **STRANGE[properties])
        route.publish(event("next"))
        until(lambda: len(route._taken()) == 2, lambda: f"both events: {route.seen[-2:]}", 20)

    assert route.ready("recordings.ready") == 0


def test_an_account_whose_document_cannot_be_read_does_not_hold_up_the_others(
    route: Route,
) -> None:
    broken = {"_id": "broken", "settings": {"protocol": "gopher"}}
    route.ledger.accounts._accounts.insert_one(broken)
    with intake(route):
        for number in range(150):
            route.publish(event(f"broken-{number}", account_id="broken"))
        route.publish(event())
        until(lambda: route.ledger.files.row("one"), lambda: f"it: {route.seen[-2:]}", 20)


# --- numbers --------------------------------------------------------------------------------


@pytest.mark.parametrize("method", list(DeliveryMethod))
def test_only_recordings_for_email_are_skipped(route: Route, method: DeliveryMethod) -> None:
    route.directory.set_number(Number("+441632960001", ACCOUNT, method))
    with intake(route):
        route.publish(event(number="+441632960001"))
        [taken] = route.taken()

    skipped = method is DeliveryMethod.EMAIL
    assert taken.outcome == ("skipped" if skipped else "routed")
    assert route.row()["status"] == ("skipped" if skipped else "queued")
    assert route.ledger.accounts.read(ACCOUNT).routed == (0 if skipped else 1)


def test_a_number_that_nobody_knows_does_not_matter(route: Route) -> None:
    with intake(route):
        route.publish(event(number="anonymous"))
        assert route.taken()[0].outcome == "routed"


def test_a_number_of_another_account_makes_the_event_invalid(route: Route) -> None:
    route.directory.create("other")
    route.directory.set_number(Number("+44", "other", DeliveryMethod.FTP))
    with intake(route):
        route.publish(event(number="+44"))
        assert route.taken()[0].outcome == "invalid"

    [(properties, _)] = route.messages(INVALID, 1)
    assert properties.headers["x-courier-reason"].startswith("number-of-another-account: ")
    assert route.ledger.files.row("one") is None


# --- a crash between two steps --------------------------------------------------------------


def crashed_after(route: Route, step: str) -> None:
    """Take the steps of an intake by hand, up to this one; the event was not acknowledged."""
    routing = open_row(route, event())
    if step == "open":
        return
    if step == "turn":
        route.ledger.files.next_turn("one")
        return
    topology.declare_once(route.url, topology.account_queue(ACCOUNT))
    turn = {topology.TURN_HEADER: routing.turn}
    route.publisher.publish("deliveries", ACCOUNT, routing.body, turn, message_id="one")
    if step == "publish":
        return
    route.ledger.files.routed([routing])


@pytest.mark.parametrize(
    ("step", "turns", "turn"),
    [("open", [2], 2), ("turn", [3], 3), ("publish", [1, 2], 2), ("routed", [1], 1)],
)
def test_after_a_crash_the_event_that_comes_again_is_on_its_route(
    route: Route, step: str, turns: list[int], turn: int
) -> None:
    crashed_after(route, step)
    with intake(route):
        route.publish(event())
        assert route.taken()[0].outcome == "duplicate"

    assert route.turns(len(turns)) == turns
    assert (route.row()["turn"], route.row()["routed_at"] is not None) == (turn, True)
    claims = [route.ledger.files.claim("one", each, Claimant("w", "s", 1), ".") for each in turns]
    assert [claim is not None for claim in claims] == [each == turn for each in turns]


class Crash(Exception):
    """The process ends here."""


@pytest.mark.parametrize("step", ["routed", "arrived"])
def test_whichever_step_of_the_routing_is_the_last_its_account_becomes_due(
    route: Route, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The message lies in the queue; without a session that is opened nobody would see it."""

    def crash(*_: object) -> None:
        raise Crash

    routing = open_row(route, event())
    part = route.ledger.files if step == "routed" else route.ledger.accounts
    with monkeypatch.context() as patch:
        patch.setattr(part, step, crash)
        with pytest.raises(Crash):
            route.router.route(routing)

    with intake(route):
        route.publish(event())
        route.taken()
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]


# --- queues that are gone -------------------------------------------------------------------


def test_a_queue_that_was_deleted_is_declared_again(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
        route.channel.queue_delete(QUEUE)
        route.publish(event("two"))
        assert route.taken(2)[1].outcome == "routed"

    assert [each.message_id for each, _ in route.messages(QUEUE, 1)] == ["two"]


def test_an_exchange_that_was_deleted_is_declared_again(route: Route) -> None:
    with intake(route):
        route.publish(event())
        route.taken()
        route.channel.exchange_delete("deliveries")
        route.publish(event("two"))
        assert route.taken(2)[1].outcome in {"routed", "duplicate"}

    found = [each.message_id for each, _ in route.messages(QUEUE, 2)]
    assert found == ["one", "two"]


# --- batches --------------------------------------------------------------------------------


def waiting(route: Route, *bodies: bytes) -> None:
    """Events that are all there before the intake begins: one batch."""
    for body in bodies:
        route.publish(body)
    until(lambda: route.ready("recordings.ready") == len(bodies), "the events to be there")


def taken_together(route: Route, *bodies: bytes) -> list[str]:
    """What has become of each of these events."""
    waiting(route, *bodies)
    with intake(route):
        ends = route.taken(len(bodies))
    assert route.ready("recordings.ready") == 0
    return [each.outcome for each in ends]


def test_each_event_of_a_mixed_batch_comes_to_its_own_end(route: Route) -> None:
    route.directory.set_number(Number("+44", ACCOUNT, DeliveryMethod.EMAIL))
    route.directory.create("other", ftp_access=True)
    route.router.route(open_row(route, event("there")))

    outcomes = taken_together(
        route,
        event("first"),
        b"nonsense",
        event("there"),
        event("mail", number="+44"),
        event("there", file_url="file:///r/b.wav"),
        event("elsewhere", account_id="other"),
        event("nobody's", account_id="nobody"),
        event("last"),
    )

    routed, invalid = "routed", "invalid"
    assert outcomes == [
        *(routed, invalid, "duplicate", "skipped", invalid, routed, invalid, routed)
    ]
    assert [each.message_id for each, _ in route.messages(QUEUE, 3)] == ["there", "first", "last"]
    assert [each.message_id for each, _ in route.messages("deliveries.other", 1)] == ["elsewhere"]
    reasons = [each.headers["x-courier-reason"] for each, _ in route.messages(INVALID, 3)]
    assert [reason.partition(":")[0] for reason in reasons] == [
        *("malformed", "conflict", "unknown-account")
    ]
    assert route.row("mail")["status"] == "skipped"
    assert route.ledger.accounts.read(ACCOUNT).routed == 3
    assert route.ledger.accounts.read("other").routed == 1


def test_of_several_events_of_one_recording_in_a_batch_one_is_routed(route: Route) -> None:
    other = event(file_url="file:///r/b.wav")

    outcomes = taken_together(route, event(), event(), other, event(caller="anna"))

    assert outcomes == ["routed", "duplicate", "invalid", "duplicate"]
    assert route.turns(1) == [1]
    assert route.ready(INVALID) == 1
    assert route.row()["event"] == event().decode().replace(": ", ":").replace(", ", ",")


def test_what_a_crash_left_is_routed_once_however_often_its_event_is_in_the_batch(
    route: Route,
) -> None:
    open_row(route, event())

    outcomes = taken_together(route, event(file_url="file:///r/b.wav"), event(), event())

    assert outcomes == ["invalid", "duplicate", "duplicate"]
    assert route.turns(1) == [2]


def test_a_batch_keeps_the_order_of_each_account(route: Route) -> None:
    accounts = [f"account-{number}" for number in range(7)]
    for account in accounts:
        route.directory.create(account, ftp_access=True)
    names = [f"{number:03}" for number in range(350)]

    taken_together(
        route,
        *(event(name, account_id=accounts[int(name) % len(accounts)]) for name in names),
    )

    for number, account in enumerate(accounts):
        sent = [each.message_id for each, _ in route.messages(f"deliveries.{account}", 50)]
        assert sent == names[number :: len(accounts)]
        rows = [row["_id"] for row in route.ledger.files.select(Selection(account_id=account))]
        assert rows == sent[::-1]
        assert route.ledger.accounts.read(account).routed == 50


def test_a_batch_asks_the_database_as_often_as_one_event(route: Route, mongodb_url: str) -> None:
    commands = Commands()
    with MongoClient[Document](mongodb_url, w="majority", event_listeners=[commands]) as client:
        database = client.get_default_database()
        route.ledger = Ledger(database)
        route.directory = Directory(database, route.directory._vault)
        route.router = Router(DeclaredQueues(route.url), route.publisher, route.ledger)
        taken_together(route, *(event(str(number)) for number in range(200)))
        asked = commands.names[:]

    # The account, the time, the rows, the account that is due, the rows again.
    batches = asked.count("insert")
    assert asked == ["find", "hello", "insert", "update", "update"] * batches
    assert batches < 20, "as many as the broker happened to send them in"


def test_large_events_are_taken_few_at_a_time(
    route: Route, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    take = Intake._take

    def noted(self: Intake, messages: list[Any]) -> None:
        sizes.append(len(messages))
        take(self, messages)

    monkeypatch.setattr(Intake, "_take", noted)
    monkeypatch.setattr(intake_module, "BATCH_BYTES", 100_000)

    taken_together(route, *(event(str(number), x="x" * 40_000) for number in range(12)))

    assert sum(sizes) == 12
    assert max(sizes) <= 3


# --- what reaches no queue ------------------------------------------------------------------


def test_a_queue_that_was_deleted_holds_up_no_other_event_of_the_batch(route: Route) -> None:
    route.directory.create("other", ftp_access=True)
    with intake(route):
        for number, account in enumerate([ACCOUNT, "other"]):
            route.publish(event(account, account_id=account))
            route.taken(number + 1)
    route.messages("deliveries.other", 1)
    route.channel.queue_delete(QUEUE)
    route.seen.clear()

    outcomes = taken_together(
        route,
        *(event(f"{number}", account_id=(ACCOUNT, "other")[number % 2]) for number in range(8)),
    )

    assert outcomes == ["routed"] * 8
    assert [each.message_id for each, _ in route.messages(QUEUE, 4)] == ["0", "2", "4", "6"]
    sent = [each.message_id for each, _ in route.messages("deliveries.other", 4)]
    assert sent == ["1", "3", "5", "7"], "once each"


@pytest.mark.usefixtures("at_once")
def test_a_queue_that_cannot_be_declared_holds_up_and_loses_nothing(route: Route) -> None:
    """Somebody else's queue has the name: what is for it waits in the ledger."""
    route.directory.create("other", ftp_access=True)
    route.channel.queue_declare(QUEUE, durable=True)

    taken_together(route, event(), event("two", account_id="other"), event("three"))

    assert [each.message_id for each, _ in route.messages("deliveries.other", 1)] == ["two"]
    assert [route.row(name)["routed_at"] is None for name in ("one", "two", "three")] == [
        *(True, False, True)
    ]
    [trouble] = [each for each in route.seen if isinstance(each, Trouble)]
    assert QUEUE in trouble.words
    assert route.ledger.accounts.due(9, EVERY, []) == ["other"]

    with pytest.raises(NotRouted, match=QUEUE):
        reconciler.route_unrouted(route.ledger, route.router)
    route.channel.queue_delete(QUEUE)
    assert reconciler.route_unrouted(route.ledger, route.router) == 2
    assert [each.message_id for each, _ in route.messages(QUEUE, 2)] == ["one", "three"]
    assert set(route.ledger.accounts.due(9, EVERY, [])) == {ACCOUNT, "other"}


def test_an_event_that_cannot_be_kept_as_invalid_holds_up_no_other_and_comes_again(
    route: Route,
) -> None:
    with intake(route):
        route.channel.queue_delete(INVALID)
        waiting_for = [event(), b"nonsense", event("two")]
        for body in waiting_for:
            route.publish(body)
        outcomes = [each.outcome for each in route.taken(3)]

    assert sorted(outcomes) == ["invalid", "routed", "routed"]
    assert [body for _, body in route.messages(INVALID, 1)] == [b"nonsense"]
    assert route.turns(2) == [1, 1]
    assert route.ready("recordings.ready") == 0


def test_the_ends_of_messages_that_are_published_together_are_told_apart(route: Route) -> None:
    """One to a queue, one to none, and one more than its queue takes."""
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    route.channel.queue_declare("full", arguments=full)
    route.channel.queue_declare("free")
    places = ["free", "none", "full", "full", "none", "free"]

    for _ in range(2):
        refused = route.publisher.publish_all([Outgoing("", place, b"x") for place in places])
        assert refused - {2} == {1, 3, 4}

    assert (route.ready("full"), route.ready("free")) == (1, 4)


# --- the reconciler -------------------------------------------------------------------------


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publish counts as dead as soon as it was begun."""
    monkeypatch.setattr(reconciler, "UNROUTED_AGE", timedelta(0))


@pytest.mark.parametrize(("step", "turns"), [("open", [2]), ("turn", [3]), ("publish", [1, 2])])
@pytest.mark.usefixtures("at_once")
def test_the_reconciler_routes_what_a_crash_left_behind(
    route: Route, step: str, turns: list[int]
) -> None:
    crashed_after(route, step)

    assert reconciler.route_unrouted(route.ledger, route.router) == 1
    assert reconciler.route_unrouted(route.ledger, route.router) == 0
    assert route.turns(len(turns)) == turns
    assert route.row()["routed_at"] is not None
    assert route.ledger.accounts.due(1, EVERY, []) == [ACCOUNT]


@pytest.mark.usefixtures("at_once")
def test_the_reconciler_leaves_alone_what_is_on_its_route_or_final(route: Route) -> None:
    crashed_after(route, "routed")
    skipped = event("skipped")
    route.ledger.files.open([Arrival(decode(skipped, None), skipped, skipped=True)])

    assert reconciler.route_unrouted(route.ledger, route.router) == 0
    assert route.ledger.files.counts(ACCOUNT).files[Status.QUEUED] == 1


def test_the_reconciler_gives_a_publish_its_time(route: Route) -> None:
    crashed_after(route, "publish")

    assert reconciler.route_unrouted(route.ledger, route.router) == 0
