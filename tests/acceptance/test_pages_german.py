"""The test of the settings in German, at the widths of a phone and of a desk: nothing English is
left in it, and the longer words have room."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect

from config.accounts import DeliveryMethod, Protocol
from deploy.local.customers import AsyncSshServer
from tests.acceptance.site import Site
from tests.acceptance.test_layout import HEIGHT, LAYOUT, LEFTOVERS
from tests.languages.messages import stored

WIDTHS = (1024, 390, 320)


def run_test(page: Page, button: str, result: str) -> None:
    """Test what is entered, until the result has these words."""
    page.get_by_role("button", name=button).click()
    expect(page.locator("#result")).to_contain_text(result)
    expect(page.locator("#result .test.done")).to_be_visible()


def faults_of(page: Page, case: str) -> list[str]:
    """What is English or badly laid out, at each width."""
    english = [str(each.id) for each in stored("de") if each.id and each.id != each.string]
    faults = [f"{case}: {each}" for each in page.evaluate(LEFTOVERS, english)]
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": HEIGHT})
        faults += [f"{case} at {width} px: {each}" for each in page.evaluate(LAYOUT)]
    return faults


def test_tests_that_pass_and_fail_are_told_in_german_and_hold(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("it@acme.example", "acme")
    faults: list[str] = []
    with (
        AsyncSshServer(folder) as server,
        site.signed_in("it@acme.example", (1024, HEIGHT), language="de-DE") as page,
    ):
        page.goto(f"{site.url}/accounts/acme/ftp")
        faults += faults_of(page, "the form")
        page.get_by_label("Protokoll").select_option(label="SFTP")
        page.locator("#host").fill(server.customer.host)
        page.locator("#port").fill(str(server.customer.port))
        page.locator("#username").fill(server.username)
        page.locator("#password").fill("not the password")
        run_test(page, "Nur testen", "Prüfen Sie Benutzername")
        faults += faults_of(page, "a wrong password")
        page.locator("#port").fill("1")
        run_test(page, "Nur testen", "Prüfen Sie, ob der Server läuft")
        faults += faults_of(page, "a closed port")
        page.locator("#port").fill(str(server.customer.port))
        page.locator("#password").fill(server.password)
        page.get_by_label("Protokoll").select_option(label="FTPS (explizit)")
        run_test(page, "Testen und speichern", "Wählen Sie SFTP oder einen anderen Port")
        faults += faults_of(page, "another protocol")
        page.locator("#host").fill("ftp://")
        page.get_by_role("button", name="Testen und speichern").click()
        expect(page.locator("#host-error")).to_contain_text("Host: Bitte einen Hostnamen")
        page.locator("#host").fill(server.customer.host)
        page.get_by_label("Protokoll").select_option(label="SFTP")
        page.locator("#port").fill(str(server.customer.port))
        run_test(page, "Testen und speichern", "Gespeichert und eingeschaltet.")
        faults += faults_of(page, "a test that passes")
        page.goto(f"{site.url}/accounts/acme/server")
        run_test(page, "Jetzt testen", "Der Test ist gelungen")
        faults += faults_of(page, "the server")
    assert not faults, "\n".join(faults)


def test_states_of_many_letters_hold_on_a_phone(site: Site, tmp_path: Path) -> None:
    later = f"{datetime.now(UTC) + timedelta(days=3):%a}"
    courier, faults = site.courier, list[str]()
    site.user("operator", None)
    with AsyncSshServer(tmp_path) as server:
        courier.account("acme", server.customer, Protocol.SFTP, delivery_window=later)
        courier.core.directory.set_default_method("acme", DeliveryMethod.EMAIL)
        recording_id = courier.publish("acme", courier.recording("one.wav"))
        courier.wait_status(recording_id, "skipped")
    states = {
        "/overview": "wartet auf Zeitfenster",
        "/accounts": "wartet auf Zeitfenster",
        "/accounts/acme": "der E-Mail überlassen",
        "/accounts/acme/recordings": "der E-Mail überlassen",
        "/recordings": "der E-Mail überlassen",
        f"/recordings/{recording_id}": "der E-Mail überlassen",
    }
    with site.signed_in("operator", (WIDTHS[0], HEIGHT), language="de-DE") as page:
        for path, state in states.items():
            page.goto(f"{site.url}{path}")
            expect(page.locator(".badge", has_text=state).first).to_be_visible()
            faults += faults_of(page, path)
    assert not faults, "\n".join(faults)
