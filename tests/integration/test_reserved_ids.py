"""An account's id is not given out a second time: what is left of the first one bears it."""

from collections.abc import Iterator
from typing import Any

import pytest

from config.audit import Action, Audit
from config.directory import Directory
from config.errors import AccountError
from consumers.upkeep.removal import remove_account
from tests.integration.console import Console, serving
from tests.integration.platform import MakeCourier


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    with serving(make_courier()) as console:
        yield console


def test_the_id_of_a_removed_account_is_refused_at_every_door(console: Console) -> None:
    core = console.platform.core
    core.directory.create("acme", ftp_access=True)
    broker = console.services.messaging.broker
    remove_account(core.directory, core.ledger, broker, "acme")

    answer = console.program(None).post("/accounts", json={"account_id": "acme"})
    console.user("operator", None)
    notice = console.browser("operator").notice("/accounts", account_id="acme")
    with pytest.raises(AccountError, match="not given out again"):
        core.directory.create("acme")

    assert answer.status_code == 409
    assert "not given out again" in answer.json()["error"]["message"]
    assert "not given out again" in notice
    assert core.directory.find("acme") is None
    core.directory.create("acme.2")


@pytest.mark.parametrize(
    ("collection", "trace"),
    [
        ("deliveries", {"_id": "r1", "account_id": "acme", "status": "delivered"}),
        ("numbers", {"_id": "+441632960001", "account_id": "acme", "method": "ftp"}),
        ("users", {"_id": "it@acme.example", "account_id": "acme"}),
        ("tokens", {"_id": "0123", "account_id": "acme"}),
    ],
)
def test_so_is_that_of_an_account_that_an_earlier_version_has_removed(
    console: Console, collection: str, trace: dict[str, Any]
) -> None:
    core = console.platform.core
    core.database[collection].insert_one(trace)
    with pytest.raises(AccountError, match="not given out again"):
        core.directory.create("acme")
    core.directory.create("acme2")


def test_the_audit_of_a_former_account_is_enough(console: Console) -> None:
    core = console.platform.core
    Audit(core.database).record("cli:root", Action.ACCOUNT_REMOVED, "acme")
    with pytest.raises(AccountError, match="not given out again"):
        core.directory.create("acme")


def test_one_that_another_has_created_and_removed_meanwhile_is_taken_back(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory: Directory = make_courier().core.directory
    check = directory._reserved.check_free

    def meanwhile(account_id: str) -> None:
        check(account_id)
        monkeypatch.undo()
        directory.create(account_id)
        directory.remove(account_id)

    monkeypatch.setattr(directory._reserved, "check_free", meanwhile)
    with pytest.raises(AccountError, match="not given out again"):
        directory.create("acme")
    assert directory.find("acme") is None


def test_a_removal_that_was_cut_short_can_be_repeated(make_courier: MakeCourier) -> None:
    directory = make_courier().core.directory
    directory.create("acme")
    directory._reserved.reserve("acme")
    with pytest.raises(AccountError, match="exists already"):
        directory.create("acme")
    directory.remove("acme")
    assert directory.find("acme") is None
