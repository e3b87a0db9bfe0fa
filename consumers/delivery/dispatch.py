"""Which of an account's files are begun next: they are claimed, and their flight begins.

The account worker has decided by the account's state what is tried: files in turn, a probe, or an
outage dead letter. Nothing begins without room for one more flight. Files of which a worker has
died begin only as the only flight of the process.
"""

import math
import threading
from collections.abc import Callable, Sequence
from enum import Enum, auto

from config.accounts import Account, FtpSettings
from consumers.delivery.attempt import Context
from consumers.delivery.connection_pool import MOST_FLIGHTS, most_at_once
from consumers.delivery.flight import MOST_FILES, Flight
from consumers.delivery.flights import Ended, Flights
from consumers.delivery.messages import HeldMessage, Messages
from consumers.delivery.slots import EXCLUSIVE_SECONDS
from consumers.ledger import Claim, RunState

EXTRA_PREFETCH = 16
"""Messages that are held beside those of all flights that may run, so that the next one finds its
files waiting."""


class StartResult(Enum):
    """What came of beginning one more flight."""

    YES = auto()
    """It runs, or there is something to look at anew."""
    NO_ROOM = auto()
    """As many run as may: to be tried again."""
    NOTHING = auto()
    """There is no file to begin with at this moment."""


class Dispatch:
    """For one session, and its thread."""

    def __init__(
        self,
        context: Context,
        others_waiting: Callable[[], bool],
        wakeup: threading.Event,
    ) -> None:
        self._context = context
        self._others_waiting = others_waiting
        self._claims = context.deps.ledger.claims
        self._passed: list[str] = []
        self.flights = Flights(MOST_FLIGHTS, context.deps.slots, wakeup)
        self.messages = Messages(context.deps, context.account_id, self.flights, wakeup)

    # --- active -------------------------------------------------------------------------------

    def hold(self, account: Account) -> bool:
        """Hold what has come into the queue; whether something has. Raises BrokerAway, NoQueue."""
        most = most_at_once(settings_of(account))
        return self.messages.receive(most * MOST_FILES + EXTRA_PREFETCH)

    def next_flight(self, account: Account, run: RunState) -> StartResult:
        """Begin with those of the files whose messages are held that are next in turn."""
        only = self.messages.lone_message()
        if only is not None:
            return self._in_turn(account, run, [only])
        ready = self.messages.ready(2 * MOST_FILES)
        if ready and ready[0].crashed_with:
            return self._exclusive_in_turn(account, run, ready)
        return self._in_turn(account, run, ready)

    def most(self, account: Account, run: RunState) -> int:
        """Flights at once: one until a login stands, and after a failure until a success."""
        if run.failures or self._others_waiting():
            return 1
        return self._context.pool.at_once(settings_of(account))

    def _exclusive_in_turn(
        self, account: Account, run: RunState, ready: Sequence[HeldMessage]
    ) -> StartResult:
        """Files of which a worker has died wait to be the only flight; others may go before."""
        with self.flights.room(1, exclusive=True) as is_room:
            if is_room:
                lost = [held for held in ready if held.crashed_with]
                self._claim_held(account, run, _half_of_lost(lost), exclusive=True)
                return StartResult.YES
        others = [held for held in ready if not held.crashed_with]
        return self._in_turn(account, run, others) if others else StartResult.NO_ROOM

    def _in_turn(
        self, account: Account, run: RunState, ready: Sequence[HeldMessage]
    ) -> StartResult:
        if not ready and not self.messages.may_hide_others():
            return StartResult.NOTHING
        with self.flights.room(self.most(account, run)) as is_room:
            if not is_room:
                return StartResult.NO_ROOM
            claim = self._claim_overtaking(account, ready)
            if claim is not None:
                self._begin(account, run, [claim])
            elif ready:
                alike = [held for held in ready if _are_alike(held, ready[0])]
                self._claim_held(account, run, alike[: self._share(account, run, alike)])
            else:
                return StartResult.NOTHING
            return StartResult.YES

    def _share(self, account: Account, run: RunState, ready: Sequence[HeldMessage]) -> int:
        """How many of those that wait share the next flight.

        Half of them, so that another flight can begin beside it: flights grow and shrink by
        themselves, and nobody waits for more to come. After a failure each file is tried alone.
        """
        if run.failures:
            return 1
        half = 1 if len(ready) <= 2 else math.ceil(len(ready) / 2)  # noqa: PLR2004 - "one or two"
        return min(half, MOST_FILES, self._context.pool.files_per_flight(settings_of(account)))

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
            self._context.claimant(exclusive=exclusive),
            settings_of(account).path,
        )
        claimed = {claim.recording_id for claim in claims}
        for held in chosen:
            held.in_work = held.recording_id in claimed
        self.messages.load_rows([held for held in chosen if not held.in_work])
        if claims:
            self._begin(account, run, claims, exclusive=exclusive)

    def _claim_overtaking(self, account: Account, ready: Sequence[HeldMessage]) -> Claim | None:
        """A file from behind a window full of failed ones, which yield to it.

        Like a probe it is uploaded without its message, which is acknowledged when it is met.
        """
        tries = ready[0].tries if ready else math.inf
        if not tries or not self.messages.may_hide_others():
            return None
        return self._claims.claim_overtaking(
            self._context.account_id,
            tries,
            self._context.claimant(),
            settings_of(account).path,
            self.flights.file_names(),
        )

    # --- probes and outage dead letters ------------------------------------------------------

    def begin_probing(self) -> None:
        """The account is tried anew: with its oldest file, whatever was tried before."""
        self._passed.clear()

    @property
    def has_passed(self) -> bool:
        """Whether files were tried as a probe that have told nothing of the account."""
        return bool(self._passed)

    def probe(self, account: Account, run: RunState) -> StartResult:
        """One file alone, the oldest; its message is acknowledged when it is met later."""
        account_id, outage_id = self._context.account_id, run.outage_id
        exclusive = self._claims.probe_crashed(account_id, outage_id, self._passed)
        with self.flights.room(1, exclusive=exclusive) as is_room:
            if not is_room:
                return StartResult.NO_ROOM
            claim = self._claims.claim_probe(
                account_id,
                outage_id,
                self._context.claimant(exclusive=exclusive),
                settings_of(account).path,
                self._passed,
            )
            return self._start_one(account, run, claim, exclusive=exclusive)

    def outage_dead_letter(self, account: Account, run: RunState) -> StartResult:
        """A file that the present outage has dead-lettered."""
        account_id, outage_id = self._context.account_id, run.outage_id
        exclusive = self._claims.outage_dead_letter_crashed(account_id, outage_id)
        with self.flights.room(1, exclusive=exclusive) as is_room:
            if not is_room:
                return StartResult.NO_ROOM
            claim = self._claims.claim_outage_dead_letter(
                account_id,
                outage_id,
                self._context.claimant(exclusive=exclusive),
                settings_of(account).path,
            )
            return self._start_one(account, run, claim, exclusive=exclusive)

    # --- the flights ----------------------------------------------------------------------------

    def share_in_time(self) -> None:
        """Nobody waits for a flight alone for longer than EXCLUSIVE_SECONDS."""
        if self.flights.is_exclusive_for(EXCLUSIVE_SECONDS):
            self.share()

    def share(self) -> None:
        """Others may begin beside the flight that is alone.

        Its rows say so before: what ends the process then is not put down to it alone.
        """
        if self.flights.exclusive:
            for claim in self.flights.exclusive:
                self._claims.shares_process(claim)
            self.flights.share()

    def collect(self) -> list[Ended]:
        """The tries that have ended, their messages settled where their end is written down."""
        all_ended = []
        for flight in self.flights.ended():
            self.messages.acknowledge([ended for ended in flight if ended.error is None])
            self._passed += [ended.recording_id for ended in flight if ended.inconclusive]
            all_ended += flight
        return all_ended

    def _start_one(
        self, account: Account, run: RunState, claim: Claim | None, *, exclusive: bool
    ) -> StartResult:
        if claim is None:
            return StartResult.NOTHING
        self._begin(account, run, [claim], exclusive=exclusive)
        return StartResult.YES

    def _begin(
        self, account: Account, run: RunState, claims: Sequence[Claim], *, exclusive: bool = False
    ) -> None:
        before = self._context.failures.count
        flight = Flight(self._context, account, settings_of(account), run, before, claims)
        self.flights.begin(claims, flight.run, exclusive=exclusive)


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
