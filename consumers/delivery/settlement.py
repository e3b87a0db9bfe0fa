"""What a try leaves behind: the file's part is written first, then the account's.

A crash between the two loses one count, never a file.
"""

import random
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from config.accounts import Account
from consumers.delivery.dead_letters import UNBURIED_SECONDS
from consumers.delivery.means import Means
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
from consumers.ledger import Blame, Claim, LastError, Relief, RunState
from consumers.observe import AccountChanged, FileEnded, Trouble, TryEnded
from consumers.trace import TraceContext
from transports.errors import Kind, ProgramFault, SingledOut, TransferError
from transports.upload import Uploaded

RACE_SECONDS = (0.005, 0.5)
"""The first and the longest pause before a decision is made anew, because somebody has changed the
account in between."""


class Arrived(NamedTuple):
    """A file that stands in its place, and the try that brought it there."""

    claim: Claim
    uploaded: Uploaded
    brought_by: TryEnded


@dataclass(frozen=True)
class Settlement:
    """Writes down what became of one account's tries. Raises pymongo's errors and BrokerAway."""

    account_id: str
    epoch: int
    means: Means

    def delivered(self, begun: RunState, arrived: Sequence[Arrived]) -> Container[str]:
        """The files stand in their places: so say their rows, by one write.

        The ids of those whose rows say so; the others are another session's. `begun`: the
        account's running state when they were claimed.
        """
        seconds = self.means.ledger.outcomes.delivered(
            [(each.claim, each.uploaded) for each in arrived]
        )
        for each in arrived:
            recording_id = each.claim.recording_id
            if recording_id in seconds:
                self._tell_delivered(begun, each, seconds[recording_id])
            else:
                self.means.observe(Trouble("ledger", f"{recording_id} is another session's now"))
        return seconds

    def _tell_delivered(self, begun: RunState, arrived: Arrived, seconds: float) -> None:
        claim = arrived.claim
        if claim.casualty:
            self.means.observe(
                FileEnded("replayed", self.account_id, claim.recording_id, trace=claim.trace)
            )
        elif claim.tries + 1 >= self.means.rules.max_tries:  # it may have waited to be buried
            self.means.ledger.accounts.queue_usable(self.account_id, "burying")
        self.means.observe(
            FileEnded(
                "delivered",
                self.account_id,
                claim.recording_id,
                delivery_seconds=seconds,
                trace=claim.trace,
                was_well=begun.was_well(claim),
                brought_by=arrived.brought_by,
            )
        )

    def failed(
        self,
        account: Account,
        begun: RunState,
        claim: Claim,
        failure: TransferError,
        *,
        running: int,
        shared: bool,
        suspected: bool,
    ) -> bool:
        """The try failed: by the policy's decision on the state at its end, `begun` its start.

        False where its dead letter could not be kept: the file waits for that, and one that its
        account is not to blame for tells nothing of it. `running` uploads were at the server;
        `shared`: its lost connection is counted already; `suspected`: it may be the file that the
        server does not take, whatever it says.
        """
        kind = judged(failure.kind, running=running)
        error = LastError.of(failure, kind)
        decide_on = partial(self._decide, begun, claim, failure, running=running, shared=shared)
        decision: Decision | None = None
        is_kept = True
        for run in self._until_it_holds():
            again = decide_on(run)
            if decision is None:
                is_kept = self._settle_file(
                    claim, again.file, failure, error, run.streak, suspected=suspected
                )
                if not is_kept and kind is not Kind.ACCOUNT:
                    break
            elif decision.file.counted and not again.file.counted:
                self._take_back(claim, decision.file)
            decision = again
            if self._settle_account(account, run, decision, error, claim.trace):
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
        self.means.observe(
            AccountChanged(
                self.account_id,
                state.value,
                failures,
                cause=Kind(error.kind) if error else None,
                words=error.words if error else None,
                trace=trace,
            )
        )

    def recover(self, account: Account, trace: TraceContext | None) -> None:
        """A file was delivered: what its account had to recover from is over."""
        for run in self._until_it_holds():
            if not run.recovers:
                return
            relief = self._relief(account, run)
            if self.means.ledger.accounts.recovered(self.account_id, self.epoch, run, relief):
                self.changed(State.ACTIVE, 0, trace=trace)
                return

    def _until_it_holds(self) -> Iterator[RunState]:
        """The account's running state, read anew after each pause: what others have overtaken is
        decided again, however often.

        It ends once the account is another epoch's, or gone: then there is nothing to change.
        """
        pause, longest = RACE_SECONDS
        while run := self.means.ledger.accounts.read_own(self.account_id, self.epoch):
            yield run
            time.sleep(pause * random.random())  # noqa: S311 - it spreads, it guards nothing
            pause = min(2 * pause, longest)
        self.means.observe(Trouble("ledger", f"{self.account_id} is another session's now"))

    def _take_back(self, claim: Claim, outcome: Retry | DeadLetter) -> None:
        """The account was changed before its part was written: the try is none after all."""
        if isinstance(outcome, Retry):
            self.means.ledger.outcomes.uncount(claim)
        elif not claim.casualty:
            self.means.dead_letters.replay(claim.recording_id)
            self.means.dead_letters.sweep(self.account_id)

    def _decide(
        self,
        begun: RunState,
        claim: Claim,
        failure: TransferError,
        run: RunState,
        *,
        running: int,
        shared: bool,
    ) -> Decision:
        return decide(
            failure.kind,
            FileView(claim.tries, claim.account_tries, claim.casualty),
            AccountView(run.state, run.failures, changed=run.change != begun.change),
            self.means.rules,
            running=running,
            shared=shared,
            fault=isinstance(failure, ProgramFault),
            singled_out=isinstance(failure, SingledOut),
            jitter=random.random(),  # noqa: S311 - it spreads retries, it guards nothing
        )

    def _settle_file(
        self,
        claim: Claim,
        outcome: Retry | DeadLetter,
        failure: TransferError,
        error: LastError,
        streak: int,
        *,
        suspected: bool,
    ) -> bool:
        """False where it should be a dead letter and cannot: it waits, and nothing is counted."""
        by_account = error.kind == Kind.ACCOUNT
        bury = self.means.dead_letters.try_to_bury
        is_kept = (
            isinstance(outcome, Retry)
            or claim.casualty
            or bury(claim.routing, claim.tries + 1, error.kind)
        )
        if not is_kept:
            outcome = Retry(UNBURIED_SECONDS, counted=False)
        if isinstance(outcome, Retry):
            self.means.ledger.outcomes.waits(
                claim,
                delay=outcome.delay,
                counted=outcome.counted,
                by_account=by_account,
                error=error,
                part_left=failure.part_left,
                suspected=suspected,
            )
            return is_kept
        self.means.ledger.outcomes.dead_lettered(
            claim,
            counted=outcome.counted,
            by_account=by_account,
            casualty_of=streak if outcome.casualty else None,
            error=error,
            part_left=failure.part_left,
            suspected=suspected,
        )
        if not claim.casualty:
            self.means.observe(
                FileEnded(
                    "dead_lettered",
                    self.account_id,
                    claim.recording_id,
                    reason=error.kind,
                    trace=claim.trace,
                )
            )
        return True

    def _settle_account(
        self,
        account: Account,
        run: RunState,
        decision: Decision,
        error: LastError,
        trace: TraceContext | None,
    ) -> bool:
        """False where the account's state has changed since `run` was read."""
        match decision.account:
            case Nothing():
                return True
            case Count(failures):
                casualty = isinstance(decision.file, DeadLetter) and decision.file.casualty
                return self.means.ledger.accounts.count_failure(
                    self.account_id,
                    self.epoch,
                    run,
                    failures=failures,
                    error=error,
                    casualties_in=self.means.rules.suspend_seconds if casualty else None,
                )
            case Suspend() as suspend:
                return self._suspend(account, run, suspend, error, trace)

    def _relief(self, account: Account, run: RunState) -> Relief | None:
        """What the people are told who have asked to hear of the end of an outage."""
        if account.settings is None or not account.settings.recovery_email:
            return None
        if run.outage_since is None:
            return None
        ledger = self.means.ledger
        return Relief(
            account,
            words=run.server_error.words if run.server_error else "",
            queued=ledger.queries.waiting(self.account_id).files,
            returning=ledger.claims.count_casualties(self.account_id, run.streak),
        )

    def _suspend(
        self,
        account: Account,
        run: RunState,
        suspend: Suspend,
        error: LastError,
        trace: TraceContext | None,
    ) -> bool:
        waiting = self.means.ledger.queries.waiting(self.account_id)
        done = self.means.ledger.accounts.suspend(
            self.account_id,
            self.epoch,
            run,
            failures=suspend.failures,
            seconds=suspend.seconds,
            blame=Blame(account, error, waiting.files, waiting.oldest),
        )
        if done:
            self.changed(State.SUSPENDED, suspend.failures, error, trace)
        return done
