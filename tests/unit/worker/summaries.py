"""Summaries of accounts, for the tests of lists and trees."""

from datetime import UTC, datetime, timedelta

from consumers.ledger import AccountSummary, Counts, Disabled

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)


def summary(
    account_id: str,
    *,
    parent: str | None = None,
    name: str = "",
    host: str = "ftp.example",
    state: str = "active",
    disabled: tuple[Disabled, ...] = (),
    dormant: bool = False,
    failures: int = 0,
    kind: str = "",
    cause: str = "",
    queued: int = 0,
    dead: int = 0,
    hours: float = 1,
) -> AccountSummary:
    """An account; its oldest file has waited for so many hours."""
    oldest = NOON - timedelta(hours=hours) if queued else None
    return AccountSummary(
        account_id=account_id,
        name=name,
        parent=parent,
        host=host,
        port="21",
        protocol="ftp",
        username="u",
        state="disabled" if disabled else state,
        disabled=disabled,
        paused=state == "paused",
        has_window=False,
        dormant=dormant,
        failures=failures,
        kind=kind,
        cause=cause,
        counts=Counts(queued, dead, oldest),
    )
