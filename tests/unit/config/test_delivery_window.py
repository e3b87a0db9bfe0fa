"""The hours in which an account's files may be sent."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.delivery_window import opening, read_window
from config.fields import explain
from config.ftp_settings import FtpSettingsInput

LEAST = {"protocol": "ftp", "host": "ftp.customer.example", "username": "acme"}
BERLIN = "Europe/Berlin"
IN_BERLIN = ZoneInfo(BERLIN)


def at(zone: str, text: str) -> datetime:
    """A moment as the zone's clock shows it."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def opens(window: str, zone: str, text: str) -> str | None:
    """When it opens next, as the zone's clock shows it."""
    moment = opening(window, ZoneInfo(zone), at(zone, text))
    return None if moment is None else f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("22:00-06:00", "22:00-06:00"),
        (" 8:00 - 9:30 ", "08:00-09:30"),
        ("monday, WED 8:00-9:00, 12:00-13:00", "Mon,Wed 08:00-09:00,12:00-13:00"),
        ("mon-fri 22:00-06:00;sat - sun;", "Mon-Fri 22:00-06:00; Sat-Sun"),
        ("Sat-Mon", "Mon,Sat-Sun"),
        ("00:00-24:00", "00:00-24:00"),
        ("06:00-00:00", "06:00-24:00"),
    ],
)
def test_it_is_stored_in_one_spelling(written: str, stored: str) -> None:
    assert read_window(written) == stored
    assert read_window(stored) == stored


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("22-06", "must be days, hours or both, such as 22:00-06:00, Sat-Sun, or"),
        (";", "must be days, hours or both, such as"),
        ("Someday", "must be days, hours or both, such as"),
        ("22:00", "must have hours as HH:MM-HH:MM, such as"),
        ("22:00-06:00-07:00", "must have hours as HH:MM-HH:MM, such as"),
        ("25:00-26:00", "must have hours from 00:00 to 24:00."),
        ("22:00-06:60", "must have hours from 00:00 to 24:00."),
        ("24:00-01:00", "must not have hours that begin at 24:00: a day begins at 00:00."),
        ("Mon 22:00-22:00", "must not have hours that end when they begin: for a whole day give"),
        ("Mon 08:00-09:00 Tue", "must have a semicolon between hours and the days of other hours."),
        ("\u0662\u0662:00-06:00", "must have hours as HH:MM-HH:MM, such as"),
        ("22:00-06:00\x07", "must not hold line breaks or other control characters."),
        ("22:00-06:00," * 50, "must have at most 500 characters, with two digits to each hour."),
        ("Sat-Tue;" * 60, "must have at most 500 characters, with two digits to each hour."),
    ],
)
def test_what_is_none_is_refused_in_a_sentence(written: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as caught:
        FtpSettingsInput.model_validate({**LEAST, "delivery_window": written})
    assert explain(caught.value)["delivery_window"].startswith(f"Delivery Window {sentence}")


@given(st.text("0123456789:-;, MonTuefrisat", max_size=30))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        stored = read_window(text)
    except ValueError:
        return
    assert read_window(stored) == stored
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    soonest = opening(stored, IN_BERLIN, now)
    assert soonest is None or now < soonest <= now + timedelta(days=8)
    assert soonest is None or opening(stored, IN_BERLIN, soonest) is None, "then it is open"


@pytest.mark.parametrize(
    ("window", "now", "soonest"),
    [
        ("22:00-06:00", "2026-11-25 12:00", "Wed 2026-11-25 22:00"),
        ("22:00-06:00", "2026-11-25 22:00", None),
        ("22:00-06:00", "2026-11-26 05:59:59", None),
        ("22:00-06:00", "2026-11-26 06:00", "Thu 2026-11-26 22:00"),
        ("08:00-09:00,12:00-13:00", "2026-11-25 10:00", "Wed 2026-11-25 12:00"),
        ("Mon-Fri 22:00-06:00; Sat-Sun", "2026-11-28 05:00", None),
        ("Mon-Fri 22:00-06:00; Sat-Sun", "2026-11-29 23:59", None),
        ("Mon-Fri 22:00-06:00; Sat-Sun", "2026-11-30 00:00", "Mon 2026-11-30 22:00"),
        ("Fri 22:00-06:00", "2026-11-28 03:00", None),
        ("Fri 22:00-06:00", "2026-11-27 03:00", "Fri 2026-11-27 22:00"),
        ("Sun 00:00-24:00", "2026-11-30 00:00", "Sun 2026-12-06 00:00"),
        ("Sun", "2026-11-29 23:59:59", None),
        ("Mon-Sun", "2026-11-29 23:59:59", None),
    ],
)
def test_a_day_counts_for_the_hours_that_begin_on_it(
    window: str, now: str, soonest: str | None
) -> None:
    assert opens(window, BERLIN, now) == soonest


def test_the_hours_are_those_of_the_zone() -> None:
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert opening("13:00-14:00", ZoneInfo("Europe/London"), noon) is None
    assert opening("13:00-14:00", ZoneInfo("UTC"), noon) == noon + timedelta(hours=1)
    assert opening("07:00-08:30", ZoneInfo("America/New_York"), noon) is None
    assert opening("17:30-17:31", ZoneInfo("Asia/Kolkata"), noon) is None


# --- the two nights in which the clock is changed ----------------------------------------------


@pytest.mark.parametrize(
    ("window", "opens_at", "closes_at"),
    [
        # From 02:00 the clock goes on at 03:00: 00:00Z is 01:00, 01:00Z is 03:00.
        ("22:00-06:00", "2026-03-28T21:00", "2026-03-29T04:00"),
        ("02:30-05:00", "2026-03-29T01:00", "2026-03-29T03:00"),
        ("01:00-02:30", "2026-03-29T00:00", "2026-03-29T01:00"),
        ("03:00-04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
    ],
)
def test_in_the_night_without_an_hour_it_opens_and_closes_where_the_clock_goes_on(
    window: str, opens_at: str, closes_at: str
) -> None:
    begin, end = (
        datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (opens_at, closes_at)
    )
    second = timedelta(seconds=1)
    assert opening(window, IN_BERLIN, begin - second) == begin
    assert opening(window, IN_BERLIN, begin) is None
    assert opening(window, IN_BERLIN, end - second) is None
    assert opening(window, IN_BERLIN, end) is not None


def test_hours_that_the_night_leaves_out_are_left_out_once() -> None:
    assert opens("Sun 02:10-02:50", BERLIN, "2026-03-29 01:00") == "Sun 2026-04-05 02:10"


@pytest.mark.parametrize(
    ("window", "opens_at", "closes_at"),
    [
        # From 03:00 the clock goes on at 02:00: 00:00Z and 01:00Z are both 02:00.
        ("22:00-06:00", "2026-10-24T20:00", "2026-10-25T05:00"),
        ("02:30-05:00", "2026-10-25T00:30", "2026-10-25T04:00"),
        ("01:00-02:30", "2026-10-24T23:00", "2026-10-25T01:30"),
        ("03:00-04:00", "2026-10-25T02:00", "2026-10-25T03:00"),
    ],
)
def test_in_the_night_in_which_an_hour_comes_twice_both_count(
    window: str, opens_at: str, closes_at: str
) -> None:
    begin, end = (
        datetime.fromisoformat(each).replace(tzinfo=UTC) for each in (opens_at, closes_at)
    )
    second, step = timedelta(seconds=1), timedelta(minutes=10)
    assert opening(window, IN_BERLIN, begin - second) == begin
    moment = begin
    while moment < end:
        assert opening(window, IN_BERLIN, moment) is None
        moment += step
    assert opening(window, IN_BERLIN, end) is not None


DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@pytest.mark.parametrize(
    "window",
    [
        ";".join(f"{day} 6:00-8:00,20:00-22:00" for day in DAYS),
        ";".join(f"{day} 6:00-8:00,9:00-9:30,20:00-22:00" for day in DAYS),
        ";".join(["Sat-Tue"] * 25),
    ],
    ids=["two a day", "three a day", "days that are told by more signs"],
)
def test_what_is_taken_is_read_again_though_it_is_stored_with_more_signs(window: str) -> None:
    stored = FtpSettingsInput.model_validate({**LEAST, "delivery_window": window}).delivery_window
    assert stored is not None
    assert len(stored) > len(window)
    again = FtpSettingsInput.model_validate({**LEAST, "delivery_window": stored})
    assert again.delivery_window == stored
