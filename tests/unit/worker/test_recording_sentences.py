"""What lower layers say of accounts and recordings is known to the languages' files."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from config.errors import FieldRefused
from consumers.intake.reasons import Reason
from consumers.ledger import ACCOUNT_STATES, Disabled, Document
from consumers.ledger.dead_letter_causes import Fault, cause_of
from consumers.ledger.dead_letters import CRASH_LOOP
from consumers.ledger.standstills import PAUSED, Standstill
from consumers.ledger.story import What
from transports.diagnosis import CATALOGUE
from transports.errors import Kind
from transports.job import Verified
from worker import account_facts, show, story
from worker.account_list import AccountFilter, Order, Place
from worker.console.language import languages, reading, translated
from worker.searching import FIELDS, MAX_TEXT, read_place, read_search

OTHERS = [each for each in languages() if each != "en"]
NOW = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)


def fixed() -> Iterable[str]:
    """Words and sentences that are the same each time."""
    yield from ACCOUNT_STATES
    yield from show.STATUS_WORDS.values()
    yield from show.CUSTOMERS_WORDS.values()
    yield from (each.label for each in Disabled)
    yield from account_facts._WHY_DISABLED.values()
    yield from (each.meaning for each in Reason)
    yield from story.PHASES.values()
    for fault in Fault:
        yield from (fault.for_customers, fault.for_operators)
    for means in (*Verified, show.BEFORE_ALGORITHMS):
        yield show.verified_by(means) or ""


def causes() -> Iterable[str]:
    for reason, code in product((CRASH_LOOP, *Kind, None), ("", "of-another-version")):
        cause = cause_of(reason, code)
        yield from (cause.words, cause.next_step)
    for entry in CATALOGUE:
        cause = cause_of(Kind.ACCOUNT, entry.code)
        yield from (cause.words, cause.next_step)


def told(row: Document) -> Iterable[str]:
    """Each line of a recording's story."""
    row = {"created_at": NOW, "status": "delivered", "size": 7, "last_error": None, **row}
    standstills = [
        Standstill(what, NOW, until, times)
        for what in (PAUSED, "suspended")
        for until in (NOW + timedelta(hours=1), None)
        for times in (1, 3)
    ]
    return [step.text for step in story.story_of(row, standstills, None)]


def events() -> Iterable[Document]:
    """One of each kind, and what a row of an earlier version has instead."""
    yield from ({"what": What.LOST, "died": died} for died in (True, False))
    yield from ({"what": What.TAKEN_BACK}, {"what": What.DEAD_LETTERED})
    yield from ({"what": What.REPLAYED, "by": by} for by in story._BACK)
    yield from ({"what": What.REDELIVERED, "path": path} for path in ("in/a.wav", ""))
    yield from ({"what": What.DISCARDED, "by": by} for by in ("removal", "people"))
    for found, verified in product((True, False), (*Verified, show.BEFORE_ALGORITHMS)):
        yield {"what": What.DELIVERED, "verified": verified, "bytes": 1234, "found": found}
    for counted, probe, phase in product((True, False), (True, False), (*story.PHASES, "")):
        tried = {"what": What.FAILED, "counted": counted, "tries": 3, "probe": probe}
        failed = {**tried, "phase": phase, "cause": CATALOGUE[0].code}
        yield from (failed, {**failed, "times": 4})
        yield from ({**failed, "dead": True, "returns": returns} for returns in (True, False))


@pytest.mark.parametrize("language", OTHERS)
def test_every_word_and_cause_is_told(language: str) -> None:
    with reading(language):
        assert [each for each in (*fixed(), *causes()) if translated(each) == each] == []


@pytest.mark.parametrize("language", OTHERS)
def test_every_line_of_a_story_is_told_to_operators_and_customers(language: str) -> None:
    rows: list[Document] = [{"events": [{"at": NOW, "n": 2, **each}]} for each in events()]
    rows += [
        {"status": "skipped"},
        {"status": "queued", "routed_at": NOW},
        {"status": "uploading", "claim": {"at": NOW}},
        {"delivered_at": NOW, "verified": "size", "replaced": {"by": "two", "at": NOW}},
        {"discarded_at": NOW, "status": "discarded"},
        {"redelivered": {"asked_at": NOW, "before": {"path": "in/a.wav", "at": NOW}}},
    ]
    left = set()
    with reading(language):
        for text in {text for row in rows for text in told(row)}:
            for each in (text, text.replace("It became a dead letter:", "It was skipped:")):
                pieces = translated(each).split(". ")
                left |= {piece for piece in pieces if piece.rstrip(".") in each}
    assert sorted(left) == []


@pytest.mark.parametrize("language", OTHERS)
def test_what_cannot_be_searched_for_is_told(language: str) -> None:
    wrong = {
        "account_id": "\x00",
        "file_name": "*a",
        "number": "12",
        "status": "lost",
        "since": "yesterday",
    }
    filters = [
        {"search": "x" * 200},
        {"state": "lost"},
        {"disabled": "x"},
        {"cause": "x"},
        {"beneath": "/"},
    ]
    words = [
        *(refusal(read_search, {name: text}, None) for name, text in wrong.items()),
        *(refusal(read_search, {name: "9" * (MAX_TEXT + 1)}, None) for name in FIELDS[:4]),
        refusal(read_search, {"since": "2026-02-01", "until": "2026-01-01"}, None),
        refusal(read_place, "nonsense"),
        *(refusal(AccountFilter.of, asked) for asked in filters),
        refusal(Order.of, "x"),
        refusal(Place.of, "0", 1, 1),
    ]
    with reading(language):
        assert [each for each in words if translated(each) == each] == []


def refusal(reads: Callable[..., object], *given: object) -> str:
    with pytest.raises(FieldRefused) as refused:
        reads(*given)
    return str(refused.value)
