"""What `courier accounts show` prints of the way to the server."""

import pytest

from config.accounts import Account, FtpSettings, Protocol
from consumers.ledger import NO_FILES
from consumers.ledger.states import run_state
from worker.account_facts import AccountFacts
from worker.cli import account_page


def lines(host: str = "h.example", connects_from: tuple[str, ...] = ()) -> dict[str, object]:
    settings = FtpSettings(protocol=Protocol.SFTP, host=host, username="u")
    account = Account(account_id="acme", settings=settings)
    facts = AccountFacts(
        account, run_state({}), permitted=True, counts=NO_FILES, connects_from=connects_from
    )
    return dict(account_page.page(facts))


def test_what_to_let_in_at_a_firewall_is_shown_where_it_is_known() -> None:
    shown = lines(connects_from=("203.0.113.0/28", "2001:db8::7"))
    assert shown["connects from"] == "203.0.113.0/28, 2001:db8::7"
    assert "connects from" not in lines()


@pytest.mark.parametrize("host", ["2001:db8::7", "[2001:db8::7]"])
def test_an_ipv6_address_is_told_apart_from_its_port(host: str) -> None:
    assert lines(host)["server"] == "sftp://u@[2001:db8::7]:22"
