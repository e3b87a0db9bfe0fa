"""The console in Chromium, as the people see it whom the settings text names.

`SCREENSHOTS=docs/screenshots` keeps the pictures that the last test makes.
"""

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from config.accounts import DeliveryMethod, Protocol
from config.numbers import Number
from consumers.ledger import ALL
from consumers.ledger.hours import Sums
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.acceptance.site import PHONE, Site
from tests.integration.platform import Platform, until


def fill(page: Page, server: CustomerServer, password: str) -> None:
    page.get_by_label("Protocol").select_option(label="SFTP")
    page.get_by_label("Logon Type").select_option(label="Interactive")
    page.get_by_label("Host", exact=False).first.fill(server.host)
    page.get_by_label("Port").fill(str(server.port))
    page.get_by_label("Username").fill(server.username)
    page.get_by_label("Password").fill(password)


def test_a_customer_enters_settings_is_refused_corrects_them_and_sees_its_recording_arrive(
    site: Site, tmp_path: Path
) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("it@acme.example", "acme")
    recording_id = site.courier.publish("acme", site.courier.recording("call.wav"))
    site.courier.wait_status(recording_id, "queued")

    with (
        AsyncSshServer(folder, logon=("keyboard-interactive",)) as server,
        site.signed_in("it@acme.example") as page,
    ):
        expect(page.get_by_role("heading", name="Acme Ltd")).to_be_visible()
        expect(page.get_by_text("No FTP settings are stored yet.")).to_be_visible()
        expect(page.locator("#activity .badge.queued")).to_be_visible()
        page.get_by_role("navigation", name="Account").get_by_text("FTP Settings").click()

        page.get_by_label("Protocol").select_option(label="FTP")
        expect(page.get_by_label("Logon Type")).to_be_hidden()
        fill(page, server.customer, "wrong")
        expect(page.get_by_label("Logon Type")).to_be_visible()
        page.get_by_role("button", name="Test and save").click()

        result = page.locator("#result")
        expect(result.get_by_text("Nothing was saved.")).to_be_visible()
        expect(result.locator("q")).to_contain_text("Authentication failed")
        expect(result).to_contain_text("What the platform saw:")  # the words are a library's
        expect(page.locator("#password-error")).to_contain_text("Check username, password")
        expect(page.get_by_label("Password")).to_be_focused()
        assert site.courier.core.directory.get("acme").settings is None

        page.keyboard.type(server.password)  # it is refused as a whole: what was there is kept
        page.get_by_label("Password").fill(server.password)
        page.keyboard.press("Enter")

        expect(result.get_by_text("Saved and switched on.")).to_be_visible()
        expect(result.locator("ol li.good")).to_have_count(9)
        assert server.customer.host_key is not None
        expect(result.locator(".notice code")).to_have_text(server.customer.host_key)
        expect(page.locator("#state")).to_have_text("active")
        page.get_by_text("See what is happening").click()
        expect(page.locator("#activity .badge.delivered")).to_be_visible()
        expect(page.locator("#activity")).to_contain_text("call.wav")
        assert (folder / "call.wav").is_file()


def test_a_user_of_one_account_neither_sees_nor_changes_another(site: Site) -> None:
    for account_id in ("acme", "rival"):
        site.courier.core.directory.create(account_id, ftp_access=True)
    site.user("it@acme.example", "acme")

    with site.signed_in("it@acme.example") as page:
        page.get_by_role("link", name="Overview").click()
        expect(page.get_by_role("row")).to_have_count(2)
        expect(page.locator("main")).not_to_contain_text("rival")
        for path in ("", "/ftp", "/alerts", "/permissions", "/numbers", "/people", "/audit"):
            answer = page.goto(f"{site.url}/accounts/rival{path}")
            assert answer is not None
            assert answer.status == 404
            expect(page.locator("main")).not_to_contain_text("rival")
        status = page.evaluate(
            """async () => {
                const csrf = JSON.parse(document.body.getAttribute("hx-headers"));
                const body = new URLSearchParams({do: "pause"});
                const init = {method: "POST", body, headers: csrf};
                return (await fetch("/accounts/rival/state", init)).status;
            }"""
        )

    assert status == 404
    assert not site.courier.run_state("rival").paused


def test_the_pages_are_used_with_the_keyboard_alone(site: Site) -> None:
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("admin", None)

    with site.signed_in("admin") as page:
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        tab_to(page, page.get_by_role("row").get_by_role("link", name="acme"))
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Acme Ltd")).to_be_visible()
        unnamed = page.locator("input:not([type=hidden]), select, button")
        for index in range(unnamed.count()):
            assert unnamed.nth(index).evaluate("e => e.labels?.length || e.textContent.trim()")


