"""Dead letters by cause and by fault, page by page, as MongoDB has them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.ledger import CRASH_LOOP, Ledger
from consumers.ledger.dead_letter_causes import Fault
from consumers.ledger.dead_letter_lists import DeadLetterFilter, position_of
from consumers.ledger.rows import DEAD_LETTERS
from tests.integration.ledger.rows import AWAY, claimed, crashed, dies, opened

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def dead(
    ledger: Ledger, recording_id: str, kind: str, cause: str = "", account_id: str = "acme"
) -> None:
    claim = claimed(ledger, recording_id, account_id=account_id)
    assert dies(ledger, claim, error=replace(AWAY, kind=kind, cause=cause))


@pytest.fixture
def letters(ledger: Ledger) -> Ledger:
    """Eight of two accounts, and one file that is none."""
    for number in range(3):
        dead(ledger, f"refused-{number}", "account", "refused")
    dead(ledger, "refused-other", "account", "refused", "other")
    dead(ledger, "named", "file", "file-refused")
    dead(ledger, "missing", "source", "recording-missing")
    dead(ledger, "old", "account")
    crashed(ledger, 5, "killer")
    assert ledger.dead_letters.crash_loop_ends("killer", 3)
    opened(ledger, "on-its-way")
    return ledger


def ids(ledger: Ledger, chosen: DeadLetterFilter, limit: int = 100) -> list[str]:
    return [row["_id"] for row in ledger.dead_letter_lists.page(chosen, limit)]


def test_they_are_grouped_by_cause_with_whose_fault_it_is(letters: Ledger) -> None:
    groups = letters.dead_letter_lists.groups(DeadLetterFilter())
    assert [(each.cause.code, each.cause.fault, each.files, each.accounts) for each in groups] == [
        ("refused", Fault.SERVER, 4, 2),
        ("account", Fault.SERVER, 1, 1),
        (CRASH_LOOP, Fault.PLATFORM, 1, 1),
        ("file-refused", Fault.FILE, 1, 1),
        ("recording-missing", Fault.PLATFORM, 1, 1),
    ]
    assert groups[0].oldest <= groups[0].newest


def test_each_group_is_what_its_filter_finds(letters: Ledger) -> None:
    for each in letters.dead_letter_lists.groups(DeadLetterFilter()):
        chosen = DeadLetterFilter(cause=each.cause.code, fault=each.cause.fault)
        assert len(ids(letters, chosen)) == each.files
        assert letters.dead_letter_lists.count(chosen) == each.files
        [again] = letters.dead_letter_lists.groups(chosen)
        assert again == each
    faults = {fault: ids(letters, DeadLetterFilter(fault=fault)) for fault in Fault}
    assert faults[Fault.FILE] == ["named"]
    assert sorted(faults[Fault.PLATFORM]) == ["killer", "missing"]
    assert len(faults[Fault.SERVER]) == 5


def test_the_filters_narrow_each_other(letters: Ledger) -> None:
    other = DeadLetterFilter("other")
    assert ids(letters, other) == ["refused-other"]
    assert ids(letters, replace(other, cause="file-refused")) == []
    assert ids(letters, DeadLetterFilter(until=LONG_AGO)) == []
    assert len(ids(letters, DeadLetterFilter(since=LONG_AGO))) == 8
    assert ids(letters, DeadLetterFilter(reason="source")) == ["missing"]
    picked = DeadLetterFilter("acme", recording_ids=("named", "refused-other", "on-its-way"))
    assert ids(letters, picked) == ["named"]
    assert ids(letters, DeadLetterFilter(died_by=LONG_AGO)) == []
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert len(ids(letters, DeadLetterFilter(died_by=tomorrow))) == 8


def test_a_filter_is_stored_and_read_as_it_was() -> None:
    for chosen in (
        DeadLetterFilter(),
        DeadLetterFilter("acme", "refused", Fault.FILE, "file", LONG_AGO, LONG_AGO, ("a", "b")),
    ):
        assert DeadLetterFilter.read(chosen.stored()) == chosen


def test_pages_follow_each_other_without_gap_or_repetition(letters: Ledger) -> None:
    lists, everything = letters.dead_letter_lists, DeadLetterFilter()
    found: list[str] = []
    while rows := lists.page(everything, 3, found[-1] if found else None):
        found += [row["_id"] for row in rows]
    assert found == ids(letters, everything)
    assert len(set(found)) == 8
    assert lists.page(everything, 3, "nobody's") == []


def test_a_recording_of_another_account_is_as_good_as_unknown(letters: Ledger) -> None:
    lists = letters.dead_letter_lists
    assert lists.page(DeadLetterFilter(), 3, "missing") != []
    assert lists.page(DeadLetterFilter("acme"), 3, "missing") != []
    assert lists.page(DeadLetterFilter("other"), 3, "missing") == []
    assert lists.page(DeadLetterFilter("acme"), 3, "refused-other") == []


def test_a_step_goes_on_where_the_one_before_has_ended(letters: Ledger) -> None:
    lists, everything = letters.dead_letter_lists, DeadLetterFilter()
    first = lists.oldest(everything, 5)
    rest = lists.oldest(everything, 5, position_of(first[-1]))
    assert [row["_id"] for row in (*first, *rest)] == ids(letters, everything)[::-1]


def test_the_groups_are_counted_in_an_index_of_dead_letters_alone(letters: Ledger) -> None:
    rows = letters.dead_letter_lists._rows
    plan = rows.database.command(
        "explain",
        {
            "aggregate": rows.name,
            "pipeline": [
                {"$match": DeadLetterFilter().query()},
                {"$group": {"_id": "$last_error.cause", "n": {"$sum": 1}}},
            ],
            "cursor": {},
        },
    )
    assert "dead_letters" in str(plan)
    assert "COLLSCAN" not in str(plan)


@pytest.mark.parametrize("is_built", [True, False])
def test_those_of_a_fault_are_counted_in_the_index_of_dead_letters_where_it_stands(
    letters: Ledger, *, is_built: bool
) -> None:
    lists = letters.dead_letter_lists
    rows = lists._rows
    if not is_built:
        rows.drop_index(DEAD_LETTERS)
    rows.database.command("profile", 2)
    try:
        rows_of_a_page, total = lists.page_and_count(
            DeadLetterFilter(fault=Fault.SERVER), 3, None, 100
        )
        wanted = {"command.aggregate": rows.name, "ok": {"$ne": 0}, "errCode": {"$exists": False}}
        [told] = rows.database["system.profile"].find(wanted)
    finally:
        rows.database.command("profile", 0)
    assert (len(rows_of_a_page), total) == (3, 5)
    assert (told["docsExamined"] == 0) is is_built, "one look for both"


def test_rows_of_the_version_before_causes_are_told_by_their_kind(ledger: Ledger) -> None:
    dead(ledger, "one", "account", "refused")
    rows = ledger.dead_letter_lists._rows
    rows.update_one({"_id": "one"}, {"$unset": {"last_error.cause": ""}})
    [group] = ledger.dead_letter_lists.groups(DeadLetterFilter())
    assert (group.cause.code, group.cause.fault) == ("account", Fault.SERVER)
    assert ids(ledger, DeadLetterFilter(cause="account")) == ["one"]


def test_a_table_of_too_many_is_cut_and_their_number_is_not(
    letters: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.ledger.dead_letter_lists.MOST_GROUPED", 3)
    lists, everything = letters.dead_letter_lists, DeadLetterFilter()
    assert sum(each.files for each in lists.groups(everything)) == 3
    assert lists.count(everything) == 8
