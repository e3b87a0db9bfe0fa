"""The rules of docs/rules.md, one by one, as far as `policy` decides them."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.policy import (
    DORMANT_SECONDS,
    JITTER,
    AccountView,
    Count,
    DeadLetter,
    Decision,
    FileView,
    Nothing,
    Retry,
    Rules,
    State,
    Suspend,
    decide,
    judged,
    recovers,
    retry_delay,
)
from tests.unit.consumers.account_model import RULES
from transports.errors import Kind

COUNTED = (Kind.ACCOUNT, Kind.FILE, Kind.SOURCE)
OF_THE_ACCOUNT = (Kind.ACCOUNT, Kind.FILE)
NEVER_OF_THE_ACCOUNT = (Kind.SOURCE, Kind.BUSY, Kind.OURS)


def decided(
    kind: Kind,
    *,
    tries: int = 0,
    account_tries: int | None = None,
    from_outage: bool = False,
    state: State = State.ACTIVE,
    failures: int = 0,
    changed: bool = False,
    lasts: float = 0.0,
    running: int = 2,
    rules: Rules = RULES,
) -> Decision:
    """By default the file's earlier tries all failed by the account, and nothing spreads."""
    by_account = tries if account_tries is None else account_tries
    return decide(
        kind,
        FileView(tries, by_account, from_outage),
        AccountView(state, failures, changed, lasts=lasts),
        rules,
        running=running,
        jitter=0.0,
    )


# --- the file ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", COUNTED)
def test_a_failed_try_is_counted_and_waits_its_delay(kind: Kind) -> None:
    waits = [decided(kind, tries=tries).file for tries in range(4)]

    assert waits == [Retry(delay, counted=True) for delay in (0, 5, 20, 60)]


@pytest.mark.parametrize("kind", COUNTED)
def test_the_fifth_failed_try_dead_letters_the_file(kind: Kind) -> None:
    assert isinstance(decided(kind, tries=3).file, Retry)
    assert isinstance(decided(kind, tries=4).file, DeadLetter)


@pytest.mark.parametrize("state", [State.ACTIVE, State.PROBING])
def test_a_source_failure_is_a_try_also_in_a_probe(state: State) -> None:
    assert decided(Kind.SOURCE, state=state).file == Retry(0, counted=True)
    assert decided(Kind.SOURCE, state=state, tries=4).file == DeadLetter(from_outage=False)


def for_lack_of_source(
    age: float, *, tries: int = 0, from_outage: bool = False, state: State = State.ACTIVE
) -> Decision:
    return decide(
        Kind.SOURCE,
        FileView(tries, 0, from_outage, age),
        AccountView(state, 3),
        RULES,
        running=1,
        source_away=True,
        jitter=0,
    )


@pytest.mark.parametrize("state", list(State))
def test_a_source_that_is_away_costs_no_try_and_is_looked_for_ever_more_rarely(
    state: State,
) -> None:
    ages = (0.0, 40.0, 100.0, 1000.0, 80_000.0)
    decisions = [for_lack_of_source(age, tries=4, state=state) for age in ages]
    waits = [Retry(delay, counted=False) for delay in (5.0, 5.0, 10.0, 100.0, 300.0)]
    assert decisions == [Decision(wait, Nothing()) for wait in waits]


def test_after_a_day_it_is_a_try_each_five_minutes_and_the_fifth_the_last() -> None:
    assert for_lack_of_source(86_400.0).file == Retry(300, counted=True)
    assert for_lack_of_source(86_400.0, tries=4).file == DeadLetter(from_outage=False)


def test_an_outages_dead_letter_stays_one_while_its_source_is_away() -> None:
    found = for_lack_of_source(10.0, tries=5, from_outage=True).file
    assert found == DeadLetter(from_outage=True, counted=False)


def unasked(rules: Rules = RULES, *, tries: int = 4, others: int = 0) -> Decision:
    """The server was not asked for the login; so many earlier tries failed by something else."""
    return decide(
        Kind.ACCOUNT,
        FileView(tries, tries - others),
        AccountView(State.ACTIVE, 3),
        rules,
        running=1,
        unasked_for=700.0,
        jitter=0,
    )


def test_nothing_dies_for_good_of_a_login_that_was_not_asked_for() -> None:
    assert unasked(others=1) == Decision(Retry(700.0, counted=False), Count(4))
    without_return = replace(RULES, replay_after_outage=False)
    assert unasked(without_return) == Decision(Retry(700.0, counted=False), Count(4))


def test_what_returns_after_the_outage_and_what_has_tries_left_is_counted_all_the_same() -> None:
    assert unasked().file == DeadLetter(from_outage=True)
    assert unasked(tries=1, others=1).file == Retry(5, counted=True)


@pytest.mark.parametrize("kind", COUNTED)
@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("changed", [False, True])
def test_a_fault_of_the_program_is_a_try_of_its_file_in_any_case(
    kind: Kind, state: State, *, changed: bool
) -> None:
    decision = decide(
        kind, FileView(3, 3), AccountView(state, 0, changed), RULES, running=1, fault=True, jitter=0
    )
    assert decision.file == Retry(60, counted=True)