def tab_to(page: Page, wanted: Locator, most: int = 40) -> None:
    """Press Tab until it has the focus."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if wanted.evaluate("each => each === document.activeElement"):
            break
    expect(wanted).to_be_focused()


def test_no_page_is_wider_than_a_phone(site: Site) -> None:
    site.courier.core.directory.create("acme", name="Acme Ltd", ftp_access=True)
    site.user("admin", None)

    with site.signed_in("admin", PHONE) as page:
        for path in ("overview", "accounts", "people", "audit", *_account_pages("acme")):
            page.goto(f"{site.url}/{path}")
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, path


def _account_pages(account_id: str) -> list[str]:
    parts = ("", "/ftp", "/alerts", "/permissions", "/numbers", "/people", "/audit")
    return [f"accounts/{account_id}{part}" for part in parts]


def test_the_main_pages_have_their_pictures_taken(site: Site, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    with ExitStack() as stack:
        server = stack.enter_context(_folder_server(tmp_path / "customer"))
        scene = _set_the_scene(site, server)
        page = stack.enter_context(site.signed_in("operator"))
        take = _Camera(page, site.url, pictures, site.courier.folder)
        take("overview", "/overview")
        take("accounts", "/accounts")
        take("account", "/accounts/harbour")
        take("recording", f"/recordings/{scene.lost}")
        take("dead-letters", "/dead-letters")
        take("charts", "/charts")
        _take_what_customers_see(site, server, pictures, scene)
        take("audit", "/audit")
        dark = stack.enter_context(site.signed_in("operator", dark=True))
        _Camera(dark, site.url, pictures, site.courier.folder)("overview-dark", "/overview")
        phone = stack.enter_context(site.signed_in("operator", PHONE))
        take = _Camera(phone, site.url, pictures, site.courier.folder)
        take("phone-overview", "/overview")
        take("phone-account", "/accounts/harbour")
        take("phone-settings", "/accounts/northwind/ftp")

    assert len(list(pictures.iterdir())) == 22
    if wanted := os.environ.get("SCREENSHOTS"):
        shutil.copytree(pictures, wanted, dirs_exist_ok=True)


def _take_what_customers_see(
    site: Site, server: AsyncSshServer, pictures: Path, scene: "_Scene"
) -> None:
    """For the help: what administrators of accounts have before them."""
    with _customer(site, "harbour", pictures) as (page, take):
        take("customer-account", "/accounts/harbour")
        until(lambda: _is_told(page, f"{site.url}/accounts/harbour/alerts"), "the alert's sending")
        take("alerts")
        take("sessions", "/sessions")
    with _customer(site, "city-clinic", pictures) as (_, take):
        take("skipped", "/accounts/city-clinic/dead-letters")
        take("customer-recording", f"/recordings/{scene.lost}")
    with _customer(site, "northwind", pictures) as (page, take):
        take("permissions", "/accounts/northwind/permissions")
        take("numbers", "/accounts/northwind/numbers")
        take("recordings", "/accounts/northwind/recordings")
        _save_leeds(page, site, server, take)
        take("server", "/accounts/northwind.leeds/server")


@contextmanager
def _customer(site: Site, account_id: str, pictures: Path) -> Iterator[tuple[Page, "_Camera"]]:
    login = f"it@{account_id}.example"
    site.user(login, account_id)
    with site.signed_in(login) as page:
        yield page, _Camera(page, site.url, pictures, site.courier.folder)


def _is_told(page: Page, url: str) -> bool:
    page.goto(url)
    return "it@harbour.example sent" in " ".join(page.locator("main").inner_text().split())


def _save_leeds(page: Page, site: Site, server: AsyncSshServer, take: "_Camera") -> None:
    page.goto(f"{site.url}/accounts/northwind.leeds/ftp")
    page.get_by_label("Password").fill("not the password")
    _fill_leeds(page, server.customer)
    page.get_by_role("button", name="Test and save").click()
    expect(page.locator("#result .test.done")).to_be_visible()
    take("settings-refused")
    page.get_by_label("Password").fill(server.password)
    page.get_by_role("button", name="Test and save").click()
    expect(page.locator("[data-saved]")).to_be_visible()
    take("settings-saved")


_PLAIN_PLACES = """folder => {
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode;
        if (node.data.includes(folder)) node.data = node.data.replaceAll(folder, "/recordings");
    }
}"""


@dataclass
class _Camera:
    page: Page
    url: str
    folder: Path
    recordings: Path
    """Where the test keeps them; pictures name a plainer place."""

    def __call__(self, name: str, path: str | None = None) -> None:
        if path is not None:
            self.page.goto(f"{self.url}{path}")
        self.page.evaluate(_PLAIN_PLACES, str(self.recordings))
        self.page.evaluate("scrollTo(0, 0)")  # or what sticks to the screen stands in the middle
        size = self.page.viewport_size
        is_phone = size is not None and size["width"] == PHONE[0]
        picture = self.folder / f"{name}.png"
        self.page.screenshot(path=picture, full_page=not is_phone, animations="disabled")
        assert picture.stat().st_size > 10_000


@contextmanager
def _folder_server(folder: Path) -> Iterator[AsyncSshServer]:
    folder.mkdir()
    with AsyncSshServer(folder, username="recordings", logon=("keyboard-interactive",)) as server:
        yield server


def _fill_leeds(page: Page, server: CustomerServer) -> None:
    page.get_by_label("Protocol").select_option(label="SFTP")
    page.get_by_label("Logon Type").select_option(label="Interactive")
    page.locator("#host").fill("localhost")
    page.get_by_label("Port").fill(str(server.port))
    page.get_by_label("Username").fill(server.username)
    page.get_by_label("Path").fill("calls/leeds")
    page.get_by_label("Email Alerts").fill("it@northwind.example, leeds@northwind.example")


@dataclass(frozen=True)
class _Scene:
    lost: str
    """The id of a recording that was given up."""


def _two_days(courier: Platform) -> None:
    """Sums for the charts, with an outage of four hours in them."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    counted = {}
    for ago in range(1, 48):
        is_out = 14 <= ago <= 17
        number = 0 if is_out else 900 + 37 * (ago * 29 % 17) + (2600 if ago == 13 else 0)
        took = Counter(
            {"2": number // 2, "3": number * 2 // 5, "12" if ago == 13 else "5": number // 10}
        )
        failed = Counter(customer=44 if is_out else ago % 5, network=ago % 7 // 2)
        oldest = 3600.0 * (18 - ago) if is_out else 8.0 + ago % 9
        counted[ALL, now - timedelta(hours=ago)] = Sums(
            number, number * 480_000, 0, 3 * is_out, failed, took, oldest
        )
    courier.core.ledger.hours.add(counted)


def _set_the_scene(site: Site, server: AsyncSshServer) -> _Scene:
    """One account delivers, one is suspended, one paused, one has a dead letter, one is new."""
    courier = site.courier
    directory = courier.core.directory
    site.user("operator", None)
    good: dict[str, Any] = {"path": "calls", "host": "localhost", "logon_type": "interactive"}
    away: dict[str, Any] = {"path": "calls", "host": "localhost", "port": 9}
    away["email_alerts"] = ("it@harbour.example",)
    for account_id in ("northwind", "city-clinic", "lakeside"):
        courier.account(account_id, server.customer, Protocol.SFTP, **good)
    courier.account("harbour", server.customer, Protocol.SFTP, **away)
    names = {
        "northwind": "Northwind Energy",
        "city-clinic": "City Clinic",
        "lakeside": "Lakeside Legal",
        "harbour": "Harbour Taxis",
    }
    for account_id, name in names.items():
        directory.rename(account_id, name)
    directory.create("northwind.leeds", name="Leeds office", parent="northwind", ftp_access=True)
    directory.create("northwind.york", name="York office", parent="northwind")
    directory.create("fernhill", name="Fernhill Estates")
    for index, method in enumerate(DeliveryMethod):
        directory.set_number(Number(f"+44163296000{index}", "northwind", method))
    delivered = [
        courier.publish("northwind", courier.recording(f"20261123-14{minute:02}_01632960001.wav"))
        for minute in (5, 12, 31, 48)
    ]
    for recording_id in delivered:
        courier.wait_status(recording_id, "delivered")
    lost = courier.publish("city-clinic", courier.folder / "20261123-0911_01632960044.wav")
    courier.wait_status(lost, "dead_lettered")
    courier.core.ledger.accounts.pause("lakeside")
    courier.publish("lakeside", courier.recording("20261123-1127_01632960077.wav"))
    for minute in range(3):
        courier.publish("harbour", courier.recording(f"20261123-150{minute}_01632960055.wav"))
    courier.wait_state("harbour", "suspended")
    _two_days(courier)
    return _Scene(lost)
