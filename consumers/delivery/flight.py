"""A flight: up to 16 files of one account that go to its server together. The heart of the program.

What is written down, and in which order, is the same for one file and for many. It is told with
what a crash leaves, and with the words used here, in the docstring of `consumers`.

A lost claim tells with how many files its flight was lost: the worker may have died of any of them.
They are tried again in flights of half as many, exclusive in their process, until one is alone.

A file with an error leaves the flight, and its outcome is recorded by itself; the others go on. A
connection that is cut is one failure of the account, and a try for each file that was begun; those
that were not begun are given back as they were. The probe of a suspended account, a file after a
failure, and one that may kill its worker are flights of one.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import count

from config.accounts import Account, FtpSettings
from consumers.delivery import failed_attempt
from consumers.delivery.attempt import Attempt
from consumers.delivery.connection_pool import PooledConnection
from consumers.delivery.context import Context
from consumers.delivery.flights import Ended
from consumers.delivery.naming import Naming
from consumers.delivery.outcome import Arrived
from consumers.faults import OURS, GuardedSource
from consumers.ledger import Claim, RunState
from transports.errors import NotPermitted
from transports.job import Intent, Transfer
from transports.phases import Phase
from transports.sources.source import open_source
from transports.upload import upload

MOST_FILES = 16
"""Of one flight. With more the messages behind it wait longer, and a file costs no less."""


@dataclass
class Flight:
    """For a thread of its own. The claims are this session's, in the order in which they came.

    `run_at_claim` is the account's running state when they were made, `failures_before` counts the
    session's failures by then.
    """

    context: Context
    account: Account
    settings: FtpSettings
    run_at_claim: RunState
    failures_before: int
    claims: Sequence[Claim]

    def __post_init__(self) -> None:
        self._failures_seen = self.failures_before
        self._recovers = self.run_at_claim.recovers
        self._connection = PooledConnection(self.context.pool)
        self._attempts: Sequence[Attempt] = ()

    def run(self) -> list[Ended]:
        """Bring the files to their places, and write down how each ended.

        Never raises: what is ours to mend stands in `error`.
        """
        try:
            self._attempts = self._noted()
        except BaseException as error:  # noqa: BLE001 - a claim that nobody ends is held for ever
            return [Ended(claim, error=error) for claim in self.claims]
        self._bring()
        arrived = [each.arrived(each.uploaded) for each in self._attempts if each.uploaded]
        delivered = self._write_delivered(arrived)
        return [self._end(attempt, delivered) for attempt in self._attempts]

    # --- what is written down before ----------------------------------------------------------

    def _noted(self) -> Sequence[Attempt]:
        """The attempts, and what later starts must know of them stands in their rows."""
        try:
            attempts = self._attempts_at(self._numbered())
        except NotPermitted as gone:
            attempts = self._attempts_at(self.claims)
            for attempt in attempts:
                attempt.error = gone
        self._note(attempts)
        return attempts

    def _numbered(self) -> Sequence[Claim]:
        """The claims, with their running numbers where the names tell them.

        A number is given out before anybody uses it, and noted in the row before anything is sent:
        no other recording can get it, and this one has it in all tries. A crash in between leaves
        a gap.
        """
        unnumbered = [claim for claim in self.claims if claim.counter is None]
        if not (unnumbered and Naming(self.settings).counts):
            return self.claims
        paths = self.context.deps.ledger.remote_paths
        numbers = count(paths.give_numbers(self.context.account_id, len(unnumbered)))
        return [
            replace(claim, counter=next(numbers)) if claim.counter is None else claim
            for claim in self.claims
        ]

    def _attempts_at(self, claims: Sequence[Claim]) -> list[Attempt]:
        return [
            Attempt(
                self.context,
                self.account,
                self.settings,
                self.run_at_claim,
                claim,
                partial(self._source, claim),
                self._connection,
            )
            for claim in claims
        ]

    def _note(self, attempts: Sequence[Attempt]) -> None:
        """Write down what later starts must know of these, where it is not as usual."""
        going = [each for each in attempts if each.error is None]
        notes = {each: note for each in going if (note := each.note) is not None}
        if not notes:
            return
        paths = self.context.deps.ledger.remote_paths
        held = paths.note([(attempt.claim, note) for attempt, note in notes.items()])
        for attempt in notes:
            if attempt.claim.recording_id not in held:
                attempt.error = NotPermitted("Another session has taken the file over")

    # --- the way ------------------------------------------------------------------------------

    def _bring(self) -> None:
        """Put all files to their places that can be; each attempt has its outcome afterwards.

        Those that have none were not begun. Where no session is to be had the first file has
        failed of that: with it the login was tried.
        """
        for attempt in self._attempts:
            if attempt.overwrites:
                attempt.check_name()
        going = [attempt for attempt in self._attempts if attempt.outcome is None]
        # A recording that cannot be read costs no login. Of several each is opened in its turn.
        opened = self._opened(going[0]) if len(going) == 1 else nullcontext()
        try:
            with opened:
                self._upload(going)
        except BaseException as error:  # noqa: BLE001 - a claim that nobody ends is held for ever
            for first in [each for each in going if each.outcome is None][:1]:
                first.error = error
        if all(attempt.spares_session for attempt in going):
            self._connection.keep()
        else:
            self._connection.discard()

    @contextmanager
    def _opened(self, attempt: Attempt) -> Iterator[None]:
        with self._source(attempt.claim) as source:
            attempt.transfer.open_source = lambda: nullcontext(source)
            yield

    def _source(self, claim: Claim) -> GuardedSource:
        """The recording; its reading ends once the account is revoked."""
        deps = self.context.deps
        opened = open_source(
            claim.file_url,
            dirs=deps.source_dirs,
            max_bytes=deps.max_source_bytes,
            egress=deps.egress,
            limits=deps.limits,
            stores=deps.stores,
        )
        return GuardedSource(opened, self.context.revocation)

    def _upload(self, going: Sequence[Attempt]) -> None:
        if not going:
            return
        going[0].progress.phase = Phase.CONNECTING
        server = self._connection.open(self.settings)
        began = time.monotonic()
        upload(server, [attempt.transfer for attempt in going], self._intend)
        self.context.pool.note_pace(len(going), time.monotonic() - began)

    def _intend(self, wanted: Sequence[tuple[Transfer, Intent]]) -> Sequence[bool]:
        """Write down what the renames will do, all at once.

        False: the name is another recording's, or the file another session's. Its attempt finds out
        which.
        """
        attempts = {attempt.transfer: attempt for attempt in self._attempts}
        places = [attempts[transfer].reservation(intent) for transfer, intent in wanted]
        return self.context.deps.ledger.remote_paths.intend_flight(places)

    # --- the end ------------------------------------------------------------------------------

    def _write_delivered(self, arrived: Sequence[Arrived]) -> dict[str, bool | BaseException]:
        """One write for all that stand in their places; by recording id, whether its row says so.

        What MongoDB refuses to write of one file is no reason to leave out the others: then each
        is written by itself.
        """
        if not arrived:
            return {}
        ids = [each.claim.recording_id for each in arrived]
        try:
            written = self.context.outcomes.delivered(self.run_at_claim, arrived)
        except OURS as error:
            return dict.fromkeys(ids, error)
        except BaseException as error:  # noqa: BLE001 - it is told of the file
            if len(arrived) == 1:
                return dict.fromkeys(ids, error)
            each_alone = (self._write_delivered([each]) for each in arrived)
            return {
                name: written for exclusive in each_alone for name, written in exclusive.items()
            }
        return {name: name in written for name in ids}

    def _end(self, attempt: Attempt, delivered: dict[str, bool | BaseException]) -> Ended:
        """In the order of the files: a delivered one ends the count of those that failed before."""
        claim = attempt.claim
        if attempt.uploaded is None:
            return failed_attempt.end(attempt)
        written = delivered[claim.recording_id]
        if isinstance(written, BaseException):
            return failed_attempt.end_not_written_down(attempt, written)
        try:
            if written:
                self._recover(claim)
            if claim.from_outage:
                self.context.deps.dead_letters.sweep(self.context.account_id)
        except BaseException as error:  # noqa: BLE001 - a claim that nobody ends is held for ever
            return failed_attempt.end_not_written_down(attempt, error)
        return Ended(claim, delivered=written)

    def _recover(self, claim: Claim) -> None:
        """Its account delivers: unless it had nothing to recover from, and nothing failed since.

        Nobody else writes failures down while this session has the account.
        """
        failures = self.context.failures.count
        if self._recovers or failures != self._failures_seen:
            self.context.outcomes.recover(self.account, claim)
            self._recovers, self._failures_seen = False, failures
