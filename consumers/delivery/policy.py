"""Decides what follows from a try, for the file and for its account. Pure: no I/O, no clock.

Rules 1 to 13 of docs/rules.md, as far as they decide: five tries a file, ten failures of an account
in a row, fifteen minutes of suspension, then the oldest file first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from transports.errors import Kind

JITTER = 0.1
"""The share of a delay by which retries are spread, so that they do not come in step."""


class State(StrEnum):
    """The running state of an account."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    PROBING = "probing"


@dataclass(frozen=True)
class Rules:
    """The numbers an operator may set (`config.settings` has the defaults); times in seconds."""

    max_tries: int
    suspend_after: int
    suspend_seconds: float
    retry_delays: Sequence[float]
    replay_after_outage: bool


@dataclass(frozen=True)
class FileView:
    """What the policy knows of the file that was tried."""

    tries: int
    """Failed tries counted so far, without this one."""
    account_tries: int
    """The number of these that failed by the account."""
    from_outage: bool = False
    """The file is an outage's dead letter, and was tried as a probe."""


@dataclass(frozen=True)
class AccountView:
    """What the policy knows of the account at the end of the try."""

    state: State
    failures: int
    """Consecutive failures so far, without this one."""
    changed: bool = False
    """The state has changed since the try began: an `account` failure counts for nothing."""
    has_outage_dead_letters: bool = False
    """The present outage's dead letters wait for the account to deliver again."""


@dataclass(frozen=True)
class Retry:
    """The file waits `delay` seconds; `counted` tells whether this was a try."""

    delay: float
    counted: bool


@dataclass(frozen=True)
class DeadLetter:
    """The file has used up its tries. An outage's dead letter returns after it."""

    from_outage: bool
    counted: bool = True


@dataclass(frozen=True)
class Nothing:
    """The account is as it was."""


@dataclass(frozen=True)
class Count:
    """The account goes on, with this count of consecutive failures: one more, or the same where
    several uploads lost one connection and it is counted already."""

    failures: int


@dataclass(frozen=True)
class Suspend:
    """The account is suspended, and the people are told."""

    failures: int
    seconds: float


@dataclass(frozen=True)
class Decision:
    """Both apply: the file's part is written first, then the account's."""

    file: Retry | DeadLetter
    account: Nothing | Count | Suspend


def decide(
    kind: Kind,
    file: FileView,
    account: AccountView,
    rules: Rules,
    *,
    running: int,
    already_counted: bool = False,
    fault: bool = False,
    singled_out: bool = False,
    jitter: float,
) -> Decision:
    """The consequence of a failed try.

    `running` is the number of uploads at the account's server during the failure, with this one.
    `already_counted`: it lost a connection together with another upload, whose failure counts for
    both.
    `fault`: an unforeseen error ended the try, which then counts for the file in any case.
    `singled_out`: the server has just taken a test file by the same means; a probe then goes on
    with the next file. `jitter` is a random number from 0 to 1.
    """
    kind = judged(kind, running=running)
    return Decision(
        _for_file(kind, file, account, rules, jitter, fault=fault),
        Nothing()
        if singled_out and account.state is State.PROBING
        else _for_account(kind, account, rules, already_counted=already_counted),
    )


def judged(kind: Kind, *, running: int) -> Kind:
    """The kind that a failure counts as: a server is busy only while other uploads run there."""
    return Kind.ACCOUNT if kind is Kind.BUSY and running <= 1 else kind


def recovers(account: AccountView) -> bool:
    """Whether a delivered file changes its account: the count ends, a probe makes it active, an
    outage's dead letters return.

    A success that comes late, after the account was suspended, changes nothing.
    """
    if account.state is State.SUSPENDED:
        return False
    return account.state is State.PROBING or account.failures > 0 or account.has_outage_dead_letters


def _for_file(
    kind: Kind, file: FileView, account: AccountView, rules: Rules, jitter: float, *, fault: bool
) -> Retry | DeadLetter:
    probe = account.state is State.PROBING or file.from_outage
    by_account = kind is Kind.ACCOUNT and not probe and not account.changed
    counted = kind in {Kind.FILE, Kind.SOURCE} or by_account or fault
    if not counted:
        return (
            DeadLetter(from_outage=True, counted=False)
            if file.from_outage
            else Retry(0, counted=False)
        )
    tries = file.tries + 1
    if file.from_outage or tries >= rules.max_tries:
        only_account = kind is Kind.ACCOUNT and file.account_tries == file.tries
        return DeadLetter(from_outage=only_account and rules.replay_after_outage)
    return Retry(retry_delay(tries, rules, jitter), counted=True)


def _for_account(
    kind: Kind, account: AccountView, rules: Rules, *, already_counted: bool
) -> Nothing | Count | Suspend:
    if kind not in {Kind.ACCOUNT, Kind.FILE} or account.state is State.SUSPENDED:
        return Nothing()
    if kind is Kind.ACCOUNT and account.changed:
        return Nothing()
    if already_counted:
        return Count(account.failures)
    failures = account.failures + 1
    if account.state is State.PROBING or failures >= rules.suspend_after:
        return Suspend(failures, rules.suspend_seconds)
    return Count(failures)


def retry_delay(tries: int, rules: Rules, jitter: float) -> float:
    """Seconds before the next try of a file that failed `tries` times; the last delay repeats."""
    delay = rules.retry_delays[min(tries, len(rules.retry_delays)) - 1]
    return delay * (1 + JITTER * jitter)
