"""Which of an account's files is begun next: it is claimed, and its upload begins.

What the session has decided by the account's state stands: whether files are delivered in turn, a
probe is tried, or a casualty. Nothing is begun without room for one more upload, and a file of
which a worker has died only as the only upload of the process.
"""

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto

from config.accounts import Account, FtpSettings
from consumers.attempt import Attempt, Surroundings
from consumers.ledger import Claim, Claimant, RunState
from consumers.login import MOST_UPLOADS, most_at_once
from consumers.messages import Messages
from consumers.slots import ALONE_SECONDS
from consumers.uploads import Ended, Uploads
from consumers.window import Held


class Begun(Enum):
    """What came of beginning one more upload."""

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
        around: Surroundings,
        claimant: Callable[[], Claimant],
        crowded: Callable[[], bool],
        stirred: threading.Event,
    ) -> None:
        """`claimant`: for whom files are claimed at this moment."""
        self._around = around
        self._claimant = claimant
        self._crowded = crowded
        self._files = around.means.ledger.files
        self._alone: Claim | None = None
        self._passed: list[str] = []
        self.uploads = Uploads(MOST_UPLOADS, around.means.slots, stirred)
        self.messages = Messages(around.means, around.account_id, self.uploads, stirred)

    # --- active -------------------------------------------------------------------------------

    def hold(self, account: Account) -> bool:
        """Hold what has come into the queue; whether something has. Raises BrokerAway, NoQueue."""
        return self.messages.take_in(most_at_once(settings_of(account)))

    def next_file(self, account: Account, run: RunState) -> Begun:
        """Of the files of the messages that are held the one whose turn it is."""
        held = self.messages.next_ready()
        if held is not None and held.lost_start:
            return self._alone_in_turn(account, run, held)
        return self._in_turn(account, run, held)

    def most(self, account: Account, run: RunState) -> int:
        """Uploads at once: one until a login stands, and after a failure until a success."""
        if run.failures or self._crowded():
            return 1
        return self._around.login.begun_at_once(settings_of(account))

    def _alone_in_turn(self, account: Account, run: RunState, held: Held) -> Begun:
        """A file of which a worker has died waits to be the only upload; others may go before."""
        with self.uploads.room(1, alone=True) as is_room:
            if is_room:
                self._claim_held(account, run, held)
                return Begun.YES
        other = self.messages.next_ready(lost_starts=False)
        return Begun.NO_ROOM if other is None else self._in_turn(account, run, other)

    def _in_turn(self, account: Account, run: RunState, held: Held | None) -> Begun:
        if held is None and not self.messages.may_hide_others():
            return Begun.NOTHING
        with self.uploads.room(self.most(account, run)) as is_room:
            if not is_room:
                return Begun.NO_ROOM
            claim = self._claim_overtaking(account, held)
            if claim is not None:
                self._begin(account, run, claim)
            elif held is not None:
                self._claim_held(account, run, held)
            else:
                return Begun.NOTHING
            return Begun.YES

    def _claim_held(self, account: Account, run: RunState, held: Held) -> None:
        claimant = self._claims(alone=held.lost_start)
        folder = settings_of(account).path
        claim = self._files.claim(held.recording_id, held.turn, claimant, folder)
        if claim is None:
            self.messages.look_at([held])
            return
        held.in_work = True
        self._begin(account, run, claim)

    def _claim_overtaking(self, account: Account, held: Held | None) -> Claim | None:
        """A file from behind a window full of failed ones, which yield to it.

        Like a probe it is uploaded without its message, which is acknowledged when it is met.
        """
        tries = held.tries if held is not None else math.inf
        if not tries or not self.messages.may_hide_others():
            return None
        return self._files.claim_overtaking(
            self._around.account_id,
            tries,
            self._claimant(),
            settings_of(account).path,
            self.uploads.file_names(),
        )

    # --- probes and casualties ----------------------------------------------------------------

    def begin_probing(self) -> None:
        """The account is tried anew: with its oldest file, whatever was tried before."""
        self._passed.clear()

    @property
    def has_passed(self) -> bool:
        """Whether files were tried as a probe that have told nothing of the account."""
        return bool(self._passed)

    def probe(self, account: Account, run: RunState) -> Begun:
        """One file alone, the oldest; its message is acknowledged when it is met later."""
        account_id, streak = self._around.account_id, run.streak
        alone = self._files.probe_lost_start(account_id, streak, self._passed)
        with self.uploads.room(1, alone=alone) as is_room:
            if not is_room:
                return Begun.NO_ROOM
            claim = self._files.claim_probe(
                account_id,
                streak,
                self._claims(alone=alone),
                settings_of(account).path,
                self._passed,
            )
            return self._begun(account, run, claim)

    def casualty(self, account: Account, run: RunState) -> Begun:
        """One of the files that this outage has dead-lettered, the oldest."""
        account_id, streak = self._around.account_id, run.streak
        alone = self._files.casualty_lost_start(account_id, streak)
        with self.uploads.room(1, alone=alone) as is_room:
            if not is_room:
                return Begun.NO_ROOM
            claim = self._files.claim_casualty(
                account_id, streak, self._claims(alone=alone), settings_of(account).path
            )
            return self._begun(account, run, claim)

    # --- the uploads --------------------------------------------------------------------------

    @property
    def is_alone(self) -> bool:
        """Whether the upload that runs is the only one that may run in the process."""
        return self._alone is not None

    def share_in_time(self) -> None:
        """Nobody waits for an upload alone for longer than ALONE_SECONDS."""
        if self.uploads.is_alone_for(ALONE_SECONDS):
            self.share()

    def share(self) -> None:
        """Others may begin beside the upload that is alone.

        Its row says so before: what ends the process then is not put down to this file alone.
        """
        if self._alone is not None:
            self._files.shares_process(self._alone)
            self.uploads.share()
            self._alone = None

    def collect(self) -> list[Ended]:
        """The uploads that have ended, their messages settled where their end is written down."""
        all_ended = self.uploads.ended()
        for ended in all_ended:
            if ended.claim.alone:
                self._alone = None
            if ended.passes:
                self._passed.append(ended.claim.recording_id)
            if ended.trouble is None:
                self.messages.settle(ended)
        return all_ended

    def _begun(self, account: Account, run: RunState, claim: Claim | None) -> Begun:
        if claim is None:
            return Begun.NOTHING
        self._begin(account, run, claim)
        return Begun.YES

    def _begin(self, account: Account, run: RunState, claim: Claim) -> None:
        before = self._around.failures.count
        attempt = Attempt(self._around, account, settings_of(account), run, before, claim)
        self._alone = claim if claim.alone else None
        self.uploads.begin(claim, attempt.run)

    def _claims(self, *, alone: bool) -> Claimant:
        return replace(self._claimant(), alone=alone)


def settings_of(account: Account) -> FtpSettings:
    """Its settings. Only for an account that may be worked: it has some."""
    if account.settings is None:
        raise ValueError(f"{account.account_id} has no FTP settings")
    return account.settings
