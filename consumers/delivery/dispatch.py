"""Which of an account's files are begun next: they are claimed, and their flight begins.

The account worker has decided by the account's state what is tried: files in turn, a probe, or an
outage dead letter. Nothing begins without room for one more flight. Files of which a worker has
died begin only as the only flight of the process.
"""

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from config.accounts import Account, FtpSettings
from consumers.delivery.connection_pool import ONE, Capacity
from consumers.delivery.context import Context
from consumers.delivery.flight import MOST_FILES, Flight
from consumers.delivery.flights import Flights
from consumers.delivery.messages import HeldMessage, Messages
from consumers.delivery.slots import EXCLUSIVE_SECONDS
from consumers.ledger import Claim, Claimant, LastError, RunState

POLL = 0.5
"""Seconds after which what nobody tells of is looked for."""


FULL_PACE = 1.0
"""Seconds a file: where an account's bandwidth has a limit, one flight fills it then, and another
one would only hold a slot."""


@dataclass(frozen=True)
class Rest:
    """Why there is nothing to do now: due again after `wait` seconds, at `until`, or on arrival."""

    wait: float | None = None
    until: datetime | None = None
    is_held: bool = False
    """What arrives meanwhile waits as well, for the customer and not for us; people end it."""
    shown: LastError | None = None
    """What people are told meanwhile."""


@dataclass(frozen=True)
class Pause:
    """Nothing can be begun for so many seconds, unless a message arrives or an upload ends."""

    seconds: float


NOTHING_TO_DO = Rest()
Next = Rest | Pause | None
"""How a session goes on: it ends, it waits, or it looks again at once."""


