"""Who may see, change, grant and move, for every family of accounts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.accounts import lineage, may_use_ftp
from config.errors import AccountError
from config.permissions import Principal, check_grant, check_move, descendants, is_beneath
from tests.unit.config.forests import Family, anything, children_of, family, forests

PROVIDER = Principal("admin", None)


def user_of(account_id: str) -> Principal:
    return Principal("anna", account_id)


def beneath(accounts: Family, name: str) -> set[str]:
    return {each.account_id for each in descendants(name, lambda ids: children_of(accounts, ids))}


def permitted(accounts: Family) -> set[str]:
    return {name for name, each in accounts.items() if may_use_ftp(each, accounts.get)}


def with_access(accounts: Family, name: str, *, granted: bool) -> Family:
    return {**accounts, name: accounts[name].model_copy(update={"ftp_access": granted})}


def test_an_account_hangs_on_those_above_and_never_on_itself() -> None:
    accounts = family(a=None, b="a", c="b", d=None)
    assert is_beneath(accounts["c"], "a", accounts.get)
    assert is_beneath(accounts["c"], "b", accounts.get)
    for other in "cd":
        assert not is_beneath(accounts["c"], other, accounts.get)


@pytest.mark.parametrize(
    "accounts",
    [family(a="b", b="a"), family(a="a", b="a"), family(a=None, b="c", c="gone")],
    ids=["circle", "own parent", "missing parent"],
)
def test_a_broken_chain_is_beneath_none(accounts: Family) -> None:
    assert not any(
        is_beneath(accounts["b"], other, accounts.get) for other in ("a", "b", "c", "gone")
    )


def test_what_is_beneath_comes_level_by_level() -> None:
    accounts = family(e="b", d="b", c="a", b="a", a=None, x=None)
    found = descendants("a", lambda ids: children_of(accounts, ids))
    assert [each.account_id for each in found] == ["c", "b", "e", "d"]


@given(forests())
def test_beneath_means_the_same_from_both_ends(accounts: Family) -> None:
    for name in accounts:
        upwards = {
            other for other, each in accounts.items() if is_beneath(each, name, accounts.get)
        }
        assert beneath(accounts, name) == upwards


@given(anything())
def test_what_is_beneath_ends_in_any_family_and_never_holds_the_account(accounts: Family) -> None:
    for name in accounts:
        found = [
            each.account_id for each in descendants(name, lambda ids: children_of(accounts, ids))
        ]
        assert len(found) == len(set(found))
        assert name not in found


@given(anything())
def test_the_service_provider_may_do_everything(accounts: Family) -> None:
    for name in [*accounts, "unknown"]:
        assert PROVIDER.is_provider
        assert PROVIDER.may_see(name, accounts.get)
        assert PROVIDER.may_change(name, accounts.get)
        assert PROVIDER.may_grant(name, accounts.get)


@given(forests())
def test_a_user_sees_its_own_account_and_what_is_beneath_it(accounts: Family) -> None:
    for own in accounts:
        seen = {name for name in accounts if user_of(own).may_see(name, accounts.get)}
        assert seen == {own} | beneath(accounts, own)


@given(forests())
def test_a_user_changes_what_it_sees_while_that_has_the_permission(accounts: Family) -> None:
    for own in accounts:
        changed = {name for name in accounts if user_of(own).may_change(name, accounts.get)}
        assert changed == ({own} | beneath(accounts, own)) & permitted(accounts)


@given(forests())
def test_a_user_grants_beneath_its_own_account_while_that_has_the_permission(
    accounts: Family,
) -> None:
    for own in accounts:
        granted = {name for name in accounts if user_of(own).may_grant(name, accounts.get)}
        assert granted == (beneath(accounts, own) if own in permitted(accounts) else set())


@given(anything())
def test_nobody_can_do_in_a_broken_family_what_it_could_not_in_a_whole_one(
    accounts: Family,
) -> None:
    for own in [*accounts, "unknown"]:
        user = user_of(own)
        assert not user.may_see("unknown", accounts.get)
        assert not user.may_grant(own, accounts.get)
        for name in accounts:
            if user.may_change(name, accounts.get) or user.may_grant(name, accounts.get):
                assert user.may_see(name, accounts.get)
            if user.may_see(name, accounts.get) and name != own:
                chain = [each.account_id for each in lineage(accounts[name], accounts.get)]
                assert own in chain


@given(accounts=forests(), data=st.data())
def test_revoking_takes_it_from_everything_beneath_and_granting_brings_it_back(
    accounts: Family, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(accounts)))
    granted = with_access(accounts, name, granted=True)
    revoked = with_access(accounts, name, granted=False)
    assert permitted(revoked) == permitted(granted) - {name} - beneath(accounts, name)
    assert permitted(with_access(revoked, name, granted=True)) == permitted(granted)


@given(forests())
def test_a_grant_is_refused_exactly_where_it_would_have_no_effect(accounts: Family) -> None:
    for name, account in accounts.items():
        has_effect = name in permitted(with_access(accounts, name, granted=True))
        try:
            check_grant(account, accounts.get)
        except AccountError:
            assert not has_effect
        else:
            assert has_effect


def test_a_grant_beneath_a_missing_parent_is_refused() -> None:
    accounts = family(a="gone")
    with pytest.raises(AccountError, match="'gone' does not exist"):
        check_grant(accounts["a"], accounts.get)


@pytest.mark.parametrize(
    ("account", "parent", "words"),
    [
        ("a", "a", "beneath itself"),
        ("a", "b", "beneath an account beneath it"),
        ("a", "c", "beneath an account beneath it"),
        ("b", "gone", "does not exist"),
        ("b", "", "does not exist"),
    ],
)
def test_a_move_that_cannot_be_says_why(account: str, parent: str, words: str) -> None:
    accounts = family(a=None, b="a", c="b")
    with pytest.raises(AccountError, match=words):
        check_move(accounts[account], parent, accounts.get)


@given(accounts=forests(), data=st.data())
def test_a_move_is_refused_exactly_where_it_would_close_a_circle(
    accounts: Family, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(accounts)))
    parent = data.draw(st.one_of(st.none(), st.sampled_from(sorted(accounts))))
    circle = parent is not None and parent in {name} | beneath(accounts, name)
    try:
        check_move(accounts[name], parent, accounts.get)
    except AccountError:
        assert circle
        return
    assert not circle
    moved = {**accounts, name: accounts[name].model_copy(update={"parent": parent})}
    for each in moved.values():
        list(lineage(each, moved.get))


@given(accounts=anything(), data=st.data())
def test_a_move_leads_out_of_a_broken_family_and_never_into_one(
    accounts: Family, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(sorted(accounts)))
    check_move(accounts[name], None, accounts.get)
    parent = data.draw(st.sampled_from(sorted(accounts)))
    try:
        check_move(accounts[name], parent, accounts.get)
    except AccountError:
        return
    moved = {**accounts, name: accounts[name].model_copy(update={"parent": parent})}
    list(lineage(moved[name], moved.get))


@given(accounts=forests(), is_provider=st.booleans())
def test_who_may_only_look_sees_what_it_saw_and_changes_and_grants_nothing(
    accounts: Family, *, is_provider: bool
) -> None:
    for name in accounts:
        account_id = None if is_provider else name
        full, reader = Principal("anna", account_id), Principal("anna", account_id, read_only=True)
        for other in accounts:
            assert reader.may_see(other, accounts.get) == full.may_see(other, accounts.get)
            assert not reader.may_change(other, accounts.get)
            assert not reader.may_grant(other, accounts.get)
