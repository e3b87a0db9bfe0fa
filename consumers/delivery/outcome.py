"""What a try leaves behind: the file's part is written first, then the account's.

A crash between the two loses one count, never a file.
"""

import random
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from config.accounts import Account
from consumers.delivery.dead_letters import UNBURIED_SECONDS
from consumers.delivery.deps import Deps
from consumers.delivery.login_errors import FoundAway, NotAsked
from consumers.delivery.policy import (
    AccountView,
    Count,
    DeadLetter,
    Decision,
    FileView,
    Nothing,
    Retry,
    State,
    Suspend,
    decide,
    judged,
)
from consumers.ledger import (
    By,
    Claim,
    FailedTry,
    LastError,
    RecoveryAlert,
    RunState,
    SuspensionAlert,
)
from consumers.observe import AccountChanged, Change, FileEnded, RaceLost, TryEnded
from consumers.trace import TraceContext
from transports.errors import Kind, LoginRefused, SingledOut, SourceAway, TransferError
from transports.job import Uploaded
from transports.phases import ProgramFault

RACE_SECONDS = (0.005, 0.5)
"""The first and the longest pause before a decision is made anew, because somebody has changed the
account in between."""


@dataclass(frozen=True)
class Failed:
    """A try that has failed, and what was known of it then."""

    account: Account
    run_at_claim: RunState
    claim: Claim
    failure: TransferError
    running: int
    """Uploads that were at the server, with this one."""
    already_counted: bool
    """Its connection was lost by another one too, whose failure counts for both."""
    suspected: bool
    """It may be the file that the server does not take, whatever it says."""
    told: FailedTry
    """What its row's story has of it, before it is decided what it counts for."""

    @property
    def kind(self) -> Kind:
        """What the failure counts as."""
        return judged(self.failure.kind, running=self.running)

    @property
    def error(self) -> LastError:
        """As it is shown."""
        return LastError.of(self.failure, self.kind)

    def decided(self, *, counted: bool) -> FailedTry:
        """What its row keeps of it."""
        return replace(
            self.told,
            error=self.error,
            counted=counted,
            by_account=self.kind is Kind.ACCOUNT,
            suspected=self.suspected,
        )


class Arrived(NamedTuple):
    """A file that stands in its place, and the try that brought it there."""

    claim: Claim
    uploaded: Uploaded
    brought_by: TryEnded