@pytest.mark.parametrize("kind", [Kind.BUSY, Kind.OURS])
@pytest.mark.parametrize("state", list(State))
def test_what_is_busy_or_ours_is_no_try(kind: Kind, state: State) -> None:
    assert decided(kind, tries=4, state=state).file == Retry(0, counted=False)


def test_busy_is_the_account_where_nothing_else_ran_there() -> None:
    alone = decided(Kind.BUSY, tries=2, failures=3, running=1)

    assert alone == decided(Kind.ACCOUNT, tries=2, failures=3)
    assert alone == Decision(Retry(20, counted=True), Count(4))


@pytest.mark.parametrize("kind", list(Kind))
def test_only_busy_is_judged_by_what_else_ran_there(kind: Kind) -> None:
    assert judged(kind, running=2) is kind
    assert judged(kind, running=1) is (Kind.ACCOUNT if kind is Kind.BUSY else kind)


def test_busy_beside_other_uploads_counts_for_nothing() -> None:
    assert decided(Kind.BUSY, tries=4, failures=9, running=2) == Decision(
        Retry(0, counted=False), Nothing()
    )


@pytest.mark.parametrize("tries", range(5))
def test_a_probe_that_fails_by_the_account_is_no_try(tries: int) -> None:
    probe = decided(Kind.ACCOUNT, tries=tries, state=State.PROBING, failures=10, running=1)

    assert probe.file == Retry(0, counted=False)


def test_a_probe_that_fails_by_the_file_is_a_try() -> None:
    assert decided(Kind.FILE, tries=1, state=State.PROBING).file == Retry(5, counted=True)
    assert decided(Kind.FILE, tries=4, state=State.PROBING).file == DeadLetter(from_outage=False)


def test_an_account_failure_from_before_the_last_change_of_state_counts_for_nothing() -> None:
    for state, tries in itertools.product(State, range(5)):
        late = decided(Kind.ACCOUNT, tries=tries, state=state, failures=9, changed=True)
        assert late == Decision(Retry(0, counted=False), Nothing())


def test_a_file_failure_from_before_the_last_change_of_state_is_still_a_try() -> None:
    assert decided(Kind.FILE, tries=4, changed=True).file == DeadLetter(from_outage=False)
    assert decided(Kind.SOURCE, tries=4, changed=True).file == DeadLetter(from_outage=False)


# --- the delays ----------------------------------------------------------------------------


def test_the_last_delay_repeats() -> None:
    rules = replace(RULES, max_tries=100, retry_delays=(0, 1.5))

    assert [retry_delay(tries, rules, 0) for tries in (1, 2, 3, 99)] == [0, 1.5, 1.5, 1.5]


@given(tries=st.integers(1, 10_000), jitter=st.floats(0, 1))
def test_jitter_only_lengthens_and_by_a_tenth_at_most(tries: int, jitter: float) -> None:
    exact = retry_delay(tries, RULES, 0)

    assert exact <= retry_delay(tries, RULES, jitter) <= exact * (1 + JITTER)


# --- the account ----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OF_THE_ACCOUNT)
def test_the_tenth_consecutive_failure_suspends_for_fifteen_minutes(kind: Kind) -> None:
    counts = [decided(kind, failures=failures).account for failures in range(10)]

    assert counts == [*(Count(number) for number in range(1, 10)), Suspend(10, 900)]


@pytest.mark.parametrize("kind", NEVER_OF_THE_ACCOUNT)
@pytest.mark.parametrize("state", list(State))
def test_other_kinds_neither_count_for_the_account_nor_reset_it(kind: Kind, state: State) -> None:
    assert decided(kind, failures=9, state=state).account == Nothing()


@pytest.mark.parametrize("kind", OF_THE_ACCOUNT)
def test_the_fifth_try_and_the_tenth_failure_both_apply(kind: Kind) -> None:
    both = decided(kind, tries=4, failures=9)

    assert isinstance(both.file, DeadLetter)
    assert both.account == Suspend(10, 900)


@pytest.mark.parametrize("kind", OF_THE_ACCOUNT)
@pytest.mark.parametrize("failures", [0, 3, 10, 250])
def test_a_failed_probe_suspends_again_with_one_failure_more(kind: Kind, failures: int) -> None:
    probe = decided(kind, state=State.PROBING, failures=failures)

    assert probe.account == Suspend(failures + 1, 900)


@pytest.mark.parametrize("kind", OF_THE_ACCOUNT)
def test_what_fails_while_the_account_is_suspended_already_does_not_suspend_it_again(
    kind: Kind,
) -> None:
    assert decided(kind, state=State.SUSPENDED, failures=10, changed=True).account == Nothing()


DAY = 86_400.0
DORMANT = replace(RULES, dormant_after=3 * DAY)


