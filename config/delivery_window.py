"""The hours in which an account's files may be sent: read, written, and looked up. Pure.

`Mon-Fri 22:00-06:00; Sat-Sun`: days, hours, or both; several of them with a semicolon. Hours that
end before they begin last until the next day; a day counts for the hours that begin on it. They are
those of the clock in the account's zone. In the night in which an hour is left out, what would
begin or end in it does so where the clock goes on; where an hour comes twice, both count.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LONG = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):(\d{2})", re.ASCII)
_HOUR = 60
_DAY = 24 * _HOUR
"""Minutes."""
_HORIZON = 16
"""Days: a window of hours on one day of the week, which a clock that is put forward leaves out, is
open again within them."""
_EXAMPLE = "such as 22:00-06:00, Sat-Sun, or Mon-Fri 22:00-06:00; Sat-Sun"


@dataclass(frozen=True)
class _Hours:
    """On these days of the week, Monday the first, from and to so many minutes of the day; the end
    may be one of the next day."""

    days: tuple[int, ...]
    begin: int
    end: int


def read_window(text: str) -> str:
    """The window as it is stored. Raises ValueError with what is wrong with it."""
    return "; ".join(_entry_told(entry) for entry in _entries(text))


def opening(window: str, zone: tzinfo, now: datetime) -> datetime | None:
    """When the window opens next; None: it is open. Of a window that `read_window` has read."""
    today = now.astimezone(zone).date()
    soonest: datetime | None = None
    for begin, end in _spans(_hours(window), zone, today):
        if begin <= now < end:
            return None
        if now < begin < end and (soonest is None or begin < soonest):
            soonest = begin
    return soonest


def _spans(
    hours: Sequence[_Hours], zone: tzinfo, today: date
) -> Iterator[tuple[datetime, datetime]]:
    """From yesterday on: what began then may be open still."""
    for offset in range(-1, _HORIZON):
        day = today + timedelta(days=offset)
        for each in hours:
            if day.weekday() in each.days:
                yield _moment(day, each.begin, zone, 0), _moment(day, each.end, zone, 1)


def _moment(day: date, minutes: int, zone: tzinfo, fold: int) -> datetime:
    """When the clock of the zone shows so many minutes of the day: of two times the first, or with
    `fold` 1 the second; where it never shows them, when it goes on behind them."""
    days, minutes = divmod(minutes, _DAY)
    clock = datetime.combine(day + timedelta(days=days), time(*divmod(minutes, 60)), zone)
    moment = clock.replace(fold=fold).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == clock.replace(tzinfo=None):
        return moment
    early, late = (clock.replace(fold=side).astimezone(UTC) for side in (1, 0))
    return _change_between(early, late, zone)


def _change_between(early: datetime, late: datetime, zone: tzinfo) -> datetime:
    """When the clock is put forward, to the second."""
    before = early.astimezone(zone).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


# --- what a person has written -----------------------------------------------------------------


@dataclass(frozen=True)
class _Entry:
    days: tuple[int, ...]
    """Empty: every day."""
    hours: tuple[tuple[int, int], ...]
    """Empty: all day."""


def _hours(window: str) -> tuple[_Hours, ...]:
    return tuple(
        _Hours(entry.days or tuple(range(7)), begin, end)
        for entry in _entries(window)
        for begin, end in entry.hours or ((0, _DAY),)
    )


def _entries(text: str) -> list[_Entry]:
    joined = re.sub(r"\s*[-\u2013]\s*", "-", text)
    entries = [_entry(part) for part in joined.split(";") if part.strip(" ,")]
    if not entries:
        raise ValueError(f"must be days, hours or both, {_EXAMPLE}")
    return entries


def _entry(text: str) -> _Entry:
    days, hours = list[int](), list[tuple[int, int]]()
    for word in re.split(r"[,\s]+", text.strip(" ,")):
        if ":" in word:
            hours.append(_hours_of(word))
        elif hours:
            raise ValueError("must have a semicolon between hours and the days of other hours")
        else:
            days += _days_of(word)
    return _Entry(tuple(sorted(set(days))), tuple(hours))


def _days_of(word: str) -> list[int]:
    first, dash, last = word.partition("-")
    begin = _day_of(first)
    end = _day_of(last) if dash else begin
    return [(begin + offset) % 7 for offset in range((end - begin) % 7 + 1)]


def _day_of(word: str) -> int:
    for number, name in enumerate(_LONG):
        if word.lower() in {name[:3], name}:
            return number
    raise ValueError(f"must be days, hours or both, {_EXAMPLE}")


def _hours_of(word: str) -> tuple[int, int]:
    first, _, last = word.partition("-")
    begin, end = _minutes_of(first), _minutes_of(last)
    if begin == _DAY:
        raise ValueError("must not have hours that begin at 24:00: a day begins at 00:00")
    if begin == end:
        raise ValueError(
            "must not have hours that end when they begin: for a whole day give the day alone, or "
            "00:00-24:00"
        )
    return begin, end if end > begin else end + _DAY


def _minutes_of(word: str) -> int:
    match = _TIME.fullmatch(word)
    if match is None:
        raise ValueError(f"must have hours as HH:MM-HH:MM, {_EXAMPLE}")
    hour, minute = int(match[1]), int(match[2])
    if minute >= _HOUR or hour * _HOUR + minute > _DAY:
        raise ValueError("must have hours from 00:00 to 24:00")
    return hour * _HOUR + minute


# --- as it is stored ---------------------------------------------------------------------------


def _entry_told(entry: _Entry) -> str:
    hours = ",".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in entry.hours)
    return " ".join(filter(None, (",".join(_days_told(entry.days)), hours)))


def _days_told(days: Sequence[int]) -> Iterator[str]:
    """Days in a row as one range."""
    left = list(days)
    while left:
        last = left[0]
        while last + 1 in left:
            last += 1
        yield _DAYS[left[0]] if last == left[0] else f"{_DAYS[left[0]]}-{_DAYS[last]}"
        left = [day for day in left if day > last]


def _clock(minutes: int) -> str:
    """24:00 only where it ends what begins on the same day, and lasts until then."""
    hour, minute = divmod(minutes, 60)
    return f"{hour if minutes <= _DAY else hour - 24:02}:{minute:02}"
