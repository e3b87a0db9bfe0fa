"""The console in Chromium: a running courier, and people who sign in to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from pydantic import SecretStr

from config.users import Users
from tests.integration.platform import Platform

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

    def user(self, login: str, account_id: str | None) -> None:
        users = Users(self.courier.core.database, self.courier.core.directory.find)
        users.create(login, account_id, SecretStr(PASSWORD))

    @contextmanager
    def signed_in(
        self, login: str, size: tuple[int, int] = DESKTOP, *, dark: bool = False
    ) -> Iterator[Page]:
        """A window in which this user has signed in; what its scripts complain of fails."""
        width, height = size
        context = self.chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            device_scale_factor=2 if size == PHONE else 1,
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
        page.get_by_label("Login").fill(login)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        yield page
        context.close()
        assert complaints == [], complaints
