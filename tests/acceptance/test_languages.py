"""A reader of German has German pages: as his browser asks, and by his own choice."""

from pathlib import Path

from playwright.sync_api import Page, expect

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site


def language_of(page: Page) -> str | None:
    return page.locator("html").get_attribute("lang")


def choose(page: Page, name: str) -> None:
    """Choose one's own language, as a person does."""
    page.locator("header a.login[href='/password']").click()
    page.locator("nav.side a[href='/language']").click()
    page.locator("select[name=language]").select_option(label=name)
    page.locator("main form button").click()
    expect(page.locator("main .notice.good")).to_be_visible()


def test_the_browser_asks_until_a_user_chooses(site: Site) -> None:
    site.user("operator", None)
    with site.window(language="de-AT") as page:
        expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
        page.get_by_label("Anmeldename").fill("operator")
        page.get_by_label("Passwort").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_have_text(
            "Anmeldename oder Passwort ist nicht richtig."
        )
    with site.signed_in("operator", language="de-DE") as page:
        assert language_of(page) == "de"
        expect(page.get_by_role("link", name="Übersicht")).to_be_visible()
        choose(page, "English")
        assert language_of(page) == "en"
        expect(page.locator("main .notice.good")).to_have_text("Your choice is kept.")
    with site.signed_in("operator", language="de-DE") as page:
        assert language_of(page) == "en"
        choose(page, "Deutsch")
    with site.signed_in("operator", language="en-US") as page:
        assert language_of(page) == "de"
        page.goto(f"{site.url}/nowhere")
        expect(page.locator("[data-sentence]")).to_have_text("Unter dieser Adresse gibt es nichts.")


def test_the_sign_in_offers_the_languages_and_the_browser_keeps_the_choice(site: Site) -> None:
    site.user("operator", None)
    with site.window() as page:
        assert language_of(page) == "en"
        page.get_by_role("link", name="Deutsch").click()
        expect(page.get_by_role("heading", name="Anmelden")).to_be_visible()
        page.goto(f"{site.url}/forgotten-password")
        expect(page.get_by_role("heading", name="Passwort vergessen")).to_be_visible()
        page.goto(f"{site.url}/sign-in?language=../../x")
        assert language_of(page) == "de"


def test_the_api_speaks_english_whatever_the_program_accepts(site: Site) -> None:
    with site.window(language="de-DE") as page:
        answer = page.request.get(f"{site.url}/api/v1/accounts")
        assert answer.json()["error"]["message"] == "Sign in first."


def test_a_live_test_and_its_refusals_are_told_in_german(site: Site, tmp_path: Path) -> None:
    site.user("operator", None)
    (tmp_path / "customer").mkdir()
    with AsyncSshServer(tmp_path / "customer") as server:
        site.courier.account("acme", server.customer, Protocol.SFTP)
        with site.signed_in("operator", language="de-DE") as page:
            page.goto(f"{site.url}/accounts/acme/ftp")
            page.locator("#host").fill("")
            page.locator("#save").click()
            problem = page.locator("#host-error")
            expect(problem).not_to_be_empty()
            assert "must" not in (problem.text_content() or "")
            page.locator("#host").fill(server.customer.host)
            page.locator("#password").fill("wrong")
            page.locator("#save").click()
            expect(page.locator("main")).to_contain_text(
                "Es wurde nichts gespeichert", timeout=60_000
            )
            assert "Nothing was saved" not in page.locator("main").inner_text()
