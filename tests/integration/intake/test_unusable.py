"""Events that cannot be used are kept with the reason, and hold up no other."""

from typing import Any

import pytest

from tests.integration.intake.route import ACCOUNT, INVALID, Route, event, intake
from tests.integration.platform import until

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
    (event(file_url="gcs://b/a.wav"), "unsupported-source: gcs:// "),
    (event(file_url="ftp://h/a.wav"), "unsupported-source: ftp:// "),
    (event(file_url="canary://h/a.wav"), "unsupported-source: canary:// "),
    (event(file_url="/a.wav"), "malformed: file_url: "),
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
    assert (last.outcome, last.account_id, last.recording_id) == ("routed", ACCOUNT, "next")
    kept = route.messages(INVALID, len(UNUSABLE))
    for number, ((properties, body), (sent, reason)) in enumerate(zip(kept, UNUSABLE, strict=True)):
        assert body == sent
        assert properties.headers["x-courier-reason"].startswith(reason)
        assert properties.message_id == f"m-{number}"
        assert (properties.content_type, properties.delivery_mode) == ("application/json", 2)
    assert route.ledger.queries.row("one") is None


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
        until(lambda: route.ledger.queries.row("one"), lambda: f"it: {route.seen[-2:]}", 20)
