"""The console in Chromium: a running courier, and people who sign in to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydantic import SecretStr

from config.settings import Settings
from config.users import Users
from tests.integration.platform import Platform, platform, until
from worker.service import Service

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PASSWORD = "correct horse battery"
WAIT_MS = 60_000
DESKTOP, PHONE = (1280, 860), (390, 844)


@contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium of its own, without a window."""
    if not Path(CHROMIUM).exists():
        pytest.exit(f"{CHROMIUM} is not on this machine: run `make test`.", returncode=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        expect.set_options(timeout=WAIT_MS)
        yield browser
        browser.close()


@dataclass
class Site:
    """A running courier and a browser in front of it."""

    courier: Platform
    url: str
    chromium: Browser

    def user(self, login: str, account_id: str | None, *, read_only: bool = False) -> None:
        users = Users(self.courier.core.database, self.courier.core.directory.find)
        users.create(login, account_id, SecretStr(PASSWORD), read_only=read_only)

    @contextmanager
    def signed_in(
        self,
        login: str,
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
        zone: str = "UTC",
        scripts: bool = True,
        language: str = "en-US",
    ) -> Iterator[Page]:
        """A window in which this user has signed in."""
        with self.window(size, dark=dark, zone=zone, scripts=scripts, language=language) as page:
            page.locator("input[name=login]").fill(login)
            page.locator("input[name=password]").fill(PASSWORD)
            page.keyboard.press("Enter")
            expect(page.locator("form[action='/sign-out'] button")).to_be_visible()
            yield page

    @contextmanager
    def window(
        self,
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
        zone: str = "UTC",
        scripts: bool = True,
        language: str = "en-US",
    ) -> Iterator[Page]:
        """A window at the sign-in; what its scripts complain of fails."""
        width, height = size
        context = self.chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            timezone_id=zone,
            device_scale_factor=2 if size == PHONE else 1,
            java_script_enabled=scripts,
            locale=language,
        )
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda line: complaints.append(line.text) if "Content Security" in line.text else None,
        )
        page.goto(self.url)
        yield page
        context.close()
        assert complaints == [], complaints


@contextmanager
def serving_site(settings: Settings, folder: Path, chromium: Browser) -> Iterator[Site]:
    """A running courier with its console, and Chromium in front of it."""
    with platform(settings, folder) as courier:
        service = Service(courier.core, console=True)
        service.start()
        try:
            until(service.is_ready, "the service to be ready")
            assert service.console_address is not None
            host, port = service.console_address
            yield Site(courier, f"http://{host}:{port}", chromium)
        finally:
            service.stop(threading.Event())


def back_to_list(page: Page) -> None:
    """Where an action took longer than a moment, its end is told on a page of its own."""
    if "/bulk-actions/" in page.url:
        page.get_by_role("link", name="Back to the list").click()
