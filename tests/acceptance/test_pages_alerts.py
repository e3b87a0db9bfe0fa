"""The page of an account's alerts, as its administrator uses it in a browser."""

from pathlib import Path

from playwright.sync_api import expect

from config.accounts import Protocol
from deploy.local.customers import CustomerServer, SmtpSink
from tests.acceptance.site import Site
from tests.integration.platform import until
from tests.integration.settings.suspending import suspend

OLD, NEW = "it@acme.example", "a.very-long-name.of-somebody@recordings.customer-north.example"
NOWHERE = CustomerServer("ftp.invalid", 21, "customer", "a password", Path(), None, "/")


def test_alerts_are_changed_during_an_outage_and_a_test_email_is_seen_to_arrive(
    site: Site, smtp_sink: SmtpSink, tmp_path: Path
) -> None:
    courier = site.courier
    courier.account("acme", NOWHERE, Protocol.FTP, email_alerts=(OLD,))
    suspend(courier)
    site.user(OLD, "acme")

    with site.signed_in(OLD) as page:
        page.goto(f"{site.url}/accounts/acme")
        page.get_by_role("link", name="Alerts", exact=True).click()
        history = page.get_by_role("list", name="List of the e-mails")
        expect(history).to_contain_text("421 Bye")
        page.get_by_label("Email Alerts", exact=True).fill(f"{OLD}, not an address")
        page.get_by_role("button", name="Save alerts").click()
        expect(page.locator("#email_alerts-error")).to_contain_text("must be an e-mail address")
        page.get_by_label("Email Alerts", exact=True).fill(f"{OLD}, {NEW}")
        page.get_by_label("Alert Frequency").select_option("Once an outage, and then daily")
        page.get_by_role("button", name="Save alerts").click()
        expect(page.locator(".notice.good")).to_contain_text("The server was not tested")
        page.get_by_role("button", name=f"Send a test to {OLD}").click()
        expect(page.locator(".notice.good")).to_contain_text("on its way")
        until(lambda: "FTP Alert Test" in subjects(smtp_sink), "the test e-mail")
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.get_by_role("button", name="Send a test to the Email Alerts addresses").click()
        page.wait_for_load_state()
        page.reload()
        expect(history.locator("> li")).to_have_count(3)
        expect(history).to_contain_text("A test, asked for by it@acme.example.")
        for width in (320, 390, 820, 1440):
            page.set_viewport_size({"width": width, "height": 900})
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, width
            page.screenshot(path=tmp_path / f"alerts-{width}.png", full_page=True)

    settings = courier.core.directory.get("acme").settings
    assert settings is not None
    assert settings.email_alerts == (OLD, NEW)


def subjects(smtp_sink: SmtpSink) -> list[str]:
    return [mail.message["Subject"] for mail in smtp_sink.messages]
