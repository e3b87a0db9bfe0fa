"""What lists tell of accounts without building each of them agrees with the rules."""

from typing import Any

import pytest
from hypothesis import given

from config.accounts import may_use_ftp
from config.permissions import is_beneath
from consumers.ledger.summaries import Disabled, family, reached, why_disabled
from tests.unit.config.forests import Family, anything


def documents(accounts: Family) -> dict[str, dict[str, Any]]:
    return {
        name: {"parent": account.parent, "ftp_access": account.ftp_access}
        for name, account in accounts.items()
    }


@given(anything())
def test_the_permission_reaches_the_accounts_that_the_rule_says(accounts: Family) -> None:
    expected = {name: may_use_ftp(account, accounts.get) for name, account in accounts.items()}
    assert reached(documents(accounts)) == expected


@given(anything())
def test_a_family_holds_what_is_beneath_its_top(accounts: Family) -> None:
    parents = {name: account.parent for name, account in accounts.items()}
    for top in accounts:
        found = {*family(top, parents)}
        beneath = {name for name, each in accounts.items() if is_beneath(each, top, accounts.get)}
        assert found >= {top} | beneath
    assert not family("nobody", parents)


def test_a_long_chain_is_followed_to_its_top() -> None:
    chain = {str(n): {"parent": str(n - 1) if n else None, "ftp_access": True} for n in range(5000)}
    assert all(reached(chain).values())
    chain["0"]["ftp_access"] = False
    assert not any(reached(chain).values())


@pytest.mark.parametrize(
    ("facts", "reasons"),
    [
        ((True, True, True, True), ()),
        ((False, False, True, True), (Disabled.NOT_GRANTED,)),
        ((True, False, True, True), (Disabled.NOT_GRANTED_ABOVE,)),
        ((True, True, False, False), (Disabled.NO_SETTINGS,)),
        ((True, True, True, False), (Disabled.SWITCHED_OFF,)),
        ((False, False, False, False), (Disabled.NOT_GRANTED, Disabled.NO_SETTINGS)),
    ],
)
def test_every_reason_for_which_an_account_is_disabled_is_told(
    facts: tuple[bool, bool, bool, bool], reasons: tuple[Disabled, ...]
) -> None:
    has_access, permitted, has_settings, enabled = facts
    found = why_disabled(
        has_access=has_access, permitted=permitted, has_settings=has_settings, enabled=enabled
    )
    assert found == reasons
