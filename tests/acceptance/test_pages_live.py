"""Pages that stay true by themselves: in place, in words, and without taking anything away."""

import re

from playwright.sync_api import Locator, Page, expect

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site, back_to_list
from tests.integration.many_accounts import store_accounts

SHOWN_OR_HIDDEN = """state => {
    const isHidden = {configurable: true, get: () => state === "hidden"};
    Object.defineProperty(document, "hidden", isHidden);
    document.dispatchEvent(new Event("visibilitychange"));
}"""
SELECT_TEXT = """() => {
    const words = document.querySelector("tbody small").firstChild;
    const range = document.createRange();
    range.selectNodeContents(words);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
}"""


def overview(site: Site, count: int = 3) -> None:
    store_accounts(site.courier.core.database, count)
    site.user("operator", None)


def row(page: Page, key: str) -> Locator:
    """The row of an account, or of a recording."""
    return page.locator(f'tr[data-key="{key}"]')


def test_rows_change_in_place_and_focus_selection_and_folds_stay(site: Site) -> None:
    overview(site)
    directory = site.courier.core.directory
    with site.signed_in("operator") as page:
        first = row(page, "acc00000")
        expect(page.locator("[data-live-words]")).to_contain_text("Updated")
        first.evaluate("each => { each.sameAsEver = true; }")
        page.locator("main h1").click()
        page.get_by_text("More filters").click()
        first.get_by_role("checkbox").check()
        page.get_by_role("link", name="acc00001").focus()

        directory.rename("acc00000", "First of all")
        expect(first).to_contain_text("First of all")
        assert first.evaluate("each => each.sameAsEver")
        expect(page.locator("[data-live-words]")).to_contain_text("every 5 s")
        expect(first.get_by_role("checkbox")).to_be_checked()
        expect(page.get_by_text("1 selected")).to_be_visible()
        expect(page.get_by_role("link", name="acc00001")).to_be_focused()
        expect(page.get_by_label("Beneath")).to_be_visible()


def test_a_row_that_is_selected_or_in_use_stays_though_it_has_left_the_list(site: Site) -> None:
    overview(site, 30)
    states = site.courier.core.database["accounts"]
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/overview?state=suspended&sort=account")
        kept, focused, gone = (row(page, f"acc000{n}") for n in ("09", "19", "29"))
        kept.get_by_role("checkbox").check()
        focused.get_by_role("link").first.focus()
        states.update_many({}, {"$set": {"run.state": "active"}})
        expect(gone).to_have_count(0)
        expect(kept).to_have_attribute("data-gone", "not on this page any more")
        expect(kept.get_by_role("checkbox")).to_be_checked()
        expect(focused.get_by_role("link").first).to_be_focused()
        kept.get_by_role("checkbox").uncheck()
        page.get_by_label("Search").focus()
        expect(kept).to_have_count(0)


def test_what_is_selected_stays_whatever_page_order_or_filter_is_asked_for(site: Site) -> None:
    overview(site, 120)
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/overview?sort=account")
        words = page.locator("[data-selected]")
        for key in ("acc00003", "acc00030"):
            row(page, key).get_by_role("checkbox").check()
        page.get_by_label("Search").fill("acc0000")
        expect(row(page, "acc00030")).to_have_attribute("data-gone", "not on this page any more")
        expect(words).to_have_text("2 selected, 1 of them not on this page any more")
        page.get_by_label("Search").fill("")
        expect(row(page, "acc00049")).to_be_visible()
        expect(words).to_have_text("2 selected")
        page.get_by_role("link", name="Next").click()
        expect(row(page, "acc00050")).to_be_visible()
        expect(words).to_have_text("2 selected, 2 of them not on this page any more")
        page.get_by_label("Select all on this page").check()
        expect(words).to_have_text("52 selected, 2 of them not on this page any more")
        page.get_by_label("Select all on this page").uncheck()
        row(page, "acc00051").get_by_role("checkbox").check()
        page.go_back()
        expect(row(page, "acc00049")).to_be_visible()
        expect(words).to_have_text("3 selected, 1 of them not on this page any more")
        page.get_by_role("columnheader", name="Account").get_by_role("link").click()
        expect(row(page, "acc00119")).to_be_visible()
        expect(words).to_have_text("3 selected, 3 of them not on this page any more")
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Pause 3 accounts").click()
        expect(page.locator("main")).to_contain_text("3 of 3 paused.")
    runs = site.courier.core.ledger.accounts.read_all()
    paused = sorted(account_id for account_id, run in runs.items() if run.paused)
    assert paused == ["acc00003", "acc00030", "acc00051"]


