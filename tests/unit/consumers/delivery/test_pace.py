"""How many logins to one server are under way at once."""

import threading
import time

import pytest

from consumers.delivery import pace as module
from consumers.delivery.pace import AGAIN_SECONDS, FIRST, MOST, Pace


@pytest.fixture(autouse=True)
def _unspaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETWEEN_SECONDS", 0.0)


def alone() -> int:
    return 1


def log_in(pace: Pace, *, went_well: bool | None) -> None:
    assert pace.begin(0)
    pace.end(went_well=went_well)


def cohort(pace: Pace) -> None:
    for _ in range(pace.limit):
        log_in(pace, went_well=True)


def test_a_server_of_which_nothing_is_known_has_two_logins_at_once() -> None:
    pace = Pace(alone)
    assert [pace.begin(0) for _ in range(FIRST + 1)] == [True] * FIRST + [False]
    pace.end(went_well=None)
    assert pace.begin(0)


def test_one_more_is_begun_at_the_end_of_each_cohort_that_went_well() -> None:
    pace = Pace(alone)
    limits = []
    for _ in range(4):
        cohort(pace)
        limits.append(pace.limit)
    assert limits == [FIRST + 1, FIRST + 2, FIRST + 3, FIRST + 4]


def test_there_are_never_more_than_the_most() -> None:
    pace = Pace(alone)
    for _ in range(2 * MOST):
        cohort(pace)
    assert pace.limit == MOST


@pytest.mark.parametrize(("workers", "most"), [(1, 10), (2, 5), (3, 3), (10, 1), (40, 1)])
def test_all_workers_together_have_no_more_either_as_long_as_each_has_one(
    workers: int, most: int
) -> None:
    pace = Pace(lambda: workers)
    for _ in range(2 * MOST):
        cohort(pace)
    assert pace.limit == most


def test_a_worker_that_comes_takes_its_share_at_once() -> None:
    workers = [1]
    pace = Pace(lambda: workers[0])
    for _ in range(2 * MOST):
        cohort(pace)
    workers[0] = 2
    assert pace.limit == MOST // 2
    log_in(pace, went_well=False)
    assert pace.limit == MOST // 2 - 1


def test_a_login_that_is_not_let_in_takes_a_share_of_one_away() -> None:
    pace = Pace(alone)
    while pace.limit < MOST:
        cohort(pace)
    log_in(pace, went_well=False)
    assert pace.limit == MOST - 1
    for _ in range(MOST - 2):  # a cohort of them takes one
        log_in(pace, went_well=False)
    assert pace.limit >= MOST - 2


def test_however_many_are_not_let_in_one_at_a_time_is_tried() -> None:
    pace = Pace(alone)
    for _ in range(50):
        log_in(pace, went_well=False)
    assert pace.limit == 1
    assert pace.begin(0)
    assert not pace.begin(0)


def test_what_tells_nothing_of_the_server_changes_nothing() -> None:
    pace = Pace(alone)
    for _ in range(50):
        log_in(pace, went_well=None)
    assert pace.limit == FIRST


def test_whoever_waits_begins_once_another_one_has_ended() -> None:
    pace = Pace(alone)
    assert all(pace.begin(0) for _ in range(FIRST))
    begun = threading.Event()

    def wait() -> None:
        if pace.begin(60):
            begun.set()

    thread = threading.Thread(target=wait)
    thread.start()
    pace.end(went_well=True)
    thread.join(60)
    assert begun.is_set()


def test_logins_are_spaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BETWEEN_SECONDS", 3600.0)
    pace = Pace(alone)
    assert pace.begin(0)
    assert not pace.begin(0)
    assert not pace.is_idle


def test_after_an_outage_it_starts_over() -> None:
    pace = Pace(alone)
    cohort(pace)
    pace.start_over()
    assert pace.limit == FIRST


def test_the_more_ask_in_vain_the_later_they_ask_again_until_a_login_ends() -> None:
    pace = Pace(alone)
    assert all(pace.begin(0) for _ in range(FIRST))
    seconds = [pace.turn_away() for _ in range(200)]
    assert seconds == sorted(seconds)
    assert (seconds[0], seconds[-1]) == AGAIN_SECONDS
    pace.end(went_well=None)
    assert pace.turn_away() == seconds[0]


def test_a_login_of_a_session_that_is_under_way_waits_however_many_do() -> None:
    pace = Pace(alone)
    assert all(pace.begin(0) for _ in range(FIRST))
    waiting = [threading.Thread(target=pace.begin, args=(60,)) for _ in range(2 * FIRST)]
    for each in waiting:
        each.start()
    while pace._waiting < len(waiting):
        time.sleep(0.01)
    begun = list[bool]()
    lost = threading.Thread(target=lambda: begun.append(pace.begin(60, is_few=False)))
    lost.start()
    for _ in range(FIRST + len(waiting)):
        pace.end(went_well=None)
    for each in (lost, *waiting):
        each.join(60)
    assert begun == [True]


def test_so_few_wait_for_their_turn_that_other_servers_accounts_have_slots() -> None:
    pace = Pace(alone)
    assert all(pace.begin(0) for _ in range(FIRST))
    waiting = [threading.Thread(target=pace.begin, args=(60,)) for _ in range(2 * FIRST)]
    for each in waiting:
        each.start()
    while pace._waiting < len(waiting):
        time.sleep(0.01)
    assert not pace.begin(3600), "it was not even waited for"
    for _ in range(FIRST + len(waiting)):
        pace.end(went_well=None)
    for each in waiting:
        each.join(60)
