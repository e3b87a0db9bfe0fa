"""The page and the API of events that could not be used."""

import html
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from consumers.amqp import topology
from tests.integration.console import Browser, Console, serving
from tests.integration.invalid_events import bodies, declare, invalid, unknown
from tests.integration.platform import MakeCourier
from tests.integration.test_console_dead_letters import answer, asked

PAGE = "/invalid-events"
SECRET = "hunter2hunter2"


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    courier.core.directory.create("acme", ftp_access=True)
    declare(courier.core.settings.rabbitmq)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        publisher = console.services.messaging.publisher
        for number in range(3):
            unknown(publisher, number, file_url=f"https://u:{SECRET}@host/a.wav?sig={SECRET}")
        invalid(publisher, "malformed: not UTF-8 JSON", b"\xff<script>alert(1)</script>")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    return console.browser("operator")


def lie_there(console: Console) -> int:
    return console.platform.queue_length(topology.INVALID.name)


def test_the_page_shows_reasons_and_payloads_without_secrets(
    console: Console, browser: Browser
) -> None:
    before = bodies(console.platform.core.settings.rabbitmq)
    for _ in range(3):
        text = browser.get(PAGE).text
    assert "unknown-account" in text
    assert "There is no account of this id." in text
    assert SECRET not in text
    assert "https://***@host/a.wav?***" in html.unescape(text)
    assert "<script>alert" not in text
    assert "Replay all 4" in text
    assert bodies(console.platform.core.settings.rabbitmq) == before


def test_only_operators_see_them(console: Console) -> None:
    customer = console.browser("admin")
    assert customer.get(PAGE).status_code == 403
    assert customer.send_form(f"{PAGE}/act", do="discard").status_code == 403
    assert console.program("acme").get("/invalid-events").status_code == 403
    assert lie_there(console) == 4


def test_the_filter_in_the_address_narrows_the_list(browser: Browser) -> None:
    def shown(query: str) -> int:
        answer = browser.get(f"{PAGE}?{query}")
        assert answer.status_code == 200
        return answer.text.count('<pre class="payload"')

    assert shown("") == 4
    assert shown("reason=malformed") == 1
    assert shown("account=nobody") == 3
    assert shown("reason=(.*") == 0
    assert shown("page=2") == 0
    for query in ("page=0", "page=1e9", "page=99999999999", f"reason={'x' * 300}"):
        refused = browser.get(f"{PAGE}?{query}")
        assert refused.status_code == 422, query
        assert "data-sentence" in refused.text


def test_ticked_ones_are_published_again(console: Console, browser: Browser) -> None:
    ids = re.findall(r'name="pick\d+" value="([0-9a-f]+)"', browser.get(PAGE).text)
    assert len(ids) == 4
    form = asked(browser, PAGE, do="replay", of="picked", pick1=ids[0], pick2=ids[2])
    assert form["question"] == "Replay 2 invalid events?"
    assert lie_there(console) == 4
    assert answer(browser, PAGE, form) == "2 of 2 published again."
    assert lie_there(console) == 2
    assert console.platform.queue_length("recordings.ready") == 2


def test_a_reason_and_then_all_are_discarded(console: Console, browser: Browser) -> None:
    form = asked(browser, PAGE, do="discard", reason="unknown-account")
    assert form["question"] == "Discard 3 invalid events?"
    assert answer(browser, PAGE, form) == "3 of 3 discarded."
    form = asked(browser, PAGE, do="discard")
    assert form["question"] == "Discard 1 invalid event?"
    answer(browser, PAGE, form)
    assert lie_there(console) == 0
    assert "There are none" in browser.get(PAGE).text
    [last, _, first, begun] = console.services.audit.list(None, 4)
    assert (first.action, first.after) == (
        "invalid.discarded",
        {"count": 3, "of": 3, "reason": "unknown-account"},
    )
    assert last.after == {"count": 1, "of": 1}
    facts = {"act": "discard invalid-events", "of": 3, "reason": "unknown-account"}
    assert (begun.action, begun.after) == ("bulk.begun", facts)
    assert "Nothing is left" in browser.notice(f"{PAGE}/act", do="discard")


def test_what_comes_between_the_question_and_the_answer_is_left(
    console: Console, browser: Browser
) -> None:
    form = asked(browser, PAGE, do="discard")
    assert form["question"] == "Discard 4 invalid events?"
    form["asked_at"] = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    since = int(time.time()) - 60
    invalid(console.services.messaging.publisher, "malformed: no JSON", b"later", since=since)

    assert answer(browser, PAGE, form) == "4 of 4 discarded."

    assert bodies(console.platform.core.settings.rabbitmq) == [b"later"]


def test_the_api_has_the_same(console: Console) -> None:
    api = console.program(None)
    found = api.get("/invalid-events", params={"reason": "unknown", "limit": 1, "skip": 1}).json()
    assert (found["matching"], found["looked_at"], found["in_queue"]) == (3, 4, 4)
    [event] = found["events"]
    assert (event["recording_id"], event["account_id"]) == ("r1", "nobody")
    assert SECRET not in str(found)
    assert [(each["reason"], each["events"]) for each in found["groups"]] == [
        ("unknown-account", 3),
        ("malformed", 1),
    ]
    begun = api.post("/invalid-events/discard", json={"event_ids": [event["event_id"]]})
    assert begun.status_code == 202
    assert (begun.json()["state"], begun.json()["done"]) == ("done", 1)
    assert api.post("/invalid-events/replay", json={"reason": "malformed"}).json()["done"] == 1
    assert lie_there(console) == 2
    assert api.post("/invalid-events/replay", json={"reason": "no-such"}).status_code == 409
    assert api.post("/invalid-events/replay", json={"reason": 7}).status_code == 422
    assert api.get("/invalid-events", params={"limit": 100_000}).status_code == 422