def select_pages(page: Page, count: int) -> None:
    """All rows of this page and of those behind it."""
    for number in range(count):
        expect(row(page, f"acc{50 * number:05}")).to_be_visible()
        page.get_by_label("Select all on this page").check()
        if number < count - 1:
            page.get_by_role("link", name="Next").click()


def test_so_many_as_a_form_may_have_are_selected_and_no_more(site: Site) -> None:
    overview(site, 560)
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/overview?sort=account")
        select_pages(page, 11)
        expect(page.locator("[data-selected]")).to_have_text(
            "550 selected: choose 500 at most, or all that match by a filter"
        )
        expect(page.get_by_role("button", name="Pause")).to_be_disabled()
        page.get_by_label("With", exact=True).select_option(label="all 560 that match")
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Pause 560 accounts")).to_be_visible()
        page.goto(f"{site.url}/overview?sort=account")
        select_pages(page, 10)
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("button", name="Pause 500 accounts")).to_be_visible()


def test_it_is_said_when_and_why_a_page_is_not_refreshed(site: Site) -> None:
    overview(site)
    directory = site.courier.core.directory
    with site.signed_in("operator") as page:
        live = page.locator("[data-live-words]")
        page.evaluate(SELECT_TEXT)
        expect(live).to_contain_text("Paused while text is selected in it. Updated")
        directory.rename("acc00000", "While selected")
        page.evaluate("getSelection().removeAllRanges()")
        expect(page.locator("main")).to_contain_text("While selected")

        page.evaluate(SHOWN_OR_HIDDEN, "hidden")
        expect(live).to_contain_text("Paused while this tab is hidden")
        directory.rename("acc00000", "While hidden")
        page.evaluate(SHOWN_OR_HIDDEN, "visible")
        expect(page.locator("main")).to_contain_text("While hidden")

        page.route("**/overview", lambda route: route.abort())
        expect(live).to_contain_text("The console does not answer: what is shown is of")
        expect(live).to_contain_text("Asking again")
        directory.rename("acc00000", "While away")
        page.unroute("**/overview")
        page.get_by_text("Refresh now").click()
        expect(page.locator("main")).to_contain_text("While away")
        expect(live).to_contain_text("Updated")


def test_filter_order_page_and_folds_stand_in_the_address(site: Site) -> None:
    overview(site, 120)
    site.courier.core.directory.create("reseller", name="Reseller", ftp_access=True)
    store_accounts(site.courier.core.database, 10, prefix="sub", parent="reseller")
    with site.signed_in("operator") as page:
        rows = page.locator("tbody tr")
        page.get_by_role("link", name="Suspended").first.click()
        expect(rows).to_have_count(13)
        expect(page).to_have_url(re.compile(r"/overview\?state=suspended$"))
        expect(page.get_by_label("State", exact=True)).to_have_value("suspended")
        page.get_by_label("Search").fill("sub")
        expect(rows).to_have_count(1)
        expect(page).to_have_url(re.compile("search=sub"))
        expect(page.get_by_label("Search")).to_be_focused()
        page.reload()
        expect(rows).to_have_count(1)
        expect(page.get_by_label("Search")).to_have_value("sub")
        page.get_by_text("Show all").click()
        expect(page.get_by_text("Page 1 of 3")).to_be_visible()
        page.get_by_role("columnheader", name="Account").get_by_role("link").click()
        expect(rows.first).to_contain_text("acc00000")
        page.get_by_role("link", name="Next").click()
        expect(rows.first).to_contain_text("acc00050")
        page.go_back()
        expect(rows.first).to_contain_text("acc00000")

        page.goto(f"{site.url}/accounts?search=reseller")
        page.get_by_text("Show all").click()
        page.goto(f"{site.url}/accounts?sort=-account")
        expect(rows.first).to_contain_text("reseller")
        expect(rows.first).to_contain_text("1 of 10 beneath suspended")
        page.get_by_role("link", name="Unfold what is beneath reseller").click()
        expect(row(page, "sub00009")).to_be_visible()
        expect(
            page.get_by_role("link", name=re.compile("^Fold what is beneath reseller"))
        ).to_be_focused()
        page.reload()
        expect(row(page, "sub00009")).to_be_visible()


