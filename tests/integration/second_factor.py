"""A second factor as a person sets it up, and signs in with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import httpx
import pyotp

from config.audit import Entry
from config.signins import BY_CODE
from tests.integration.console import PASSWORD, Browser, Console, serving
from tests.integration.platform import Platform
from worker.console.access import CSRF_HEADER, SESSION_COOKIE

PAGE = "/second-factor"


def code(secret: str) -> str:
    """The code of the next step of time: it stays good while a busy machine takes its time."""
    totp = pyotp.TOTP(secret)
    return totp.generate_otp(totp.timecode(datetime.now(UTC)) + 1)


def let_time_pass(console: Console) -> None:
    """The last code that was taken is one of long ago."""
    console.platform.core.database["users"].update_many(
        {"factor": {"$exists": True}}, {"$set": {"factor.step": 1}}
    )


def lengthen_waits(console: Console) -> None:
    console.platform.core.database["signins"].update_many(
        {"_id": {"$regex": "^code:"}, "tries": {"$gte": BY_CODE.free}},
        [{"$set": {"open_at": {"$add": ["$$NOW", 600_000]}}}],
    )


def begun(browser: Browser) -> str:
    """The secret of a set-up that was begun, as people type it into an authenticator."""
    page = browser.send_form(PAGE, do="begin", current=PASSWORD)
    assert page.status_code == 200, page.text
    assert "<svg" in page.text
    return page.text.split('<code class="secret">')[1].split("<")[0].replace(" ", "")


def codes_of(page: httpx.Response) -> list[str]:
    parts = page.text.split('<ul class="codes">')[1].split("</ul>")[0].split("<code>")[1:]
    return [part.split("<")[0] for part in parts]


def rotated(console: Console, browser: Browser) -> None:
    """Forms come from the pages of the session that the browser has now."""
    session = console.services.sessions.read(browser.cookies[SESSION_COOKIE])
    assert session is not None
    browser.csrf = session.csrf
    browser.headers[CSRF_HEADER] = session.csrf


def set_up(console: Console, login: str = "anna") -> tuple[str, list[str]]:
    """The secret of a second factor, and its recovery codes."""
    browser = console.browser(login)
    secret = begun(browser)
    page = browser.send_form(PAGE, do="enable", code=code(secret))
    assert page.status_code == 200, page.text
    let_time_pass(console)
    return secret, codes_of(page)


def halfway(console: Console, login: str = "anna") -> tuple[httpx.Client, str]:
    """A browser whose password was right, and the token of the form for the code."""
    client = console.nobody()
    answer = client.post("/sign-in", data={"login": login, "password": PASSWORD})
    assert answer.headers["location"] == "/sign-in/code"
    page = client.get("/sign-in/code")
    return client, page.text.split('name="csrf" value="')[1].split('"')[0]


def enter(client: httpx.Client, csrf: str, given: str) -> httpx.Response:
    return client.post("/sign-in/code", data={"code": given, "csrf": csrf})


def is_signed_in(client: httpx.Client) -> bool:
    return client.get("/accounts/acme").status_code == 200


def entries(console: Console, action: str) -> list[Entry]:
    return [each for each in console.services.audit.list(None, 100) if each.action == action]


@contextmanager
def served(courier: Platform) -> Iterator[Console]:
    """The console with anna, of the account acme, and an operator."""
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("anna", "acme")
        console.user("admin", None)
        yield console
