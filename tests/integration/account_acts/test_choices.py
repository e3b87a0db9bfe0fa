"""Try now, pause and resume with many accounts: the number before, the progress, each refusal; it
goes on whatever becomes of the console, and twice is once."""

import pytest

from config.audit import Audit
from tests.integration.account_acts.acts import (
    begun,
    cut_short,
    done,
    ended,
    paused,
    planned,
    runner,
)
from tests.integration.console import Browser, Console, serving

THREE = {f"account:acc{n:05}": "on" for n in range(3)}


def cut_after_one_of_three(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> str:
    """The progress of pausing three accounts, of which this console has done one."""
    cut_short(monkeypatch)
    return begun(browser, planned(browser, do="pause", **THREE)[0])


def test_a_selection_is_counted_then_paused_and_resumed(console: Console, browser: Browser) -> None:
    where, plan = planned(browser, do="pause", **THREE)
    assert "Pause 3 accounts?" in plan
    assert "Nothing is done yet" in plan
    assert "acc00000, acc00001, acc00002" in plan
    assert paused(console) == set()

    assert "3 of 3 paused." in done(browser, where)
    assert paused(console) == {"acc00000", "acc00001", "acc00002"}
    assert console.actions("acc00001") == ["account.paused"]

    where, plan = planned(browser, do="resume", scope="all", filter="state=paused")
    assert "Resume 3 accounts?" in plan
    assert begun(browser, where) == "/overview?state=paused"
    assert paused(console) == set()
    assert browser.get(where).headers["location"].startswith("/bulk-actions/")
    assert console.actions(None)[0] == "bulk.ended"


def test_all_that_match_are_tried_now_and_those_that_cannot_be_are_left_out(
    console: Console, browser: Browser
) -> None:
    where, plan = planned(browser, do="try-now", scope="all", filter="search=acc&sort=-queued")
    assert "Try 3 accounts now?" in plan
    assert "27 accounts of those chosen are left out: they are not suspended." in plan
    assert 'href="/overview?search=acc&amp;sort=-queued"' in plan
    page = done(browser, where)
    assert "3 of 3 tried at once." in page
    assert 'href="/overview?search=acc&amp;sort=-queued"' in page
    assert console.actions("acc00009") == ["account.tried-now"]


def test_a_filter_that_cannot_be_read_chooses_nothing(console: Console, browser: Browser) -> None:
    more = "".join(f"&a{n}=1" for n in range(20))

    notice = browser.notice("/account-acts", do="pause", scope="all", filter=f"search=acc{more}")

    assert "cannot be read" in notice
    assert paused(console) == set()


def test_each_refusal_is_told_with_its_account(console: Console, browser: Browser) -> None:
    where, _ = planned(browser, do="pause", **THREE)
    console.platform.core.ledger.accounts.pause("acc00001")
    console.platform.core.directory.remove("acc00002")

    page = done(browser, where)
    assert "1 of 3 paused, 2 refused." in page
    assert "The account is paused already." in page
    assert "There is no such account any more" in page
    ended = next(
        e for e in Audit(console.platform.core.database).list() if e.action == "bulk.ended"
    )
    assert ended.after == {"act": "pause accounts", "count": 1, "of": 3, "refused": 2}


def test_nothing_chosen_and_nothing_to_do_are_said(console: Console, browser: Browser) -> None:
    assert "Select accounts first" in browser.notice("/account-acts", do="pause")
    nothing = browser.notice("/account-acts", do="resume", scope="all", filter="")
    assert "There is nothing to do" in nothing
    assert "30 accounts of those chosen are left out: they are not paused." in nothing
    assert browser.send_form("/account-acts", do="explode", scope="all").status_code == 404
    assert "must be one of" in browser.notice(
        "/account-acts", do="pause", scope="all", filter="state=asleep"
    )
    elsewhere = browser.send_form("/account-acts", do="pause", path="//evil.example", filter="a=b")
    assert elsewhere.headers["location"] == "/overview?a=b"
    assert paused(console) == set()


def test_nobody_sees_or_begins_anothers_plan(console: Console, browser: Browser) -> None:
    tenant = console.browser("tenant")
    where, _ = planned(browser, do="pause", scope="all")
    assert tenant.get(where).status_code == 404
    assert tenant.send_form(where).status_code == 404

    own, plan = planned(tenant, do="pause", scope="all", **{"account:acc00001": "on"})
    assert "Pause 1 account?" in plan
    progress = own.replace("/account-acts/", "/bulk-actions/")
    assert browser.get(progress).status_code == 404, "a plan is its maker's alone"
    assert "1 of 1 paused" in done(tenant, own)
    assert paused(console) == {"acc00000"}
    assert browser.get(own).status_code == 404
    assert browser.get(progress).status_code == 200, "what was begun is for who may see it"


def test_a_tenant_without_permission_is_refused_account_by_account(console: Console) -> None:
    console.platform.core.directory.set_ftp_access("acc00000", granted=False)
    tenant = console.browser("tenant")
    where, _ = planned(tenant, do="pause", scope="all")
    assert "has no FTP access" in done(tenant, where)
    assert paused(console) == set()


def test_the_api_counts_acts_and_tells_each_refusal(console: Console) -> None:
    api, ids = console.program(None), ["acc00001", "acc00002", "nobody"]
    dry = api.post("/account-acts", json={"do": "pause", "account_ids": ids, "dry_run": True})
    assert (dry.status_code, dry.json()["total"], dry.json()["begun"]) == (200, 2, False)
    assert paused(console) == set()

    begun = api.post("/account-acts", json={"do": "pause", "account_ids": ids})
    assert begun.status_code == 202
    assert ended(api, begun.json()["run_id"])["done"] == 2
    assert paused(console) == {"acc00001", "acc00002"}
    asked = {"do": "try-now", "filter": {"state": "suspended"}}
    run = ended(api, api.post("/account-acts", json=asked).json()["run_id"])
    assert (run["done"], run["refused"], run["problem"]) == (3, [], None)
    other = console.program("acc00000")
    assert other.get(f"/account-acts/{run['run_id']}").status_code == 404


@pytest.mark.parametrize(
    "asked",
    [
        {"do": "pause"},
        {"do": "pause", "account_ids": ["acc00001"], "filter": {}},
        {"do": "pause", "filter": {"stat": "suspended"}},
        {"do": "pause", "filter": {"state": "asleep"}},
        {"do": "remove", "filter": {}},
        {"do": "pause", "account_ids": ["../x"]},
        {"do": "pause", "account_ids": ["a"] * 1001},
    ],
)
def test_a_slip_in_what_is_asked_for_chooses_nothing(
    console: Console, asked: dict[str, object]
) -> None:
    answer = console.program(None).post("/account-acts", json=asked)
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["message"].endswith(".")
    assert paused(console) == set()


# --- it goes on, whatever becomes of the console --------------------------------------------------


def test_another_console_shows_it_and_a_worker_goes_on_with_it(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = cut_after_one_of_three(browser, monkeypatch)
    assert len(paused(console)) == 1
    assert console.actions(None)[:2] == ["account.paused", "bulk.begun"]

    with serving(console.platform) as after_a_restart:
        shown = after_a_restart.browser("provider").get(progress).text
    assert "1 of 3 paused." in shown
    assert "data-live" in shown

    runner(console).look()
    assert paused(console) == {"acc00000", "acc00001", "acc00002"}
    assert "3 of 3 paused." in browser.get(progress).text


def test_it_ends_where_whoever_began_it_was_signed_out_everywhere(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = cut_after_one_of_three(browser, monkeypatch)
    console.user("other", None)
    console.services.users.end_sessions("provider")

    runner(console).look()

    shown = console.browser("other").get(progress).text
    assert "may not act any more" in shown
    assert "1 of 3 paused; " in shown
    assert len(paused(console)) == 1


def test_it_is_stopped_by_somebody_else_which_the_audit_tells(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = cut_after_one_of_three(browser, monkeypatch)
    console.user("other", None)
    other = console.browser("other")
    other.send_form(f"{progress}/stop")
    runner(console).look()

    assert "It was stopped" in other.get(progress).text
    assert len(paused(console)) == 1
    told = [each.actor for each in console.services.audit.list() if each.action == "bulk.stopped"]
    assert told == ["other"]


def test_plans_are_bounded_and_forgotten(console: Console, browser: Browser) -> None:
    picked = {"account:acc00001": "on"}
    wheres = [planned(browser, do="pause", **picked)[0] for _ in range(7)]
    statuses = [browser.get(where).status_code for where in wheres]
    assert statuses == [404, 404, 200, 200, 200, 200, 200]
    indexes = console.platform.core.database["account_acts"].index_information()
    assert indexes["gone_1"]["expireAfterSeconds"] == 0
