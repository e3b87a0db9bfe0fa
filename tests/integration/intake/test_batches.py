"""Events that are taken together: each comes to its own end, in order."""

from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from config.accounts import DeliveryMethod
from config.directory import Directory, Number
from consumers.amqp.declared import DeclaredQueues
from consumers.intake import intake as intake_module
from consumers.intake.intake import Intake
from consumers.intake.routing import Router
from consumers.ledger import Document, Ledger, Selection
from tests.integration.commands import Commands
from tests.integration.intake.route import (
    ACCOUNT,
    INVALID,
    QUEUE,
    Route,
    event,
    open_row,
    taken_together,
)


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


def test_a_number_is_known_however_the_event_spells_it_and_an_odd_one_is_just_not_known(
    route: Route, database: Database[dict[str, Any]]
) -> None:
    route.directory.set_number(Number("+44 (0)1632-960001", ACCOUNT, DeliveryMethod.EMAIL))
    stored = {"_id": "sip:anna", "account_id": ACCOUNT, "method": "email"}
    database["numbers"].insert_one(stored)  # as an earlier version took it
    numbers = ("+441632960001", "+44 1632 960001", "sip:anna", "not a number")
    events = [event(f"r{index}", number=number) for index, number in enumerate(numbers)]
    assert taken_together(route, *events) == ["skipped", "skipped", "skipped", "routed"]


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
        rows = [row["_id"] for row in route.ledger.queries.select(Selection(account_id=account))]
        assert rows == sent[::-1]
        assert route.ledger.accounts.read(account).routed == 50


def test_a_batch_asks_the_database_as_often_as_one_event(route: Route, mongodb_url: str) -> None:
    commands = Commands()
    with MongoClient[Document](mongodb_url, w="majority", event_listeners=[commands]) as client:
        database = client.get_default_database()
        route.ledger = Ledger(database)
        route.directory = Directory(database, route.directory._vault)
        route.router = Router(DeclaredQueues(route.rabbitmq), route.publisher, route.ledger)
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
