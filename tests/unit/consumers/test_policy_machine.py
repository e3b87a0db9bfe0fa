"""The rules of docs/rules.md hold, one by one, under any course of events."""

from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from consumers.delivery.policy import Rules, State
from tests.unit.consumers.account_model import (
    RULES,
    UPLOADS_AT_ONCE,
    AccountModel,
    Claim,
    File,
    Where,
)
from transports.errors import Kind

KINDS = st.sampled_from([Kind.ACCOUNT] * 4 + [Kind.FILE] * 2 + [Kind.SOURCE, Kind.BUSY, Kind.OURS])
WAITS = st.sampled_from([0.0, 1.0, 5.0, 60.0, 899.0, 900.0, 4000.0])
SMALL_RULES = st.builds(
    Rules,
    max_tries=st.integers(1, 4),
    suspend_after=st.integers(1, 4),
    suspend_seconds=st.sampled_from([1.0, 60.0, 900.0]),
    retry_delays=st.lists(st.sampled_from([0.0, 1.0, 5.0, 60.0]), min_size=1, max_size=4),
    replay_after_outage=st.booleans(),
)
WEEKEND = 60 * 60 * 60.0


class AccountMachine(RuleBasedStateMachine):
    """The server's answers, people and crashes are drawn; the policy has to cope."""

    model: AccountModel

    @initialize(rules=st.one_of(st.just(RULES), SMALL_RULES), files=st.integers(0, 12))
    def begin(self, rules: Rules, files: int) -> None:
        self.model = AccountModel(rules)
        for _ in range(files):
            self.model.arrive()

    # --- what happens -------------------------------------------------------------------------

    @rule()
    def file_arrives(self) -> None:
        self.model.arrive()

    @rule(seconds=WAITS)
    def time_passes(self, seconds: float) -> None:
        self.model.now += seconds

    @rule()
    def the_due_file_is_claimed(self) -> None:
        self.claim()

    @precondition(lambda self: self.model.claims)
    @rule(data=st.data())
    def an_upload_is_delivered(self, data: st.DataObject) -> None:
        self.deliver(data.draw(st.sampled_from(self.model.claims)))

    @precondition(lambda self: self.model.claims)
    @rule(data=st.data(), kind=KINDS)
    def an_upload_fails(self, data: st.DataObject, kind: Kind) -> None:
        self.fail(data.draw(st.sampled_from(self.model.claims)), kind)

    @precondition(lambda self: self.model.claims)
    @rule(data=st.data())
    def a_connection_is_lost_under_its_uploads(self, data: st.DataObject) -> None:
        """One failure, and a try for each file it cut (rule 13)."""
        model = self.model
        state, consecutive, tries = model.state, model.consecutive, self.tries()
        claims = {claim.file.number: claim for claim in model.claims}
        change, suspensions = model.change, len(model.suspensions)
        cut = model.connection_lost(data.draw(st.sampled_from(model.claims)))
        assert model.consecutive <= consecutive + 1, "one failure for all"
        assert len(model.suspensions) <= suspensions + 1, "and one suspension"
        for claim in cut:
            late = claims[claim.file.number].change != change
            probe = claim.state is State.PROBING or claim.was is Where.DEAD_LETTERED
            counted = claim.file.tries - tries[claim.file.number]
            suspended = state is not model.state
            assert counted == (not late and not probe) or (suspended and not counted)

    @rule(data=st.data())
    def uploads_begin_and_a_connection_is_lost_under_all(self, data: st.DataObject) -> None:
        begun = [self.claim() for _ in range(UPLOADS_AT_ONCE)]
        if any(begun):
            self.a_connection_is_lost_under_its_uploads(data)

    @rule(kinds=st.lists(KINDS, min_size=1, max_size=12))
    def due_files_fail_one_after_another(self, kinds: list[Kind]) -> None:
        for kind in kinds:
            claim = self.claim()
            if claim is None:
                break
            self.fail(claim, kind)

    @rule(hours=st.integers(1, 60))
    def the_server_is_away_for_hours(self, hours: int) -> None:
        """The session tries whatever it may, every 15 minutes at most one probe."""
        end = self.model.now + min(hours * 3600, 12 * self.model.rules.suspend_seconds)
        while self.model.now < end:
            claim = self.claim()
            if claim is not None:
                self.fail(claim, Kind.ACCOUNT)
            else:
                self.model.now += max(1.0, self.model.rules.suspend_seconds / 3)

    @rule()
    def somebody_pauses(self) -> None:
        self.model.pause()

    @rule()
    def somebody_resumes(self) -> None:
        """It ends the pause and nothing else."""
        before = (self.model.state, self.model.failures, self.model.suspended_until)
        self.model.resume()
        assert before == (self.model.state, self.model.failures, self.model.suspended_until)

    @rule()
    def somebody_presses_try_now(self) -> None:
        failures = self.model.failures
        self.model.try_now()
        assert self.model.failures == failures

    @rule()
    def settings_are_saved(self) -> None:
        failures = self.model.failures
        self.model.settings_saved()
        assert self.model.failures == failures

    @precondition(lambda self: self.model.claims)
    @rule()
    def the_worker_dies(self) -> None:
        before = (self.model.account, [file.tries for file in self.model.files])
        self.model.worker_dies()
        assert before == (self.model.account, [file.tries for file in self.model.files])

    # --- one claim, one end ---------------------------------------------------------------------

    def tries(self) -> list[int]:
        return [file.tries for file in self.model.files]

    def claim(self) -> Claim | None:
        model = self.model
        paused, state, until = model.paused, model.state, model.suspended_until
        waiting = model.in_state(Where.QUEUED)
        candidates = [*waiting, *model.casualties()]
        claim = model.claim_next()
        if claim is None:
            return None
        assert not paused, "nothing is claimed while the account is paused"
        assert model.state is not State.SUSPENDED, "nothing is claimed while it is suspended"
        assert state is not State.SUSPENDED or until <= model.now, "no probe before the timer"
        assert len(model.claims) == 1 or not model.failures, "one at a time after a failure"
        assert len(model.claims) <= model.most, "no more than the server takes"
        if claim.state is State.PROBING:
            self.is_the_oldest(claim.file, candidates)
        elif claim.was is Where.QUEUED:
            self.yields_to_fewer_tries(claim.file, waiting)
        return claim

    def is_the_oldest(self, probe: File, candidates: list[File]) -> None:
        """Among the queued and the casualties, delays ignored, without those just passed."""
        left = [file for file in candidates if file.number not in self.model.passed]
        assert probe.created_at == min(file.created_at for file in left)

    def yields_to_fewer_tries(self, claimed: File, waiting: list[File]) -> None:
        assert claimed.not_before <= self.model.now
        ready = [file for file in waiting if file.not_before <= self.model.now]
        assert claimed.tries == min(file.tries for file in ready)

    def deliver(self, claim: Claim) -> None:
        model = self.model
        note(f"delivered: {claim}")
        before, late = model.account, model.state is State.SUSPENDED
        lost = [file for file in model.files if file.lost_to_an_outage and file.died_in is not None]
        ends_a_streak = (
            model.failures > 0 or model.has_outage_dead_letters or model.state is State.PROBING
        )
        model.delivered(claim)
        if late:
            assert model.account == before, "a late success changes nothing else"
            return
        assert (model.state, model.failures) == (State.ACTIVE, 0), "a delivered file resets"
        if model.rules.replay_after_outage and ends_a_streak:
            assert all(file.where is Where.QUEUED and file.tries == 0 for file in lost)
        else:
            assert all(file.where is Where.DEAD_LETTERED for file in lost)

    def fail(self, claim: Claim, kind: Kind) -> None:
        model, file = self.model, claim.file
        note(f"{kind}: {claim}")
        account, tries = model.account, file.tries
        changed, state = model.change != claim.change, model.state
        alone = len(model.claims) == 1
        model.failed(claim, kind)
        if kind is Kind.BUSY and alone:
            kind = Kind.ACCOUNT
        if kind not in {Kind.ACCOUNT, Kind.FILE}:
            assert model.account == account, "source, busy and ours never count for the account"
        if kind in {Kind.BUSY, Kind.OURS}:
            assert (file.tries, file.where) == (tries, claim.was), "and are no try"
        if kind in {Kind.FILE, Kind.SOURCE}:
            assert file.tries == tries + 1, "file and source failures are always a try"
        if kind is Kind.ACCOUNT and changed:
            assert (model.account, file.tries, file.where) == (account, tries, claim.was), "late"
        elif kind is Kind.ACCOUNT:
            probe = claim.state is State.PROBING or claim.was is Where.DEAD_LETTERED
            assert file.tries == tries + (not probe), "a try, except in a probe"
            if probe:
                assert file.where is claim.was, "a probe by the account uses up no file"
        if kind in {Kind.ACCOUNT, Kind.FILE} and not changed:
            due = state is State.PROBING or model.consecutive >= model.rules.suspend_after
            assert (model.state is State.SUSPENDED) == due
            if due:
                assert model.suspended_until == model.now + model.rules.suspend_seconds

    # --- what always holds ------------------------------------------------------------------------

    @invariant()
    def every_file_is_somewhere_and_none_is_lost(self) -> None:
        model = self.model
        assert len({file.number for file in model.files}) == len(model.files)
        uploading = [claim.file for claim in model.claims]
        assert sorted(file.number for file in uploading) == sorted(
            file.number for file in model.in_state(Where.UPLOADING)
        )

    @invariant()
    def no_file_waits_with_its_tries_used_up(self) -> None:
        for file in self.model.in_state(Where.QUEUED):
            assert file.tries == len(file.failed_by) < self.model.rules.max_tries

    @invariant()
    def a_dead_letter_has_used_up_its_tries(self) -> None:
        """Not one before; more only where a casualty failed by itself as a probe."""
        most = self.model.rules.max_tries
        for file in self.model.in_state(Where.DEAD_LETTERED):
            assert len(file.failed_by) >= most
            assert set(file.failed_by[:most]) == {Kind.ACCOUNT} or len(file.failed_by) == most

    @invariant()
    def the_count_is_that_of_the_consecutive_failures(self) -> None:
        assert self.model.failures == self.model.consecutive

    @invariant()
    def the_first_suspension_of_a_streak_is_at_the_limit(self) -> None:
        limit = self.model.rules.suspend_after
        for suspension in self.model.suspensions:
            assert suspension.failures > limit if suspension.probe else suspension.failures == limit

    @invariant()
    def one_file_alone_is_claimed_while_probing(self) -> None:
        if self.model.state is State.PROBING:
            assert len(self.model.claims) <= 1

    @invariant()
    def the_casualties_are_those_an_outage_killed_in_the_present_streak(self) -> None:
        model = self.model
        marked = {file.number for file in model.files if file.from_outage is not None}
        uploading = {claim.file.number for claim in model.claims}
        lost = {file.number for file in model.files if file.lost_to_an_outage}
        expected = lost if model.rules.replay_after_outage else set()
        assert marked - uploading == expected
        assert all(model.files[number].from_outage == model.outage_id for number in marked)

    @invariant()
    def a_casualty_returns_once_an_outage(self) -> None:
        for file in self.model.files:
            assert len(set(file.returned_after)) == len(file.returned_after)
            if not self.model.rules.replay_after_outage:
                assert not file.returned_after

    @invariant()
    def a_casualty_has_a_way_back(self) -> None:
        """The next delivered file ends the streak it died in, and without one it is tried."""
        model = self.model
        if model.casualties() and model.state is State.ACTIVE:
            assert model.outage_retry_due is not None

    # --- and in the end ---------------------------------------------------------------------------

    def teardown(self) -> None:
        """Once the server is back, everything that an outage held up arrives by itself."""
        if not hasattr(self, "model"):
            return
        model = self.model
        model.resume()
        if not model.files:
            return
        for _ in range(10 * len(model.files) + 10):
            if model.claims:
                self.deliver(model.claims[0])
            elif self.claim() is None:
                model.now += model.rules.suspend_seconds + max(model.rules.retry_delays)
        assert not model.in_state(Where.QUEUED) + model.in_state(Where.UPLOADING)
        assert not model.casualties()


