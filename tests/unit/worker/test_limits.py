"""Token buckets: so much at once, then one more each so many seconds."""

from config.accounts import Account
from worker.console import limits
from worker.console.limits import Buckets, Rate, top_of


def test_a_burst_fits_and_then_one_each_so_many_seconds() -> None:
    buckets = Buckets(Rate(burst=3, seconds=10))

    assert [buckets.take("a", 0) for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a", 0) == 10
    assert buckets.take("a", 4) == 6, "what is refused takes nothing"
    assert buckets.take("a", 10) == 0
    assert buckets.take("a", 10) == 10
    assert buckets.take("b", 10) == 0


def test_after_a_rest_no_more_than_a_burst_fits() -> None:
    buckets = Buckets(Rate(burst=2, seconds=10))
    buckets.take("a", 0)

    assert [buckets.take("a", 10_000) for _ in range(3)] == [0, 0, 10]


def test_a_look_takes_nothing() -> None:
    buckets = Buckets(Rate(burst=1, seconds=10))

    assert [buckets.wait("a", 0) for _ in range(3)] == [0, 0, 0]
    buckets.take("a", 0)
    assert buckets.wait("a", 0) == 10


def test_however_many_ask_a_bounded_number_is_kept() -> None:
    buckets = Buckets(Rate(burst=1, seconds=10))
    for number in range(limits.MAX_KEYS + 10):
        buckets.take(str(number), 0)

    assert len(buckets._free_at) == limits.MAX_KEYS
    assert buckets.take(str(limits.MAX_KEYS + 9), 0) == 10


def test_the_top_of_a_tree_is_found_from_everywhere_in_it() -> None:
    parents = {"a": None, "b": "a", "c": "b", "lost": "gone", "round": "round"}
    accounts = {name: Account(account_id=name, parent=above) for name, above in parents.items()}

    tops = {name: top_of(name, accounts.get) for name in (*accounts, "unknown")}
    assert tops == {
        "a": "a",
        "b": "a",
        "c": "a",
        "lost": "lost",
        "round": "round",
        "unknown": "unknown",
    }
