"""An account's running state brought into a state, each step by the ledger's own transition."""

from datetime import UTC, datetime

from config.accounts import Account, FtpSettings, Protocol
from consumers.ledger import BUCKETS, LastError, SuspensionAlert
from consumers.ledger.accounts import AccountStates

ACME = "acme"
EPOCH = 7
SETTINGS = FtpSettings(
    protocol=Protocol.FTP,
    host="ftp.customer.example",
    port=21,
    username="$acme",
    email_alerts=("it@customer.example", "ops@customer.example"),
)
ACCOUNT = Account(account_id=ACME, ftp_access=True, enabled=True, settings=SETTINGS)
REFUSED = LastError("account", "530 $$ROOT Login incorrect.", "Check the password.")
OLDEST = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
BLAME = SuspensionAlert(ACCOUNT, REFUSED, queued=3, oldest=OLDEST)
TINY = 0.05
"""Seconds of a timer that a test waits for."""
EVERY = range(BUCKETS)


def suspend(states: AccountStates, seconds: float = 900, failures: int = 10) -> bool:
    seen = states.read(ACME)
    return states.suspend(ACME, EPOCH, seen, failures=failures, seconds=seconds, alert=BLAME)


def count(states: AccountStates, failures: int, outage_retry_in: float | None = None) -> bool:
    seen = states.read(ACME)
    return states.count_failure(
        ACME, EPOCH, seen, failures=failures, error=REFUSED, outage_retry_in=outage_retry_in
    )


def rest(states: AccountStates, wait: float | None = None, until: datetime | None = None) -> None:
    """A session that has seen everything ends."""
    states.reschedule(ACME, EPOCH, states.read(ACME).routed, wait, until)


def is_due(states: AccountStates) -> bool:
    return ACME in states.due(10, EVERY, [])


def until_timer_is_over(states: AccountStates) -> None:
    while (run := states.read(ACME)).seconds_until(run.suspended_until) > 0:
        pass
