"""What became of each recipient's copy is read off a document of the outbox."""

from typing import Any

import pytest

from alerts.facts import to_document
from alerts.history import Addressed, sent_mail
from tests.unit.alerts.facts import EXAMPLE

A, B = "a@x.example", "b@x.example"


def document(**changes: Any) -> dict[str, Any]:
    return {
        "_id": "acme:3",
        "kind": "suspension",
        "facts": to_document(EXAMPLE),
        "at": EXAMPLE.at,
        "to": [A, B],
        "remaining": [],
        "state": "sent",
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [Addressed(A, "sent"), Addressed(B, "sent")]),
        (
            {"state": "waiting", "remaining": [A, B]},
            [Addressed(A, "waiting"), Addressed(B, "waiting")],
        ),
        (
            {"state": "waiting", "remaining": [B], "last_error": "451 full"},
            [Addressed(A, "sent"), Addressed(B, "waiting", "451 full")],
        ),
        (
            {"state": "failed", "remaining": [B], "last_error": "550 no such user"},
            [Addressed(A, "sent"), Addressed(B, "failed", "550 no such user")],
        ),
        (
            {"refused": [{"address": B, "words": "550 no such user"}]},
            [Addressed(A, "sent"), Addressed(B, "refused", "550 no such user")],
        ),
        (
            {"left_out": [{"address": A, "why": "stopped"}, {"address": B, "why": "later"}]},
            [Addressed(A, "stopped"), Addressed(B, "later")],
        ),
        ({"to": []}, []),
    ],
)
def test_each_recipient_has_an_outcome(changes: Any, expected: list[Addressed]) -> None:
    assert [*sent_mail(document(**changes)).recipients] == expected


def test_an_email_of_an_earlier_version_is_told_too() -> None:
    mail = sent_mail(document())
    assert (mail.why, mail.state) == ("Suspended after 10 failures: 530 Login incorrect.", "sent")
    assert (mail.last_error, mail.finished_at) == (None, None)


def test_what_was_said_of_a_failure_is_told_apart() -> None:
    mail = sent_mail(document())
    assert (mail.opening, mail.words) == ("Suspended after 10 failures:", "530 Login incorrect.")
    assert mail.said_by == EXAMPLE.said_by
    facts = {**to_document(EXAMPLE), "words": ""}
    silent = sent_mail(document(facts=facts))
    assert (silent.words, silent.said_by) == ("(no words)", "courier")
    asked = sent_mail(document(kind="test", facts={"actor": "it"}))
    assert (asked.opening, asked.words, asked.said_by) == (asked.why, "", "courier")