class Dispatch:
    """For one session, and its thread. What begins a flight returns None where it has begun, or
    there is something to look at anew; a Pause where as many run as may; else NOTHING_TO_DO."""

    def __init__(
        self,
        context: Context,
        messages: Messages,
        flights: Flights,
        others_waiting: threading.Event,
    ) -> None:
        self._context = context
        self._messages = messages
        self._flights = flights
        self._others_waiting = others_waiting
        self._claims = context.deps.ledger.claims
        self._until = datetime.fromtimestamp(0, UTC)
        """Until when files may be begun by the database's clock, as `is_owned` has last found."""
        self.passed: list[str] = []
        """Files that were tried as a probe and have told nothing of the account."""

    def is_owned(self) -> bool:
        """Whether files may be begun in the session's epoch.

        What is claimed from now on names the moment until which it may be, as it is now: should
        the claim reach the database later than that, it begins nothing.
        """
        context = self._context
        until = context.deps.ownership.until(context.account_id, context.epoch)
        self._until = until or self._until
        return until is not None

    def rest(self, account: Account, run: RunState) -> Rest | None:
        """Where it is known that the server lets nobody in, the slot is given back at once."""
        context = self._context
        if len(self._flights) or context.pool.open_now():
            return None
        closed = context.deps.logins.closed_for(
            settings_of(account), context.account_id, run.asks_since
        )
        if closed is None:
            return None
        return Rest(closed.seconds, is_held=True, shown=closed.shown)

    def free_claims(self) -> None:
        """Free what sessions of the past have claimed, this account's only one of the present being
        ours.

        Not at the beginning alone: a claim may reach the database after that. To MongoDB all of a
        bulk is of the moment at which it began, also where the ownership ended meanwhile.
        """
        self._claims.free(self._context.account_id, self._claimant())

    # --- active -------------------------------------------------------------------------------

    def next_flight(self, account: Account, run: RunState) -> Next:
        """Begin with those of the files whose messages are held that are next in turn.

        Raises BrokerAway, NoQueue.
        """
        ready = self._messages.ready(settings_of(account), 2 * MOST_FILES)
        if self._messages.is_claimed_elsewhere:
            self._messages.is_claimed_elsewhere = False
            self.free_claims()
        if ready and ready[0].crashed_with:
            return self._exclusive_in_turn(account, run, ready)
        return self._in_turn(account, run, ready)

    def capacity(self, account: Account, run: RunState) -> Capacity:
        """How much at once: one file until a login stands, and after a failure until a success."""
        if run.failures:
            return ONE
        settings = settings_of(account)
        capacity = self._context.pool.capacity(settings)
        is_full = settings.bandwidth is not None and self._context.pool.pace > FULL_PACE
        return (
            capacity._replace(flights=1) if self._others_waiting.is_set() or is_full else capacity
        )

    def _exclusive_in_turn(
        self, account: Account, run: RunState, ready: Sequence[HeldMessage]
    ) -> Next:
        """Files of which a worker has died wait to be the only flight; others may go before."""
        with self._flights.room(1, exclusive=True) as is_room:
            if is_room:
                lost = [held for held in ready if held.crashed_with]
                self._claim_held(account, run, _half_of_lost(lost), exclusive=True)
                return None
        others = [held for held in ready if not held.crashed_with]
        return self._in_turn(account, run, others) if others else Pause(POLL)

    def _in_turn(self, account: Account, run: RunState, ready: Sequence[HeldMessage]) -> Next:
        if not ready and not self._messages.may_hide_others():
            return NOTHING_TO_DO
        alike = [held for held in ready if _are_alike(held, ready[0])]
        is_lone = len(alike) <= 1 and not len(self._flights)
        capacity = ONE if is_lone else self.capacity(account, run)
        with self._flights.room(capacity.flights) as is_room:
            if not is_room:
                return Pause(POLL)
            claim = self._claim_overtaking(account, ready)
            if claim is not None:
                self._begin(account, run, [claim])
            elif ready:
                self._claim_held(account, run, alike[: _share(len(alike), capacity)])
            else:
                return NOTHING_TO_DO
            return None

    def _claim_held(
        self,
        account: Account,
        run: RunState,
        chosen: Sequence[HeldMessage],
        *,
        exclusive: bool = False,
    ) -> None:
        claims = self._claims.claim(
            {held.recording_id: held.delivery.generation for held in chosen},
            self._claimant(exclusive=exclusive),
            settings_of(account).path,
        )
        claimed = {claim.recording_id for claim in claims}
        for held in chosen:
            held.in_work = held.recording_id in claimed
        if len(claims) < len(chosen):
            self._messages.load_rows([held for held in chosen if not held.in_work])
        if claims:
            self._begin(account, run, claims)

    def _claim_overtaking(self, account: Account, ready: Sequence[HeldMessage]) -> Claim | None:
        """A file from behind a window full of failed ones, which yield to it.

        Like a probe it is uploaded without its message, which is acknowledged when it is met.
        """
        tries = ready[0].tries if ready else math.inf
        if not tries or not self._messages.may_hide_others():
            return None
        return self._claims.claim_overtaking(
            self._context.account_id,
            tries,
            self._claimant(),
            settings_of(account).path,
            self._flights.file_names,
        )

    # --- probes and outage dead letters ------------------------------------------------------

    def probe(self, account: Account, run: RunState) -> Next:
        """One file alone, the oldest; its message is acknowledged when it is met later."""
        claims, of_outage = self._claims, (self._context.account_id, run.outage_id)
        return self._begin_one(
            account,
            run,
            lambda by, folder: claims.claim_probe(*of_outage, by, folder, self.passed),
            lambda: claims.has_candidate(*of_outage, self.passed),
            exclusive=claims.probe_crashed(*of_outage, self.passed),
        )

    def outage_dead_letter(self, account: Account, run: RunState) -> Next:
        """A file that the present outage has dead-lettered."""
        claims, of_outage = self._claims, (self._context.account_id, run.outage_id)
        return self._begin_one(
            account,
            run,
            lambda by, folder: claims.claim_outage_dead_letter(*of_outage, by, folder),
            lambda: claims.has_outage_dead_letter(*of_outage),
            exclusive=claims.outage_dead_letter_crashed(*of_outage),
        )

    def _begin_one(
        self,
        account: Account,
        run: RunState,
        claim: Callable[[Claimant, str], Claim | None],
        is_left: Callable[[], bool],
        *,
        exclusive: bool,
    ) -> Next:
        """`is_left`: whether there is such a file still. Then the claim came too late for the
        ownership, and is made anew: no arrival may tell of the account again."""
        with self._flights.room(1, exclusive=exclusive) as is_room:
            if not is_room:
                return Pause(POLL)
            claimed = claim(self._claimant(exclusive=exclusive), settings_of(account).path)
            if claimed is None:
                return Pause(POLL) if is_left() else NOTHING_TO_DO
            self._begin(account, run, [claimed])
            return None

    # --- the flights ----------------------------------------------------------------------------

    def share_in_time(self) -> None:
        """Nobody waits for a flight alone for longer than EXCLUSIVE_SECONDS."""
        if (self._flights.exclusive_for or 0) >= EXCLUSIVE_SECONDS:
            self.share()

    def share(self) -> None:
        """Others may begin beside the flight that is alone.

        Its rows say so before: what ends the process then is not put down to it alone.
        """
        for claim in self._flights.exclusive:
            self._claims.shares_process(claim)
        self._flights.share()

    def _claimant(self, *, exclusive: bool = False) -> Claimant:
        """For whom files are claimed at this moment."""
        context = self._context
        return Claimant(context.deps.worker, context.session, context.epoch, self._until, exclusive)

    def _begin(self, account: Account, run: RunState, claims: Sequence[Claim]) -> None:
        before = self._context.failures.count
        flight = Flight(self._context, account, settings_of(account), run, before, claims)
        self._flights.begin(claims, flight.run)


def _share(waiting: int, capacity: Capacity) -> int:
    """How many of those that wait share the next flight.

    Half of them, so that another flight can begin beside it: flights grow and shrink by themselves,
    and nobody waits for more to come.
    """
    half = 1 if waiting <= 2 else math.ceil(waiting / 2)  # noqa: PLR2004 - "one or two"
    return min(half, MOST_FILES, capacity.files)


def _are_alike(held: HeldMessage, first: HeldMessage) -> bool:
    """Whether it may share a flight with the first one: it has failed as often, and no worker has
    died of either."""
    return held.tries == first.tries and not held.crashed_with


def _half_of_lost(lost: Sequence[HeldMessage]) -> Sequence[HeldMessage]:
    """The next flight of files of one or more of which a worker has died.

    Half as many as shared the lost flight of any of them: in the end the one that kills is alone.
    """
    size = 1
    while size < min(len(lost), MOST_FILES):
        if size + 1 > min(held.crashed_with for held in lost[: size + 1]) // 2:
            break
        size += 1
    return lost[:size]


def settings_of(account: Account) -> FtpSettings:
    """Its settings. Only for an account that may be worked: it has some."""
    if account.settings is None:
        raise ValueError(f"{account.account_id} has no FTP settings")
    return account.settings
