"""Times that a query or a body gives."""

from datetime import UTC, datetime

from fastapi.exceptions import RequestValidationError


def utc(moment: datetime | None) -> datetime | None:
    """A time without an offset is UTC."""
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise _refused("since", "must be a time between the years 1 and 9999 in UTC") from None


def period(
    since: datetime | None, until: datetime | None
) -> tuple[datetime | None, datetime | None]:
    """Both in UTC. Raises RequestValidationError where nothing can lie between them."""
    first, last = utc(since), utc(until)
    if first is not None and last is not None and first >= last:
        raise _refused("until", "must be later than 'since'")
    return first, last


def _refused(name: str, words: str) -> RequestValidationError:
    problem = {"type": "value_error", "loc": ("query", name), "msg": words}
    return RequestValidationError([problem])
