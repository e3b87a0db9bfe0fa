"""Whole numbers and moments as the reader's language writes them."""

from datetime import UTC, datetime
from functools import lru_cache

from worker.console.language import current
from worker.console.language import gettext as _


def number(value: int) -> str:
    """`12,345`, or `12.345`."""
    return f"{value:,}".replace(",", _group(current()))


def decimal(value: float, places: int = 0) -> str:
    """`1,234.5`, or `1.234,5`."""
    whole, _point, rest = f"{value:,.{places}f}".partition(".")
    told = whole.replace(",", _group(current()))
    return f"{told}{_decimal_point(current())}{rest}" if rest else told


def moment_utc(moment: datetime) -> str:
    """`23 Nov 2026, 14:05:07 UTC`."""
    utc = moment.astimezone(UTC)
    return _("%(day)s %(month)s %(year)s, %(clock)s UTC") % {
        "day": utc.day,
        "month": _months(current())[utc.month],
        "year": utc.year,
        "clock": f"{utc:%H:%M:%S}",
    }


def day_and_month(moment: datetime) -> str:
    """`23 Nov`, in UTC."""
    utc = moment.astimezone(UTC)
    places = {"day": f"{utc.day:02}", "month": _months(current())[utc.month]}
    return _("%(day)s %(month)s") % places


@lru_cache
def _group(language: str) -> str:
    from babel.numbers import get_group_symbol  # noqa: PLC0415 - large, and only pages need it

    return get_group_symbol(language)


@lru_cache
def _decimal_point(language: str) -> str:
    from babel.numbers import get_decimal_symbol  # noqa: PLC0415 - large, and commands need none of it

    return get_decimal_symbol(language)


@lru_cache
def _months(language: str) -> dict[int, str]:
    from babel.dates import get_month_names  # noqa: PLC0415 - large, and commands need none of it

    return dict(get_month_names("abbreviated", locale=language))
