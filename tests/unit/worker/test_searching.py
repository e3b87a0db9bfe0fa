"""What people type to find recordings, and what they are told where it cannot be used."""

from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.errors import FieldRefused
from consumers.ledger import Status, Time
from transports.diagnosis import Whose
from worker.searching import FIELDS, read_place, read_search


def read(**typed: str) -> Any:
    return read_search(typed, None)


def test_nothing_typed_is_everything_the_newest_calls_first() -> None:
    search = read()
    assert (search.by, search.newest_first) == (Time.RECORDED, True)
    assert search == read(number=" ", file_name="", since="", by="recorded", order="newest")


def test_all_fields_are_read() -> None:
    search = read(
        number="+44 1632 960001",
        file_name="20261123-14",
        recording_id=" 8f6c ",
        account_id="acme",
        status="dead_lettered",
        whose="customer",
        by="arrived",
        since="2026-11-23T14:00",
        until="2026-11-23 14:05",
        order="oldest",
    )
    assert search.number.whole[0] == "100069236144"
    assert (search.name_begins, search.name_has) == ("20261123-14", None)
    assert (search.recording_id, search.account_id) == ("8f6c", "acme")
    assert (search.status, search.whose) == (Status.DEAD_LETTERED, Whose.CUSTOMER)
    assert (search.by, search.newest_first) == (Time.ARRIVED, False)
    assert search.since == datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    assert search.until == datetime(2026, 11, 23, 14, 6, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-11-23", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-23 14:05", datetime(2026, 11, 23, 14, 6, tzinfo=UTC)),
        ("2026-11-23T14:05:07", datetime(2026, 11, 23, 14, 5, 8, tzinfo=UTC)),
        ("2026-11-23T15:05:07+01:00", datetime(2026, 11, 23, 14, 5, 8, tzinfo=UTC)),
    ],
)
def test_until_includes_the_day_the_minute_or_the_second(text: str, end: datetime) -> None:
    assert read(until=text).until == end


def test_a_star_finds_a_part_of_a_name() -> None:
    assert (read(file_name="*60001*").name_begins, read(file_name="*60001*").name_has) == (
        None,
        "60001",
    )


@pytest.mark.parametrize(
    ("field", "text", "words"),
    [
        ("number", "12", "at least 4 digits"),
        ("number", "1" * 65, "at least 4 digits"),
        ("number", "anonymous", "at least 4 digits"),
        ("file_name", "*ab", "at least 3 letters"),
        ("file_name", "x" * 301, "longer than 300"),
        ("file_name", "a\0b", "cannot be typed"),
        ("recording_id", "\ud800", "cannot be typed"),
        ("account_id", "x" * 301, "longer than 300"),
        ("status", "lost", "Choose one of these: queued"),
        ("whose", "mine", "Choose one of these: customer"),
        ("by", "night", "Choose one of these: recorded, arrived"),
        ("order", "random", "Choose one of these: newest, oldest"),
        ("since", "yesterday", "This is no time"),
        ("since", "0001-01-01T00:00+23:00", "This is no time"),
        ("until", "9999-12-31", "This is no time"),
    ],
)
def test_what_cannot_be_used_is_told_beside_its_field(field: str, text: str, words: str) -> None:
    with pytest.raises(FieldRefused, match=words) as refusal:
        read(**{field: text})
    assert refusal.value.field == field
    assert str(refusal.value).endswith(".")


def test_a_time_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(FieldRefused, match="later than the beginning") as refusal:
        read(since="2026-11-24", until="2026-11-23")
    assert refusal.value.field == "until"


@pytest.mark.parametrize(
    "text", ["x", "1_", "_", "1_z", "99999999999999999999_" + "a" * 24, "--1_"]
)
def test_a_place_that_was_made_up_is_refused(text: str) -> None:
    with pytest.raises(FieldRefused, match="no place in the list"):
        read_place(text)


@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=320)), st.text(max_size=120))
def test_whatever_is_typed_is_read_or_refused(typed: dict[str, str], after: str) -> None:
    with suppress(FieldRefused):
        read_search(typed, None)
    with suppress(FieldRefused):
        read_place(after)
