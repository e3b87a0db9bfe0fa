"""Recordings that are lost by our own fault are counted, so that very many hide nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts.loss_book import LossBook
from alerts.outbox import Outbox
from consumers.ledger.dead_letters import DeadLetters
from consumers.upkeep import alerting
from consumers.upkeep.alerting import send_alerts
from deploy.local.customers import SmtpSink
from tests.integration.platform import MakeCourier, Platform
from tests.unit.alerts.facts import suspension
from worker.core import make_outbox

ONCALL = ("oncall@platform.example",)
AT = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def lose(courier: Platform, names: range, **changes: Any) -> None:
    """Dead letters as the ledger has them, that the on-call was not told of."""
    facts = {"account_id": "acme", "reason": "source", "untold": True, **changes}
    error = {"words": "No such file: /recordings/call.wav", "cause": "recording-missing"}
    courier.core.database["deliveries"].insert_many(
        [
            {"_id": f"r-{each}", "dead_at": AT + timedelta(seconds=each), "last_error": error}
            | facts
            for each in names
        ]
    )


def outbox_of(courier: Platform) -> Outbox:
    return make_outbox(courier.core, lambda _tried: None)


def send(courier: Platform) -> None:
    send_alerts(courier.core.ledger, courier.core.directory, outbox_of(courier))


def stored(courier: Platform) -> list[dict[str, Any]]:
    return [*courier.core.database["alerts"].find({"facts.account_id": "acme"})]


def subjects(sink: SmtpSink) -> list[str]:
    return [mail.message["Subject"] for mail in sink.messages]


def settle(courier: Platform) -> None:
    """The next digest is due."""
    ages = {"at": 60, "reached": 3600}
    for name, seconds in ages.items():
        earlier = {"$subtract": [f"${name}", seconds * 1000]}
        courier.core.database["alerts"].update_many(
            {name: {"$exists": True}}, [{"$set": {name: earlier}}]
        )


def test_very_many_losses_of_one_cause_are_one_document_and_hide_no_suspension(
    make_courier: MakeCourier, smtp_sink: SmtpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("alerts.outbox.DIGEST_EVENTS", 100)
    monkeypatch.setattr(alerting, "LOSSES", 200)
    courier = make_courier(oncall_emails=ONCALL)
    lose(courier, range(1000))
    lose(courier, range(1000, 1003), reason="crash-loop")
    for _ in range(6):
        send(courier)
    assert len(stored(courier)) == 2, "one for each cause"
    outbox_of(courier).store(suspension(account_id="globex", recipients=()))
    settle(courier)
    send(courier)
    assert subjects(smtp_sink) == ["FTP Suspension Digest: 1 account, 1003 recordings lost"]
    text = smtp_sink.messages[0].message.get_content()
    assert "r-0, r-1, r-2\r\n" in text
    assert "r-3" not in text

    lose(courier, range(2000, 2007))
    send(courier)
    settle(courier)
    send(courier)
    assert subjects(smtp_sink)[1:] == ["FTP Suspension Digest: 7 recordings lost"]
    assert "r-2000, r-2001, r-2002\r\n" in smtp_sink.messages[1].message.get_content()
    assert len(stored(courier)) == 2


STEPS = [
    (LossBook, "turn"),
    (LossBook, "count"),
    (DeadLetters, "losses_stored"),
    (LossBook, "close"),
    (LossBook, "told"),
]


@pytest.mark.parametrize(("part", "step"), STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_crash_while_losses_are_counted_neither_forgets_nor_repeats_one(
    make_courier: MakeCourier,
    smtp_sink: SmtpSink,
    monkeypatch: pytest.MonkeyPatch,
    part: type,
    step: str,
    when: str,
) -> None:
    monkeypatch.setattr(alerting, "LOSSES", 4)
    courier = make_courier(oncall_emails=ONCALL)
    lose(courier, range(7))
    with monkeypatch.context() as patched:
        patched.setattr(part, step, crashing(getattr(part, step), when))
        with pytest.raises(KeyboardInterrupt):
            send_rounds(courier, 2)
    send_rounds(courier, 4)
    told = [int(subject.split()[3]) for subject in subjects(smtp_sink)]
    assert sum(told) == 7
    (document,) = stored(courier)
    assert (document["count"], document["told"], len(document["examples"])) == (7, 7, 3)
    assert courier.core.database["deliveries"].count_documents({"untold": True}) == 0


def send_rounds(courier: Platform, rounds: int) -> None:
    for _ in range(rounds):
        send(courier)
        settle(courier)


def crashing(method: Callable[..., Any], when: str) -> Callable[..., Any]:
    def crash(*arguments: Any) -> Any:
        if when == "after":
            method(*arguments)
        raise KeyboardInterrupt

    return crash


def test_a_process_that_comes_late_counts_nothing_twice(make_courier: MakeCourier) -> None:
    courier = make_courier(oncall_emails=ONCALL)
    lose(courier, range(3))
    ledger, book = courier.core.ledger, outbox_of(courier).losses
    closed, losses = book.page(), [*ledger.dead_letters.untold(10)]
    send(courier)
    assert book.turn(closed, losses).recordings == ()
    lose(courier, range(3, 5))
    page = book.turn(book.page(), [*ledger.dead_letters.untold(10)])
    book.count(page)
    send(courier)
    book.count(page)
    book.close(page)
    (document,) = stored(courier)
    assert document["count"] == 5
