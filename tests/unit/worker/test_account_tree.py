"""The tree of accounts, and what is beneath each."""

from hypothesis import given

from consumers.ledger import Disabled
from tests.unit.config.forests import Family, anything
from tests.unit.worker.summaries import summary
from worker.account_list import AccountFilter, Order
from worker.account_tree import AccountTree, TreeRow

ORDER = Order.of("account")
ALL = AccountFilter()
TREE = AccountTree(
    [
        summary("reseller", disabled=(Disabled.NO_SETTINGS,)),
        summary("reseller.a", parent="reseller", state="suspended", queued=4),
        summary("reseller.b", parent="reseller", dead=2),
        summary("reseller.b.x", parent="reseller.b", state="suspended"),
        summary("single"),
    ]
)


def shown(rows: list[TreeRow]) -> list[tuple[str, int]]:
    return [(row.account.account_id, row.depth) for row in rows]


def test_what_is_beneath_an_account_is_summed_at_any_depth() -> None:
    sums = TREE.sums()
    assert sums.keys() == {"reseller", "reseller.b"}
    beneath = sums["reseller"]
    assert (beneath.accounts, beneath.queued, beneath.dead_letters) == (3, 4, 2)
    assert beneath.trouble == [("suspended", 2)]
    assert TREE.beneath("reseller.b") == {"reseller.b.x"}


def test_the_tree_is_folded_but_for_what_is_unfolded() -> None:
    assert shown(TREE.rows(ALL, ORDER, lambda _: False)) == [("reseller", 0), ("single", 0)]
    opened = TREE.rows(ALL, ORDER, lambda each: each == "reseller")
    assert shown(opened) == [("reseller", 0), ("reseller.a", 1), ("reseller.b", 1), ("single", 0)]
    assert [row.children for row in opened] == [2, 0, 1, 0]


def test_what_is_searched_is_shown_with_what_is_above_it() -> None:
    rows = TREE.rows(AccountFilter(search="b.x"), ORDER, lambda _: False)
    assert shown(rows) == [("reseller", 0), ("reseller.b", 1), ("reseller.b.x", 2)]
    assert [row.is_match for row in rows] == [False, False, True]
    beneath = TREE.rows(AccountFilter(beneath="reseller.b"), ORDER, lambda _: False)
    assert shown(beneath)[-1] == ("reseller.b.x", 2)


def test_accounts_that_hang_on_one_that_is_not_seen_are_roots() -> None:
    tree = AccountTree([summary("a.b", parent="a"), summary("a.b.c", parent="a.b")])
    assert shown(tree.rows(ALL, ORDER, lambda _: True)) == [("a.b", 0), ("a.b.c", 1)]


@given(anything())
def test_every_account_has_one_place_whatever_hangs_on_what(accounts: Family) -> None:
    tree = AccountTree([summary(name, parent=each.parent) for name, each in accounts.items()])
    rows = tree.rows(ALL, ORDER, lambda _: True)
    assert sorted(row.account.account_id for row in rows) == sorted(accounts)
    sums = tree.sums()
    assert all(sums[each].accounts == len(tree.beneath(each)) for each in sums)