def suspended_for(rules: Rules, lasts: float, state: State = State.PROBING) -> Suspend:
    account = decided(Kind.ACCOUNT, state=state, failures=300, lasts=lasts, rules=rules).account
    assert isinstance(account, Suspend)
    return account


def test_an_outage_of_days_makes_the_account_dormant_where_the_operator_wants_that() -> None:
    assert suspended_for(DORMANT, 3 * DAY) == Suspend(301, DORMANT_SECONDS, dormant=True)
    assert suspended_for(DORMANT, 3 * DAY - 1) == Suspend(301, 900)
    assert suspended_for(RULES, 300 * DAY) == Suspend(301, 900)


def test_only_a_probe_that_fails_makes_an_account_dormant() -> None:
    assert suspended_for(DORMANT, 30 * DAY, State.ACTIVE) == Suspend(301, 900)
    arrived_not = decided(Kind.SOURCE, state=State.PROBING, lasts=30 * DAY, rules=DORMANT)
    assert arrived_not.account == Nothing()


def test_a_dormant_account_is_never_tried_more_often_than_others() -> None:
    rare = replace(DORMANT, suspend_seconds=7 * 3600)
    assert suspended_for(rare, 3 * DAY).seconds == 7 * 3600


def test_failures_beyond_the_limit_suspend_too() -> None:
    """The operator lowered the limit while failures were counted."""
    assert decided(Kind.ACCOUNT, failures=30).account == Suspend(31, 900)


# --- a success ------------------------------------------------------------------------------


def test_a_delivered_file_ends_the_failures() -> None:
    assert recovers(AccountView(State.ACTIVE, failures=9))
    assert not recovers(AccountView(State.ACTIVE, failures=0))


def test_a_delivered_probe_reopens_the_account() -> None:
    assert recovers(AccountView(State.PROBING, failures=10))
    assert recovers(AccountView(State.PROBING, failures=0))


def test_a_success_that_comes_after_the_suspension_changes_nothing() -> None:
    assert not recovers(AccountView(State.SUSPENDED, failures=10))


# --- the casualties of an outage ------------------------------------------------------------


def test_a_file_that_died_by_the_account_alone_is_a_casualty() -> None:
    assert decided(Kind.ACCOUNT, tries=4, account_tries=4).file == DeadLetter(from_outage=True)


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.SOURCE])
def test_a_file_whose_last_try_failed_otherwise_is_no_casualty(kind: Kind) -> None:
    assert decided(kind, tries=4, account_tries=4).file == DeadLetter(from_outage=False)


@pytest.mark.parametrize("account_tries", range(4))
def test_a_file_with_any_other_counted_try_is_no_casualty(account_tries: int) -> None:
    dead = decided(Kind.ACCOUNT, tries=4, account_tries=account_tries).file

    assert dead == DeadLetter(from_outage=False)


def test_nothing_is_a_casualty_where_files_are_not_to_return() -> None:
    rules = replace(RULES, replay_after_outage=False)

    assert decided(Kind.ACCOUNT, tries=4, rules=rules).file == DeadLetter(from_outage=False)


@pytest.mark.parametrize("state", [State.ACTIVE, State.PROBING])
@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.BUSY, Kind.OURS])
def test_a_casualty_that_is_tried_while_the_server_is_away_stays_one(
    state: State, kind: Kind
) -> None:
    again = decided(kind, tries=5, from_outage=True, state=state, failures=3)

    assert again.file == DeadLetter(from_outage=True, counted=False)


@pytest.mark.parametrize("kind", [Kind.FILE, Kind.SOURCE])
def test_a_casualty_that_fails_by_itself_stays_dead(kind: Kind) -> None:
    again = decided(kind, tries=5, from_outage=True, state=State.PROBING, failures=10)

    assert again.file == DeadLetter(from_outage=False, counted=True)


def test_a_casualty_tried_in_an_active_account_counts_towards_its_suspension() -> None:
    assert decided(Kind.ACCOUNT, tries=5, from_outage=True, failures=8).account == Count(9)
    assert decided(Kind.ACCOUNT, tries=5, from_outage=True, failures=9).account == Suspend(10, 900)


# --- an operator's numbers ------------------------------------------------------------------


@given(
    max_tries=st.integers(1, 20), suspend_after=st.integers(1, 20), seconds=st.floats(0.001, 1e6)
)
def test_an_operators_numbers_replace_the_defaults(
    max_tries: int, suspend_after: int, seconds: float
) -> None:
    rules = replace(
        RULES, max_tries=max_tries, suspend_after=suspend_after, suspend_seconds=seconds
    )
    last = decided(Kind.FILE, tries=max_tries - 1, failures=suspend_after - 1, rules=rules)

    assert last == Decision(DeadLetter(from_outage=False), Suspend(suspend_after, seconds))
    if max_tries > 1:
        assert isinstance(decided(Kind.FILE, tries=max_tries - 2, rules=rules).file, Retry)
    if suspend_after > 1:
        before = decided(Kind.FILE, failures=suspend_after - 2, rules=rules)
        assert before.account == Count(suspend_after - 1)
