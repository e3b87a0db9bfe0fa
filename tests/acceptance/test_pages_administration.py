"""Accounts moved and removed, and people let in and out, in Chromium as their operator does it."""

from playwright.sync_api import expect

from tests.acceptance.site import PASSWORD, PHONE, Site

LOST = "in.the.wrong.place"


def test_an_account_is_moved_in_the_tree_and_then_removed(site: Site) -> None:
    directory = site.courier.core.directory
    directory.create("north", ftp_access=True)
    directory.create("south", ftp_access=True)
    directory.create(LOST, parent="north", ftp_access=True)
    site.user("operator", None)
    with site.signed_in("operator") as page:
        page.goto(f"{site.url}/accounts/{LOST}/account")
        above = page.get_by_label("Account above it")
        above.fill("nowhere")
        page.get_by_role("button", name="Move", exact=True).click()
        expect(page.get_by_role("main")).to_contain_text("'nowhere' does not exist")
        assert directory.get(LOST).parent == "north"
        page.get_by_label("Account above it").fill("south")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_contain_text("beneath south now")
        page.goto(f"{site.url}/accounts")
        names = page.locator("tr[data-key] th a[href^='/accounts/']")
        expect(names).to_have_text(["north", "south", LOST])

        page.goto(f"{site.url}/accounts/{LOST}/account")
        page.get_by_label(f"Type {LOST} to confirm").fill("south")
        page.get_by_role("button", name="Remove the account").click()
        expect(page.get_by_role("main")).to_contain_text("Nothing was done")
        page.get_by_label(f"Type {LOST} to confirm").fill(LOST)
        page.get_by_role("button", name="Remove the account").click()
        expect(page.locator("body")).to_contain_text(f"{LOST} was removed")
        expect(page.locator(f"tr[data-key='{LOST}']")).to_have_count(0)
    assert directory.find(LOST) is None


def test_who_finds_a_session_open_is_asked_for_the_password_and_its_user_but_once(
    site: Site,
) -> None:
    site.courier.core.directory.create("acme", ftp_access=True)
    site.user("operator", None)
    site.user("bert", "acme")
    users = site.courier.core.database["users"]
    with site.signed_in("operator", PHONE) as page:
        page.goto(f"{site.url}/accounts/acme/people")
        here = page.locator("nav.side [aria-current]")
        expect(here).to_have_text("Users & tokens")
        expect(here).to_be_in_viewport(ratio=1)
        page.get_by_role("button", name="Disable", exact=True).click()
        expect(page.get_by_role("heading", name="Your password, please")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        page.get_by_label("Your password", exact=True).fill("not this one")
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("is not right")
        assert users.count_documents({"_id": "bert", "disabled": True}) == 0
        page.get_by_label("Your password", exact=True).fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_contain_text("bert was disabled")
        page.get_by_role("button", name="Enable", exact=True).click()
        expect(page.get_by_role("main")).to_contain_text("bert was enabled")
        page.get_by_label("Used for").fill("Provisioning")
        page.get_by_role("button", name="Make a token").click()
        expect(page.locator("code.secret")).to_be_visible()
