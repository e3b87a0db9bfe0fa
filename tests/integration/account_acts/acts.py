"""What tests of acts on many accounts do in the console, and read of them."""

import httpx
import pytest

from consumers.upkeep import bulk
from consumers.upkeep.bulk import BulkRunner
from tests.integration.console import Browser, Console
from tests.integration.platform import until
from worker.console import bulk_acts
from worker.core import make_bulk_runner


def paused(console: Console) -> set[str]:
    runs = console.platform.core.ledger.accounts.read_all()
    return {account_id for account_id, run in runs.items() if run.paused}


def planned(browser: Browser, **form: str) -> tuple[str, str]:
    """The address of the plan, and its page."""
    answer = browser.send_form("/account-acts", **form)
    assert answer.status_code == 303, answer.text
    where = answer.headers["location"]
    return where, browser.get(where).text


def begun(browser: Browser, where: str) -> str:
    """Begin what was planned; the address that follows."""
    answer = browser.send_form(where)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def done(browser: Browser, where: str) -> str:
    """The page that follows, once all is done."""
    begun(browser, where)
    progress = where.replace("/account-acts/", "/bulk-actions/")

    def over() -> str:
        text = browser.get(progress, headers={"HX-Request": "true"}).text
        return "" if "data-live" in text else text

    text: str = until(over, "the action to be over")
    return text


def cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request does one step, of one account."""
    monkeypatch.setattr(bulk, "ACCOUNTS_A_STEP", 1)
    monkeypatch.setattr(bulk_acts, "FIRST_SECONDS", 0)


def let_leases_pass(console: Console) -> None:
    console.platform.core.database["account_acts"].update_many({}, {"$set": {"lease_until": None}})


def suspended_beneath(console: Console, count: int) -> None:
    """So many suspended accounts beneath the tenant's."""
    accounts = console.platform.core.database["accounts"]
    beneath = {"_id": {"$in": [f"acc{n:05}" for n in range(1, count + 1)]}}
    accounts.update_many(beneath, {"$set": {"parent": "acc00000", "run.state": "suspended"}})


def tried(api: httpx.Client, asked: dict[str, object]) -> str:
    answer = api.post("/account-acts", json=asked)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["run_id"])


def runner(console: Console) -> BulkRunner:
    """Of another process."""
    return make_bulk_runner(console.platform.core, console.services.messaging)


def ended(api: httpx.Client, run_id: str) -> dict[str, object]:
    def look() -> dict[str, object] | None:
        shown: dict[str, object] = api.get(f"/account-acts/{run_id}").json()
        return shown if shown["ended"] else None

    found: dict[str, object] = until(look, "the run to be over")
    return found