class OutageMachine(RuleBasedStateMachine):
    """A server that is away for a weekend, with files that go on arriving."""

    @initialize(rules=st.one_of(st.just(RULES), SMALL_RULES), files=st.integers(1, 30))
    def the_server_goes_away(self, rules: Rules, files: int) -> None:
        self.model = AccountModel(rules)
        for _ in range(files):
            self.model.arrive()
        self.until_suspended()
        self.dead_at_first = len(self.model.in_state(Where.DEAD_LETTERED))

    def until_suspended(self) -> None:
        model = self.model
        for _ in range(1000):
            if model.state is not State.ACTIVE:
                return
            self.try_once()
        raise AssertionError("a server that is away was not noticed")

    def try_once(self) -> None:
        model = self.model
        claim = model.claim_next()
        if claim is not None:
            model.failed(claim, Kind.ACCOUNT)
        else:
            model.now += max(1.0, model.rules.suspend_seconds / 2)
            if model.state is State.ACTIVE and not model.in_state(Where.QUEUED):
                # Where nothing can be tried any more the next recording is.
                model.arrive()

    @rule(files=st.integers(0, 5), hours=st.integers(1, 12))
    def hours_pass(self, files: int, hours: int) -> None:
        model = self.model
        for _ in range(files):
            model.arrive()
        end = model.now + min(hours * 3600, 20 * model.rules.suspend_seconds)
        while model.now < end:
            self.try_once()

    @rule()
    def the_weekend_passes(self) -> None:
        probes = len(self.model.suspensions)
        end = self.model.now + min(WEEKEND, 100 * self.model.rules.suspend_seconds)
        began = self.model.now
        while self.model.now < end:
            self.try_once()
        most = (self.model.now - began) / self.model.rules.suspend_seconds + 1
        assert len(self.model.suspensions) - probes <= most, "one probe a suspension"

    @invariant()
    def probes_dead_letter_nothing(self) -> None:
        if hasattr(self, "dead_at_first"):
            assert len(self.model.in_state(Where.DEAD_LETTERED)) == self.dead_at_first

    def teardown(self) -> None:
        if not hasattr(self, "model"):
            return
        model = self.model
        replayed = model.rules.replay_after_outage
        for _ in range(10 * len(model.files) + 10):
            claim = model.claim_next()
            if claim is not None:
                model.delivered(claim)
            else:
                model.now += model.rules.suspend_seconds + max(model.rules.retry_delays)
        lost = model.in_state(Where.DEAD_LETTERED)
        assert len(lost) == (0 if replayed else self.dead_at_first)
        assert len(model.in_state(Where.DELIVERED)) == len(model.files) - len(lost)


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(max_examples=150, stateful_step_count=60)
TestOutage = OutageMachine.TestCase
TestOutage.settings = settings(max_examples=60, stateful_step_count=10)
