"""Decides what follows from a try, for the file and for its account. Pure: no I/O, no clock.

Rules 1 to 13 of docs/rules.md, as far as they decide: five tries a file, ten failures of an account
in a row, fifteen minutes of suspension, then the oldest file first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from transports.errors import Kind

SOURCE_PATIENCE = 86_400.0
"""Seconds from its arrival on for which a file that its source cannot give loses no try."""
SOURCE_DELAYS = (5.0, 300.0)
"""The shortest and the longest time between two looks for such a source, in seconds."""
DORMANT_SECONDS = 6 * 3600.0
"""The time between two probes of an account whose outage has lasted for days."""
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
    dormant_after: float | None = None
    """So long an outage lasts until its account is dormant: tried rarely. None: it never is."""


@dataclass(frozen=True)
class FileView:
    """What the policy knows of the file that was tried."""

    tries: int
    """Failed tries counted so far, without this one."""
    account_tries: int
    """The number of these that failed by the account."""
    from_outage: bool = False
    """The file is an outage's dead letter, and was tried as a probe."""
    age: float = 0.0
    """Seconds since its arrival."""


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
    lasts: float = 0.0
    """Seconds since the outage's first suspension, or since somebody has last taken care of it."""


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
    """The account is suspended, and the people are told. `dormant`: for long, as the outage is."""

    failures: int
    seconds: float
    dormant: bool = False


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
    source_away: bool = False,
    unasked_for: float | None = None,
    jitter: float,
) -> Decision:
    """The consequence of a failed try.

    `running` is the number of uploads at the account's server during the failure, with this one.
    `already_counted`: it lost a connection together with another upload, whose failure counts for
    both.
    `fault`: an unforeseen error ended the try, which then counts for the file in any case.
    `singled_out`: the server has just taken a test file by the same means; a probe then goes on
    with the next file. `source_away`: where the recording lies could not give it now.
    `unasked_for`: the server was not asked for the login that the try needed, and is not for so
    many seconds more.
    `jitter` is a random number from 0 to 1.
    """
    kind = judged(kind, running=running)
    outcome = _for_file(kind, file, account, rules, jitter, fault=fault)
    if unasked_for is not None:
        least = retry_delay(file.tries + 1, rules, jitter)
        outcome = _spared(outcome, max(unasked_for, least))
    return Decision(
        _for_lack_of_source(outcome, file, jitter) if source_away else outcome,
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


def _spared(outcome: Retry | DeadLetter, delay: float) -> Retry | DeadLetter:
    """Nothing dies for good of a login that was not asked for: the file waits until one is."""
    dies = isinstance(outcome, DeadLetter) and not outcome.from_outage
    return Retry(delay, counted=False) if dies else outcome


def _for_lack_of_source(
    outcome: Retry | DeadLetter, file: FileView, jitter: float
) -> Retry | DeadLetter:
    """The file waits, and nothing is counted at first: the longer it has waited, the rarer it is
    tried. `outcome`: what follows where the recording itself is to blame."""
    if file.from_outage:
        return DeadLetter(from_outage=True, counted=False)
    shortest, longest = SOURCE_DELAYS
    delay = min(max(file.age / 10, shortest), longest) * (1 + JITTER * jitter)
    if file.age < SOURCE_PATIENCE:
        return Retry(delay, counted=False)
    return Retry(delay, counted=True) if isinstance(outcome, Retry) else outcome


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
        return _suspend(failures, account, rules)
    return Count(failures)


def _suspend(failures: int, account: AccountView, rules: Rules) -> Suspend:
    """An outage that lasts for days makes its account dormant; only a probe can tell that."""
    is_dormant = (
        rules.dormant_after is not None
        and account.state is State.PROBING
        and account.lasts >= rules.dormant_after
    )
    seconds = max(rules.suspend_seconds, DORMANT_SECONDS) if is_dormant else rules.suspend_seconds
    return Suspend(failures, seconds, dormant=is_dormant)


def retry_delay(tries: int, rules: Rules, jitter: float) -> float:
    """Seconds before the next try of a file that failed `tries` times; the last delay repeats."""
    delay = rules.retry_delays[min(tries, len(rules.retry_delays)) - 1]
    return delay * (1 + JITTER * jitter)