@dataclass(frozen=True)
class OutcomeRecorder:
    """Writes down what became of one account's tries. Raises pymongo's errors and BrokerAway."""

    account_id: str
    epoch: int
    deps: Deps

    def delivered(self, run_at_claim: RunState, arrived: Sequence[Arrived]) -> Container[str]:
        """The files stand in their places: so say their rows, by one write.

        The ids of those whose rows say so; the others are another session's. `run_at_claim`: the
        account's running state when they were claimed.
        """
        seconds = self.deps.ledger.outcomes.delivered(
            [(each.claim, each.uploaded) for each in arrived]
        )
        for each in arrived:
            recording_id = each.claim.recording_id
            if recording_id in seconds:
                self._tell_delivered(run_at_claim, each, seconds[recording_id])
            else:
                self._tell_lost("delivery", each.claim)
        return seconds

    def _tell_delivered(self, run_at_claim: RunState, arrived: Arrived, seconds: float) -> None:
        claim = arrived.claim
        if claim.from_outage:
            self.deps.observe(
                FileEnded("replayed", self.account_id, claim.recording_id, trace=claim.trace)
            )
        elif claim.tries + 1 >= self.deps.rules.max_tries:  # it may have waited to be buried
            self.deps.ledger.accounts.queue_usable(self.account_id, "burying")
        self.deps.observe(
            FileEnded(
                "delivered",
                self.account_id,
                claim.recording_id,
                delivery_seconds=seconds,
                trace=claim.trace,
                was_well=run_at_claim.was_well(claim),
                came_back=claim.was_dead,
                brought_by=arrived.brought_by,
            )
        )

    def failed(self, failed: Failed) -> bool:
        """The try failed: by the policy's decision on the account's state now and at the claim.

        False where its dead letter could not be kept: the file waits for that, and one that its
        account is not to blame for tells nothing of it.
        """
        decision: Decision | None = None
        is_kept = True
        for run in self._until_it_holds("failure", failed.claim):
            again = self._decide(failed, run)
            if decision is None:
                is_kept = self._record_file(failed, again.file, run.outage_id)
                if not is_kept and failed.kind is not Kind.ACCOUNT:
                    break
            elif decision.file.counted and not again.file.counted:
                self._take_back(failed.claim, decision.file)
            decision = again
            if self._record_account(failed, run, decision):
                break
        return is_kept

    def changed(
        self,
        state: State,
        failures: int,
        error: LastError | None = None,
        trace: TraceContext | None = None,
    ) -> None:
        """Tell that the account's running state has changed; by the try of which recording."""
        self.deps.observe(
            AccountChanged(
                self.account_id,
                state.value,
                failures,
                kind=Kind(error.kind) if error else None,
                cause=(error.cause or None) if error else None,
                words=error.words if error else None,
                trace=trace,
            )
        )

    def recover(self, account: Account, claim: Claim) -> None:
        """A file was delivered: what its account had to recover from is over."""
        for run in self._until_it_holds("recovery", claim):
            if not run.recovers:
                return
            alert = self._recovery_alert(account, run)
            if self.deps.ledger.accounts.recovered(self.account_id, self.epoch, run, alert):
                self.changed(State.ACTIVE, 0, trace=claim.trace)
                return

    def _until_it_holds(self, change: Change, claim: Claim) -> Iterator[RunState]:
        """The account's running state, read anew after each pause: what others have overtaken is
        decided again, however often.

        It ends once the account is another epoch's, or gone: then the change is told to be lost.
        """
        pause, longest = RACE_SECONDS
        while run := self.deps.ledger.accounts.read_own(self.account_id, self.epoch):
            yield run
            time.sleep(pause * random.random())  # noqa: S311 - it spreads, it guards nothing
            pause = min(2 * pause, longest)
        self._tell_lost(change, claim)

    def _take_back(self, claim: Claim, outcome: Retry | DeadLetter) -> None:
        """The account was changed before its part was written: the try is none after all."""
        if isinstance(outcome, Retry):
            if not self.deps.ledger.outcomes.uncount(claim):
                self._tell_lost("taken_back_try", claim)
        elif not claim.from_outage:
            self.deps.dead_letters.replay(claim.recording_id, By.CHANGE)
            self.deps.dead_letters.sweep(self.account_id)

    def _decide(self, failed: Failed, run: RunState) -> Decision:
        claim, failure = failed.claim, failed.failure
        decision = decide(
            failure.kind,
            FileView(claim.tries, claim.account_tries, claim.from_outage, claim.age),
            AccountView(
                run.state,
                run.failures,
                changed=run.change != failed.run_at_claim.change,
                lasts=run.lasts,
            ),
            self.deps.rules,
            running=failed.running,
            already_counted=failed.already_counted,
            fault=isinstance(failure, ProgramFault),
            singled_out=isinstance(failure, SingledOut),
            source_away=isinstance(failure, SourceAway),
            unasked_for=run.seconds_until(run.login_refused_until)
            if isinstance(failure, NotAsked)
            else None,
            jitter=random.random(),  # noqa: S311 - it spreads retries, it guards nothing
        )
        if isinstance(failure, FoundAway) and not claim.from_outage:
            # No connection was tried for the file: what another account has met is its account's.
            return replace(decision, file=Retry(0, counted=False))
        return decision

    def _record_file(self, failed: Failed, outcome: Retry | DeadLetter, outage_id: int) -> bool:
        """False where it should be a dead letter and cannot: it waits, and nothing is counted."""
        claim, ledger = failed.claim, self.deps.ledger
        is_kept = isinstance(outcome, Retry) or claim.from_outage or self._bury(failed)
        if not is_kept:
            outcome = Retry(UNBURIED_SECONDS, counted=False)
        told = failed.decided(counted=outcome.counted)
        if isinstance(outcome, Retry):
            is_written = ledger.outcomes.waits(claim, told, outcome.delay)
        else:
            outage = outage_id if outcome.from_outage else None
            is_written = ledger.outcomes.dead_lettered(claim, told, outage)
        if not is_written:
            self._tell_lost("failed_try", claim)
        elif isinstance(outcome, DeadLetter) and not claim.from_outage:
            self._tell_dead(claim, told.error.kind)
        return is_kept

    def _bury(self, failed: Failed) -> bool:
        claim = failed.claim
        return self.deps.dead_letters.try_to_bury(claim.routing, claim.tries + 1, failed.kind.value)

    def _tell_dead(self, claim: Claim, reason: str) -> None:
        recording_id, trace = claim.recording_id, claim.trace
        self.deps.observe(
            FileEnded("dead_lettered", self.account_id, recording_id, reason=reason, trace=trace)
        )

    def _tell_lost(self, change: Change, claim: Claim) -> None:
        """A race was lost to another session. What is not written down by that is told."""
        self.deps.observe(RaceLost(change, self.account_id, claim.recording_id, claim.trace))

    def _record_account(self, failed: Failed, run: RunState, decision: Decision) -> bool:
        """False where the account's state has changed since `run` was read."""
        match decision.account:
            case Nothing():
                return True
            case Count(failures):
                from_outage = isinstance(decision.file, DeadLetter) and decision.file.from_outage
                return self.deps.ledger.accounts.count_failure(
                    self.account_id,
                    self.epoch,
                    run,
                    failures=failures,
                    error=failed.error,
                    refused_for=self._refused_for(failed),
                    outage_retry_in=self.deps.rules.suspend_seconds if from_outage else None,
                )
            case Suspend() as suspend:
                return self._suspend(failed, run, suspend)

    def _suspend(self, failed: Failed, run: RunState, suspend: Suspend) -> bool:
        waiting = self.deps.ledger.queries.waiting(self.account_id)
        done = self.deps.ledger.accounts.suspend(
            self.account_id,
            self.epoch,
            run,
            failures=suspend.failures,
            seconds=suspend.seconds,
            alert=SuspensionAlert(failed.account, failed.error, waiting.files, waiting.oldest),
            refused_for=self._refused_for(failed),
            dormant=suspend.dormant,
        )
        if done:
            self.changed(State.SUSPENDED, suspend.failures, failed.error, failed.claim.trace)
        return done

    def _refused_for(self, failed: Failed) -> float | None:
        """For how long its server is not asked for a login again: until the next probe."""
        is_refusal = isinstance(failed.failure, LoginRefused)
        is_asked = not isinstance(failed.failure, NotAsked)
        return self.deps.rules.suspend_seconds if is_refusal and is_asked else None

    def _recovery_alert(self, account: Account, run: RunState) -> RecoveryAlert | None:
        """What the on-call, and people who have asked for it, are told of the end of an outage."""
        if account.settings is None or run.outage_since is None:
            return None
        ledger = self.deps.ledger
        return RecoveryAlert(
            account,
            run.server_error,
            queued=ledger.queries.waiting(self.account_id).files,
            returning=ledger.claims.count_outage_dead_letters(self.account_id, run.outage_id),
        )
