"""How an attempt ends that did not deliver: whose failure it is, and what is written down of it.

It decides nothing itself: the policy does, and the outcome recorder writes it down.
"""

import contextlib
from collections.abc import Callable
from functools import partial

from pymongo.errors import PyMongoError

from config.errors import ConfigError
from consumers.delivery.attempt import Attempt
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.flights import Ended
from consumers.delivery.login import remember_refusal
from consumers.delivery.login_errors import LoginDeferred, ShutOut
from consumers.delivery.outcome import Failed
from consumers.delivery.policy import judged
from consumers.faults import OURS, foreseen
from consumers.ledger import FailedTry, LastError
from consumers.observe import ACTIVE_MODE, OUTGOING, Trouble
from transports.base import Server
from transports.busy import DataConnectionRefused
from transports.diagnosis.ours import ACTIVE_MODE_OFF
from transports.errors import (
    ConnectFailed,
    Interrupted,
    Kind,
    NameInUse,
    OutgoingFailed,
    QuotaExceeded,
    SingledOut,
    SourceAway,
    TransferError,
)
from transports.job import Uploaded
from transports.phases import Phase, ProgramFault, Progress, fault_at
from transports.sample_upload import Sample

OURS_DELAY = 1.0
OUTGOING_DELAY = 10.0
"""Seconds until the platform's own way out, which is closed for all accounts, is tried again."""
AWAY_DELAY = 60.0
"""Seconds until an outage dead letter is tried again whose source was away."""
SUSPECTED = 2
"""A file that has failed so often where others had to wait for it is told from its server by a test
upload: if that works, the failure is the file's."""
IN_USE_DELAY = 2.0
"""Seconds a recording waits for another of its name, whose file it overwrites, to be delivered."""


def end(attempt: Attempt) -> Ended:
    """The file did not come to its place, or was not begun. Never raises: what is ours to mend
    stands in `error`."""
    try:
        return _after(attempt, attempt.outcome)
    except BaseException as error:  # noqa: BLE001 - a claim that nobody ends is held for ever
        return end_not_written_down(attempt, error)


def end_not_written_down(attempt: Attempt, error: BaseException) -> Ended:
    """The outcome itself could not be written down.

    Where the database is away the claim stands, and the account's next session frees it. Where it
    refuses what it is told, words with half a character for one, that is the file's failure then,
    in words of our own.
    """
    if isinstance(error, OURS):
        return Ended(attempt.claim, error=error)
    fault = fault_at(Phase.RECORDING)
    fault.__cause__, fault.part_left = error, True
    try:
        attempt.tell(failure=fault)
        return _after_failure(attempt, fault)
    except Exception as again:  # noqa: BLE001 - the session's thread raises it again
        return Ended(attempt.claim, error=again)


def _after(attempt: Attempt, outcome: Uploaded | BaseException | None) -> Ended:
    if outcome is None:
        _release(attempt, part_left=attempt.transfer.part_left)
        return Ended(attempt.claim)
    if isinstance(outcome, OURS):
        # Nothing is counted. Where this fails too, the next session frees the claim.
        with contextlib.suppress(PyMongoError):
            _release(
                attempt,
                part_left=not isinstance(outcome, ConfigError),
                why=attempt.told(Interrupted("")),  # whoever has to mend it is told elsewhere
            )
        return Ended(attempt.claim, error=outcome)
    failure = _judged(attempt, _failure_of(attempt, outcome))
    if isinstance(failure, LoginDeferred):
        told = attempt.told(failure, failure.shown) if failure.shown else None
        return _given_back(attempt, failure.seconds, failure.shown, told)
    attempt.tell(failure=failure)
    return _after_failure(attempt, failure)


def _failure_of(attempt: Attempt, outcome: Uploaded | BaseException) -> TransferError:
    """Whatever nobody foresaw is a failure of the phase that it came in."""
    if isinstance(outcome, TransferError):
        failure = outcome
    else:
        failure = fault_at(attempt.progress.phase)
        failure.__cause__ = outcome if isinstance(outcome, BaseException) else None
    if isinstance(failure, ProgramFault):
        failure.part_left = attempt.progress.part_left
    return failure


def _judged(attempt: Attempt, error: TransferError) -> TransferError:
    """What the failure is: nobody's where uploads are cut, the file's where it alone fails."""
    failure = error
    if attempt.context.is_cut:
        failure = Interrupted(error.words)
    elif isinstance(error, ConnectFailed) and _has_others(attempt):
        failure = DataConnectionRefused(error.words)
    elif _is_suspect(attempt, error) and attempt.claim.suspected + 1 >= SUSPECTED:
        failure = SingledOut(error.words) if _takes_a_test_file(attempt, error) else error
    failure.part_left = error.part_left
    return failure


def _has_others(attempt: Attempt) -> bool:
    """Whether its session stood beside others: then what it could not open is a data connection,
    of which the server may have too few."""
    return attempt.connection.has_logged_in and attempt.connection.others > 0


def _is_suspect(attempt: Attempt, failure: TransferError) -> bool:
    """Whether others have to wait for a file that it may be alone to blame.

    As the probe; and as one that would be an outage's dead letter, which returns by itself.
    """
    claim, connection = attempt.claim, attempt.connection
    waited_for = attempt.is_probe or claim.from_outage
    dies = claim.tries + 1 >= attempt.context.deps.rules.max_tries
    by_account = judged(failure.kind, running=1 + connection.others) is Kind.ACCOUNT
    is_fault = isinstance(failure, ProgramFault)
    return connection.has_logged_in and by_account and (waited_for or dies) and not is_fault