def test_the_filter_that_was_just_used_says_again_what_the_address_says_after_going_back(
    site: Site,
) -> None:
    overview(site, 6)
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/overview")
        state, rows = page.get_by_label("State", exact=True), page.locator("tbody tr")
        whole = rows.count()
        state.focus()
        state.select_option("paused")
        expect(page).to_have_url(re.compile("state=paused"))
        expect(rows).not_to_have_count(whole)
        page.go_back()
        expect(rows).to_have_count(whole)
        expect(state).to_have_value("")


def test_many_are_paused_with_the_number_before_and_the_result_after(site: Site) -> None:
    overview(site, 60)
    with site.signed_in("operator") as page:
        page.get_by_label("Select all on this page").check()
        expect(page.get_by_text("50 selected")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Pause 50 accounts").click()
        expect(page.locator("main")).to_contain_text("50 of 50 paused.")
        back_to_list(page)
        page.get_by_label("With", exact=True).select_option(label="all 60 that match")
        page.get_by_role("button", name="Resume").click()
        expect(page.locator("main")).to_contain_text("10 accounts of those chosen are left out")
        page.get_by_role("button", name="Resume 50 accounts").click()
        expect(page.locator("main")).to_contain_text("50 of 50 resumed")
    runs = site.courier.core.ledger.accounts.read_all()
    assert not any(run.paused for run in runs.values())


def test_everything_is_there_without_scripts_but_the_refresh(site: Site) -> None:
    overview(site, 60)
    with site.signed_in("operator", scripts=False) as page:
        expect(page.locator("[data-live-words]")).to_contain_text("Shown as of")
        site.courier.core.directory.rename("acc00009", "By hand")
        page.get_by_role("link", name="Reload").click()
        expect(page.locator("main")).to_contain_text("By hand")
        page.get_by_label("Search").fill("acc0000")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody tr")).to_have_count(10)
        page.get_by_role("columnheader", name="Account").get_by_role("link").click()
        expect(page.locator("tbody tr").first).to_contain_text("acc00000")
        page.get_by_label("Select acc00000").check()
        page.get_by_role("button", name="Pause").click()
        page.get_by_role("button", name="Pause 1 account").click()
        expect(page.locator("main")).to_contain_text("1 of 1 paused.")
    assert site.courier.run_state("acc00000").paused


def test_an_accounts_page_is_refreshed_in_place_as_well(
    site: Site, asyncssh_server: AsyncSshServer
) -> None:
    site.courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    site.user("operator", None)
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/accounts/acme")
        button = page.get_by_role("button", name="Pause")
        button.focus()
        (name,) = site.courier.publish_many("acme", ["one.wav"])
        site.courier.wait_status(name, "delivered")
        expect(row(page, name)).to_contain_text("one.wav")
        expect(button).to_be_focused()
        site.courier.core.ledger.accounts.pause("acme")
        expect(page.locator("#state")).to_have_text("paused")
