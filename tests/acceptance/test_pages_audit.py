"""The audit as people read and search it, and acts on many accounts as they watch them."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from config.audit import Action, Audit
from consumers.upkeep import bulk
from deploy.local.customers import SmtpSink
from tests.acceptance.site import DESKTOP, PHONE, Site, serving_site
from tests.integration.many_accounts import store_accounts
from tests.integration.platform import settings_for
from worker.console import bulk_acts

ANNA = "anna@acme.example"
MANY = 12


def changes(page: Page) -> list[str]:
    return page.locator("ol.changes > li p").all_inner_texts()


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_each_change_is_a_sentence_and_is_found_by_who_did_it(
    site: Site, size: tuple[int, int]
) -> None:
    core = site.courier.core
    core.directory.create("acme", ftp_access=True)
    site.user("operator", None)
    audit = Audit(core.database)
    before = {"host": "ftp.old", "port": 21}
    audit.record(ANNA, Action.SETTINGS_SAVED, "acme", before, {**before, "host": "ftp.new"})
    audit.record("cli:root", Action.ACCOUNT_PAUSED, "acme")
    audit.record(ANNA, Action.SETTINGS_SAVED, "acme", before, {"host": "ftp.new", "port": 2121})
    with site.signed_in("operator", size) as page:
        page.get_by_role("link", name="Audit", exact=True).click()
        told = changes(page)
        assert f"{ANNA} changed Host of acme from ftp.old to ftp.new" in told
        assert "root at the command line paused acme" in told
        lines = page.locator("ol.changes li ul li").all_inner_texts()
        assert {"Host: from ftp.old to ftp.new", "Port: from 21 to 2121"} <= {*lines}

        page.get_by_label("Who", exact=True).fill("anna")
        expect(page.locator("ol.changes > li")).to_have_count(2)
        assert "who=anna" in page.url
        page.get_by_label("What", exact=True).select_option("runs")
        expect(page.get_by_text("Nothing matches")).to_be_visible()
        page.get_by_role("link", name="Show all").click()
        expect(page.locator("ol.changes")).to_contain_text("root at the command line paused acme")

        first = page.locator("ol.changes > li").last
        first.evaluate("each => { each.sameAsEver = true; }")
        audit.record("cli:root", Action.ACCOUNT_RESUMED, "acme")
        expect(page.locator("ol.changes")).to_contain_text("resumed acme")
        assert first.evaluate("each => each.sameAsEver"), "rows are kept, not painted anew"
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.locator("ol.changes").get_by_role("link", name="acme").first.click()
        expect(page.get_by_role("heading", name="acme")).to_be_visible()


def test_what_is_done_with_many_accounts_is_watched_in_place_and_survives_the_console(
    amqp_url: str,
    mongodb_url: str,
    smtp_sink: SmtpSink,
    tmp_path: Path,
    chromium: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = settings_for(amqp_url, mongodb_url, smtp_sink.url, console_bind="127.0.0.1:0")
    with monkeypatch.context() as slowly:
        slowly.setattr(bulk, "ACCOUNTS_A_STEP", 1)
        slowly.setattr(bulk, "ROUND_SECONDS", 0.01)
        slowly.setattr(bulk_acts, "FIRST_SECONDS", 0)
        with serving_site(settings, tmp_path / "recordings", chromium) as site:
            store_accounts(site.courier.core.database, MANY)
            site.user("operator", None)
            where = _begin(site)
    with (
        serving_site(settings, tmp_path / "recordings", chromium) as site,
        site.signed_in("operator") as page,
    ):
        page.goto(f"{site.url}{where}")
        expect(page.get_by_text(f"{MANY} of {MANY} paused.")).to_be_visible()
        expect(page.get_by_text("It is over since")).to_be_visible()
        expect(page.locator("[data-live-words]")).to_have_count(0)
        page.get_by_role("link", name="Back to the list").click()
        expect(page.locator(".badge.paused")).to_have_count(MANY)
        page.goto(f"{site.url}/audit")
        told = changes(page)
        assert f"operator paused {MANY} of {MANY} accounts" in told
        assert f"operator began to pause {MANY} accounts" in told


def _begin(site: Site) -> str:
    """Pause all accounts, and watch the first two; the address of the progress."""
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/accounts")
        page.get_by_label("With").select_option("all")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_role("heading", name=f"Pause {MANY} accounts?")).to_be_visible()
        page.get_by_role("button", name=f"Pause {MANY} accounts").click()
        bar = page.get_by_role("progressbar")
        bar.evaluate("each => { each.sameAsEver = true; }")
        expect(page.get_by_text(re.compile(rf"^[2-9] of {MANY} paused"))).to_be_visible()
        assert bar.evaluate("each => each.sameAsEver"), "it changes in place"
        expect(page.locator("[data-live-words]")).to_contain_text("every 1 s")
        return page.url.removeprefix(site.url)
