"""A suspension and a recovery to begin with: tests change what they are about."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from alerts.recovery import Recovery
from alerts.suspension import Suspension

SENDER = "courier@platform.example"
PLATFORM = "Advanced Services Platform"

EXAMPLE = Suspension(
    account_id="acme",
    number=3,
    failures=10,
    host="ftp.customer.example",
    username="acme",
    protocol="ftp",
    seconds=900,
    words="530 Login incorrect.",
    advice="Check username, password and logon type, and that the user is not locked.",
    recipients=("it@customer.example", "ops@customer.example"),
    queued=12,
    cause="The server refuses this username with this password.",
    code="login-refused",
    whose="the customer",
    oldest=datetime(2026, 11, 23, 14, 5, 0, tzinfo=UTC),
    at=datetime(2026, 11, 23, 15, 0, 0, 123_456, tzinfo=UTC),
    until=datetime(2026, 11, 23, 15, 15, 0, tzinfo=UTC),
)


RECOVERY = Recovery(
    account_id="acme",
    number=11,
    suspensions=9,
    host="ftp.customer.example",
    username="acme",
    protocol="ftp",
    words="530 Login incorrect.",
    recipients=("it@customer.example", "ops@customer.example"),
    queued=12,
    returning=3,
    since=datetime(2026, 11, 23, 15, 0, 0, tzinfo=UTC),
    at=datetime(2026, 11, 23, 17, 15, 0, tzinfo=UTC),
)


def suspension(**changes: Any) -> Suspension:
    """The example with some facts changed."""
    return replace(EXAMPLE, **changes)