def _takes_a_test_file(attempt: Attempt, failure: TransferError) -> bool:
    """Whether the server takes a test file by the very means of this upload.

    A small text, or where it has no room for this recording as much as the last one that it took: a
    full disk has room for a line.
    """
    queries, account_id = attempt.context.deps.ledger.queries, attempt.context.account_id
    size = queries.last_size(account_id) if isinstance(failure, QuotaExceeded) else 0
    sample = Sample(attempt.transfer.job, size)
    is_taken = _could(attempt, Phase.WRITING, partial(sample.upload, journal=attempt))
    if sample.left and not is_taken:  # the connection was cut while it was on its way
        _could(attempt, Phase.LOOKING, sample.remove)
    attempt.left = sample.left
    return is_taken


def _could(attempt: Attempt, phase: Phase, act: Callable[[Server], None]) -> bool:
    """Whether it went well, over a session of its own."""
    connection = PooledConnection(attempt.context.pool)
    try:
        with foreseen(Progress(phase)):
            act(connection.open(attempt.settings))
    except TransferError as refusal:
        connection.discard()
        context = attempt.context
        remember_refusal(context.deps, context.account_id, context.epoch, refusal)
        if isinstance(refusal, ProgramFault):
            attempt.report(refusal)
        return False
    except BaseException:
        connection.discard()
        raise
    connection.keep()
    return True


def _after_failure(attempt: Attempt, failure: TransferError) -> Ended:
    claim = attempt.claim
    if isinstance(failure, NameInUse):
        return _after_clash(attempt, failure)
    if isinstance(failure, ShutOut):
        return _given_back(attempt, failure.seconds, LastError.of(failure), attempt.told(failure))
    if failure.kind is Kind.OURS:
        _release(attempt, why=attempt.told(failure))
        if not isinstance(failure, OutgoingFailed):
            return Ended(claim, backoff=OURS_DELAY)
        where = ACTIVE_MODE if failure.diagnosis is ACTIVE_MODE_OFF else OUTGOING
        attempt.context.deps.observe(Trouble(where, failure.words))
        return Ended(claim, backoff=OUTGOING_DELAY, shown=LastError.of(failure))
    if failure.kind is Kind.BUSY and (wait := _wait_for_ended(attempt)) is not None:
        _release(attempt, part_left=failure.part_left, why=attempt.told(failure))
        return Ended(claim, backoff=wait, is_held=True)
    is_kept = _record(attempt, failure)
    inconclusive = failure.kind is Kind.SOURCE or isinstance(failure, SingledOut) or not is_kept
    is_due_still = isinstance(failure, SourceAway) and claim.from_outage and not attempt.is_probe
    return Ended(claim, inconclusive=inconclusive, backoff=AWAY_DELAY if is_due_still else None)


def _release(attempt: Attempt, *, part_left: bool = True, why: FailedTry | None = None) -> None:
    """Give the start back. While the process ends the next session can do that as well."""
    with attempt.context.in_time():
        attempt.context.deps.ledger.outcomes.release(attempt.claim, part_left=part_left, why=why)


def _wait_for_ended(attempt: Attempt) -> float | None:
    """Seconds to wait where a server refuses the only login because it counts one that is over.

    Then nothing is counted. None: others run, whose number tells, or it refuses for long already,
    or it has let this one in and refuses what comes after: that would go on for ever.
    """
    connection = attempt.connection
    if connection.others or connection.has_logged_in:
        return None
    return attempt.context.pool.limit.wait_for_ended()


def _given_back(
    attempt: Attempt, seconds: float, shown: LastError | None, told: FailedTry | None
) -> Ended:
    """The server lets nobody in at this moment: nothing is counted, however few uploads run."""
    _release(attempt, part_left=False, why=told)
    return Ended(attempt.claim, backoff=seconds, is_held=True, shown=shown)


def _record(attempt: Attempt, failure: TransferError) -> bool:
    """False where its dead letter could not be kept."""
    context, others = attempt.context, attempt.connection.others
    if failure.kind is Kind.BUSY:
        context.pool.limit.refused(others)
    is_counted = context.pool.losses.is_counted(failure, attempt.connection.loss_count)
    failed = Failed(
        attempt.account,
        attempt.run_at_claim,
        attempt.claim,
        failure,
        running=1 + others + int(is_counted),  # whoever told it first was there as well
        already_counted=is_counted,
        suspected=_is_suspect(attempt, failure),
        told=attempt.told(failure),
    )
    with context.failures.lock:
        context.failures.count += 1
        return context.outcomes.failed(failed)


def _after_clash(attempt: Attempt, failure: NameInUse) -> Ended:
    """The other one is to be tried first, by a probe too; nothing is counted."""
    claim, outcomes = attempt.claim, attempt.context.deps.ledger.outcomes
    if claim.from_outage:
        _release(attempt, why=attempt.told(failure))
        return Ended(claim, inconclusive=True, backoff=None if attempt.is_probe else OURS_DELAY)
    outcomes.waits(claim, attempt.told(failure), IN_USE_DELAY)
    return Ended(claim, inconclusive=True)
