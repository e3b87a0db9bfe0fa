"""Acts on many accounts, step by step: what another worker, a slow one, a broken account or a
second click changes, which is nothing."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier, BrokenBarrierError

import pytest

from config.audit import Audit
from config.permissions import Principal
from consumers.ledger.bulk_actions import BulkAction, BulkActions
from consumers.upkeep import bulk
from consumers.upkeep.account_acts import AccountActs
from tests.integration.account_acts.acts import (
    begun,
    done,
    ended,
    let_leases_pass,
    paused,
    planned,
    runner,
    suspended_beneath,
    tried,
)
from tests.integration.console import Browser, Console, serving
from worker.console.bulk_acts import BulkActs
from worker.console.errors import Conflict


def test_a_step_in_which_a_worker_died_is_repeated_and_nothing_is_done_twice(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = planned(browser, do="pause", **{f"account:acc{n:05}": "on" for n in range(3)})
    action_id = where.rpartition("/")[2]
    actions, states = console.services.ledger.bulk_actions, console.services.ledger.accounts
    assert actions.begin_planned(action_id)
    act = AccountActs.act

    def dies_at_the_third(self: AccountActs, action: BulkAction, account_id: str) -> str | None:
        if account_id == "acc00002":
            raise SystemExit
        return act(self, action, account_id)

    with monkeypatch.context() as patch:
        patch.setattr(AccountActs, "act", dies_at_the_third)
        with pytest.raises(SystemExit):
            runner(console).run(action_id, 60)
    assert states.resume("acc00001"), "somebody wants it to go on meanwhile"
    console.platform.core.database["account_acts"].update_many({}, {"$set": {"lease_until": None}})

    runner(console).look()

    assert paused(console) == {"acc00000", "acc00002"}
    action = actions.read(action_id)
    assert action is not None
    assert (action.done, action.refused, action.is_over) == (3, 0, True)
    for account_id in ("acc00000", "acc00001", "acc00002"):
        assert console.actions(account_id) == ["account.paused"]


def test_a_tenants_tries_come_in_steps_so_that_no_server_is_flooded(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ACCOUNTS_A_STEP", 2)
    monkeypatch.setattr(bulk, "SECONDS_A_TRY", 60.0)
    suspended_beneath(console, 5)
    tenant = console.browser("tenant")
    where, plan = planned(tenant, do="try-now", scope="all")
    assert "Try 5 accounts now?" in plan
    progress = begun(tenant, where)
    runner(console).look()

    shown = tenant.get(progress).text
    assert "2 of 5 tried at once." in shown
    assert "20 accounts are tried a minute" in shown
    again, _ = planned(tenant, do="try-now", scope="all")
    assert "Something is being done with many at once" in tenant.notice(again)
    paces = console.platform.core.database["try_paces"]
    paces.update_many({}, [{"$set": {"free_at": "$$NOW"}}])
    let_leases_pass(console)
    runner(console).look()
    assert "4 of 5 tried at once." in tenant.get(progress).text


def test_a_pause_does_not_wait_for_tries_beneath_the_same_top_account(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ACCOUNTS_A_STEP", 2)
    monkeypatch.setattr(bulk, "SECONDS_A_TRY", 60.0)
    suspended_beneath(console, 5)
    tenant = console.browser("tenant")
    begun(tenant, planned(tenant, do="try-now", scope="all")[0])

    assert "1 of 1 paused" in done(
        tenant, planned(tenant, do="pause", **{"account:acc00001": "on"})[0]
    )


def test_a_tenants_tries_are_as_slow_over_many_small_actions_and_other_consoles(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "SECONDS_A_TRY", 60.0)
    suspended_beneath(console, 2)
    asked: dict[str, object] = {"do": "try-now", "account_ids": ["acc00001", "acc00002"]}
    api = console.program("acc00000")
    first = ended(api, tried(api, asked))
    assert (first["done"], first["problem"]) == (2, None)
    suspended_beneath(console, 2)

    with serving(console.platform) as another:
        api = another.program("acc00001")
        second = api.post("/account-acts", json={**asked, "account_ids": ["acc00001"]}).json()
    assert (second["done"], second["ended"]) == (0, False)
    assert "20 accounts are tried a minute" in second["problem"]
    runner(console).look()
    assert console.actions("acc00001").count("account.tried-now") == 1


def test_an_account_that_cannot_be_used_is_a_refusal_and_holds_up_no_other(
    console: Console, browser: Browser
) -> None:
    where, _ = planned(browser, do="pause", **{f"account:acc{n:05}": "on" for n in range(3)})
    accounts = console.platform.core.database["accounts"]
    accounts.update_one({"_id": "acc00001"}, {"$set": {"settings": {"protocol": "carrier-pigeon"}}})

    page = done(browser, where)

    assert "2 of 3 paused, 1 refused." in page
    assert "cannot be used: save its settings anew" in page
    assert paused(console) == {"acc00000", "acc00002"}


def test_a_plan_that_is_begun_twice_at_the_same_moment_runs_once(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "ACCOUNTS_A_STEP", 3)
    where, _ = planned(browser, do="pause", scope="all")
    acts = BulkActs(console.services, Principal("provider", None))
    action = acts.own_plan(where.rpartition("/")[2])
    assert action is not None
    barrier, act = Barrier(2), AccountActs.act

    def slowly(self: AccountActs, action: BulkAction, account_id: str) -> str | None:
        with suppress(BrokenBarrierError):
            barrier.wait(1)
        return act(self, action, account_id)

    monkeypatch.setattr(AccountActs, "act", slowly)
    with ThreadPoolExecutor(2) as both:
        list(both.map(acts.begin_accounts, [action, action]))
    barrier.abort()
    runner(console).look()

    found = acts.own_plan(action.action_id)
    assert found is not None
    assert (found.done, found.refused, found.is_over) == (30, 0, True)
    assert len(paused(console)) == 30


def test_a_step_counts_only_what_it_has_read(console: Console, browser: Browser) -> None:
    where, _ = planned(browser, do="pause", scope="all")
    action_id, actions = where.rpartition("/")[2], console.services.ledger.bulk_actions
    assert actions.begin_planned(action_id)
    assert actions.take(action_id, "one")
    assert actions.progressed(action_id, "one", done=20, looked_at=0)
    assert not actions.progressed(action_id, "one", done=20, looked_at=0)


def test_a_plan_that_is_forgotten_by_now_is_refused_in_a_sentence(
    console: Console, browser: Browser
) -> None:
    where, _ = planned(browser, do="pause", scope="all")
    acts = BulkActs(console.services, Principal("provider", None))
    action = acts.own_plan(where.rpartition("/")[2])
    assert action is not None
    console.platform.core.database["account_acts"].delete_many({})

    with pytest.raises(Conflict, match="forgotten by now"):
        acts.begin_accounts(action)


def test_counting_alone_lets_no_plan_go(console: Console) -> None:
    api = console.program(None)
    for _ in range(3):
        shown = api.post("/account-acts", json={"do": "pause", "filter": {}, "dry_run": True})
        assert (shown.json()["run_id"], shown.json()["total"]) == (None, 30)
    assert console.platform.core.database["account_acts"].count_documents({}) == 0


def test_whoever_may_not_act_any_more_does_nothing_with_the_rest_of_a_step(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = planned(browser, do="pause", scope="all")
    act = AccountActs.act

    def signs_out(self: AccountActs, action: BulkAction, account_id: str) -> str | None:
        told = act(self, action, account_id)
        if account_id == "acc00002":
            console.services.users.end_sessions("provider")
        return told

    monkeypatch.setattr(AccountActs, "act", signs_out)
    assert console.services.ledger.bulk_actions.begin_planned(where.rpartition("/")[2])
    runner(console).look()

    assert paused(console) == {"acc00000", "acc00001", "acc00002"}
    [entry] = [e for e in Audit(console.platform.core.database).list() if e.action == "bulk.ended"]
    assert entry.after["count"] == 3


def test_a_step_whose_lease_another_worker_has_ends_at_once(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = planned(browser, do="pause", scope="all")
    action_id, act = where.rpartition("/")[2], AccountActs.act
    actions = console.services.ledger.bulk_actions

    def is_overtaken(self: AccountActs, action: BulkAction, account_id: str) -> str | None:
        let_leases_pass(console)
        assert actions.take(action_id, "another")
        return act(self, action, account_id)

    monkeypatch.setattr(AccountActs, "act", is_overtaken)
    assert actions.begin_planned(action_id)
    runner(console).look()

    assert paused(console) == {"acc00000"}
    assert console.actions(None) == ["account.paused"]


def test_the_line_of_its_end_is_one_also_after_a_crash_behind_it(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, _ = planned(browser, do="pause", **{"account:acc00001": "on"})
    assert console.services.ledger.bulk_actions.begin_planned(where.rpartition("/")[2])

    def dies(*_: object) -> bool:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(BulkActions, "ended", dies)
        with pytest.raises(SystemExit):
            runner(console).look()
    let_leases_pass(console)
    runner(console).look()

    assert console.actions(None).count("bulk.ended") == 1


def test_workers_of_the_version_before_do_not_see_what_is_done_with_accounts(
    console: Console, browser: Browser
) -> None:
    where, _ = planned(browser, do="pause", scope="all")
    done(browser, where)
    assert console.platform.core.database["bulk_actions"].count_documents({}) == 0
    listed = console.program(None).get("/bulk-actions").json()
    assert [each["subject"] for each in listed] == ["accounts"]
