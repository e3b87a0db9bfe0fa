"""One account and its files in memory, with a clock that only tests move.

It applies what `policy` decides as the ledger and the session do, and keeps a history that owes
the policy nothing: what each try was, by which the rules are checked.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from consumers.delivery.policy import (
    AccountView,
    Count,
    DeadLetter,
    FileView,
    Nothing,
    Retry,
    Rules,
    State,
    Suspend,
    decide,
    recovers,
)
from transports.errors import Kind

UPLOADS_AT_ONCE = 3
RULES = Rules(
    max_tries=5,
    suspend_after=10,
    suspend_seconds=900,
    retry_delays=(0, 5, 20, 60),
    replay_after_outage=True,
)
"""The numbers of the settings text."""


class Where(StrEnum):
    """Where a file is on its route."""

    QUEUED = "queued"
    UPLOADING = "uploading"
    DELIVERED = "delivered"
    DEAD_LETTERED = "dead_lettered"


@dataclass
class File:
    """A row. `failed_by` has the counted tries since it was last put on its route."""

    number: int
    created_at: float
    where: Where = Where.QUEUED
    tries: int = 0
    account_tries: int = 0
    not_before: float = 0.0
    from_outage: int | None = None
    failed_by: list[Kind] = field(default_factory=list)
    died_in: int | None = None
    returned_after: list[int] = field(default_factory=list)

    @property
    def lost_to_an_outage(self) -> bool:
        """By the words of rule 10 (docs/rules.md), from the history alone."""
        return self.where is Where.DEAD_LETTERED and set(self.failed_by) == {Kind.ACCOUNT}


@dataclass(frozen=True)
class Claim:
    """A file that is being uploaded, and what stood when it began."""

    file: File
    was: Where
    state: State
    change: int
    at: float
    connection: int
    """Over which connection it runs: uploads at once may share one."""


@dataclass(frozen=True)
class Suspended:
    """A suspension, as the alert tells of it."""

    failures: int
    probe: bool


class AccountModel:
    """`consecutive` counts the failures by rule 4, without asking the policy."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.now = 0.0
        self.files: list[File] = []
        self.claims: list[Claim] = []
        self.state = State.ACTIVE
        self.paused = False
        self.failures = 0
        self.outage_id = 0
        self.change = 0
        self.suspended_until = 0.0
        self.outage_retry_due: float | None = None
        self.passed: list[int] = []
        self.consecutive = 0
        self.suspensions: list[Suspended] = []
        self.connections = 0
        self.most = UPLOADS_AT_ONCE

    @property
    def account(self) -> tuple[object, ...]:
        """All that a try may change of the account."""
        return (
            self.state,
            self.failures,
            self.outage_id,
            self.change,
            self.suspended_until,
            self.outage_retry_due,
            len(self.suspensions),
        )

    def in_state(self, where: Where) -> list[File]:
        return [file for file in self.files if file.where is where]

    def casualties(self) -> list[File]:
        dead = self.in_state(Where.DEAD_LETTERED)
        return [file for file in dead if file.from_outage == self.outage_id]

    # --- what the world does ------------------------------------------------------------------

    def arrive(self) -> File:
        file = File(number=len(self.files), created_at=self.now)
        self.files.append(file)
        return file

    def pause(self) -> None:
        if not self.paused:
            self.paused = True
            self.change += 1

    def resume(self) -> None:
        if self.paused:
            self.paused = False
            self.change += 1

    def try_now(self) -> None:
        if self.state is State.SUSPENDED:
            self.suspended_until = self.now

    def settings_saved(self) -> None:
        self.try_now()
        self.change += 1

    def worker_dies(self) -> None:
        """Its claims are freed by whoever comes next; the session's memory is gone."""
        for claim in self.claims:
            claim.file.where = claim.was
        self.claims = []
        self.passed = []

    # --- what a session does ------------------------------------------------------------------

    def claim_next(self) -> Claim | None:
        """The next claim that may begin now, as the session would choose it."""
        if self.paused:
            return None
        if self.state is State.SUSPENDED:
            self._begin_probe()
        if self.state is State.PROBING:
            return self._claim_probe()
        if self.state is State.ACTIVE and self._has_room():
            return self._claim_ready() or self._claim_casualty()
        return None

    def _begin_probe(self) -> None:
        """What an earlier probe has passed over is a candidate again."""
        if self.claims or self.now < self.suspended_until:
            return
        if self.in_state(Where.QUEUED) or self.casualties():
            self._change(State.PROBING)
            self.passed = []

    def _claim_probe(self) -> Claim | None:
        if self.claims:
            return None
        candidates = self._candidates()
        if not candidates:
            self._change(State.SUSPENDED)
            return None
        return self._claim(min(candidates, key=lambda file: (file.created_at, file.number)))

    def _candidates(self) -> list[File]:
        files = self.in_state(Where.QUEUED) + self.casualties()
        return [file for file in files if file.number not in self.passed]

    def _has_room(self) -> bool:
        """After a failure it is one upload at a time until a success (rule 13)."""
        return len(self.claims) < (1 if self.failures else self.most)

    def _claim_ready(self) -> Claim | None:
        ready = [file for file in self.in_state(Where.QUEUED) if file.not_before <= self.now]
        if not ready:
            return None
        return self._claim(min(ready, key=lambda file: (file.tries, file.number)))

    def _claim_casualty(self) -> Claim | None:
        due = self.outage_retry_due is not None and self.outage_retry_due <= self.now
        dead = self.casualties()
        if not due or not dead or self.in_state(Where.QUEUED) or self.claims:
            return None
        return self._claim(min(dead, key=lambda file: (file.created_at, file.number)))

    def _claim(self, file: File) -> Claim:
        if not self.claims:
            self.connections += 1
        claim = Claim(file, file.where, self.state, self.change, self.now, self.connections)
        file.where = Where.UPLOADING
        self.claims.append(claim)
        return claim

    def delivered(self, claim: Claim) -> None:
        self.claims.remove(claim)
        claim.file.where = Where.DELIVERED
        claim.file.from_outage = None
        if self.state is not State.SUSPENDED:
            self.consecutive = 0
        if recovers(
            AccountView(
                self.state, self.failures, has_outage_dead_letters=self.has_outage_dead_letters
            )
        ):
            self._recover()

    @property
    def has_outage_dead_letters(self) -> bool:
        """Whether casualties of the present streak wait for a success."""
        return self.outage_retry_due is not None

    def _recover(self) -> None:
        if self.state is not State.ACTIVE:
            self._change(State.ACTIVE)
        self.failures = 0
        self.outage_id += 1
        self.outage_retry_due = None
        for file in self.in_state(Where.DEAD_LETTERED):
            if file.from_outage is not None and file.from_outage < self.outage_id:
                self._bring_back(file)

    def _bring_back(self, file: File) -> None:
        file.where = Where.QUEUED
        file.from_outage = None
        file.tries = file.account_tries = 0
        file.not_before = 0.0
        file.failed_by = []
        file.returned_after.append(self.outage_id - 1)

    def connection_lost(self, claim: Claim) -> list[Claim]:
        """All uploads over the claim's connection fail with it; they are returned."""
        cut = [each for each in self.claims if each.connection == claim.connection]
        for each in cut:
            self.failed(each, Kind.ACCOUNT, already_counted=each is not cut[0])
        return cut

    def failed(self, claim: Claim, kind: Kind, *, already_counted: bool = False) -> None:
        """A try ends with a failure: the policy decides, both parts are applied."""
        running = len(self.claims)
        self.claims.remove(claim)
        if kind is Kind.OURS:
            claim.file.where = claim.was
            return
        if kind is Kind.SOURCE:
            self.passed.append(claim.file.number)
        if kind is Kind.BUSY:
            self.most = max(1, running - 1)
        effective = Kind.ACCOUNT if kind is Kind.BUSY and running == 1 else kind
        changed = self.change != claim.change
        if not already_counted:
            self._count_for_the_rules(effective, changed=changed)
        from_outage = claim.was is Where.DEAD_LETTERED
        decision = decide(
            kind,
            FileView(claim.file.tries, claim.file.account_tries, from_outage),
            AccountView(self.state, self.failures, changed, self.has_outage_dead_letters),
            self.rules,
            running=running,
            already_counted=already_counted,
            jitter=0.0,
        )
        self._settle_file(claim.file, effective, decision.file)
        self._settle_account(decision.account, decision.file)

    def _count_for_the_rules(self, kind: Kind, *, changed: bool) -> None:
        late = self.state is State.SUSPENDED or (kind is Kind.ACCOUNT and changed)
        if kind in {Kind.ACCOUNT, Kind.FILE} and not late:
            self.consecutive += 1

    def _settle_file(self, file: File, kind: Kind, outcome: Retry | DeadLetter) -> None:
        if outcome.counted:
            file.tries += 1
            file.account_tries += kind is Kind.ACCOUNT
            file.failed_by.append(kind)
        if isinstance(outcome, DeadLetter):
            file.where = Where.DEAD_LETTERED
            file.from_outage = self.outage_id if outcome.from_outage else None
            file.died_in = self.outage_id
        else:
            file.where = Where.QUEUED
            file.not_before = self.now + outcome.delay

    def _settle_account(
        self, outcome: Nothing | Count | Suspend, of_file: Retry | DeadLetter
    ) -> None:
        if isinstance(outcome, Count):
            self.failures = outcome.failures
            if isinstance(of_file, DeadLetter) and of_file.from_outage:
                self.outage_retry_due = self.now + self.rules.suspend_seconds
        elif isinstance(outcome, Suspend):
            self.suspensions.append(Suspended(outcome.failures, self.state is State.PROBING))
            self.failures = outcome.failures
            self.suspended_until = self.now + outcome.seconds
            self._change(State.SUSPENDED)

    def _change(self, state: State) -> None:
        self.state = state
        self.change += 1
