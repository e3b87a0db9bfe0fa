"""The console as a browser and a program see it: a real server, real cookies, real tokens."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pymongo.database import Database

from config.accounts import FtpSettings
from config.environment import PREFIX
from config.signins import BY_ADDRESS, BY_LOGIN
from config.tokens import Tokens
from config.users import Users
from tests.integration.platform import Platform, until
from worker.console.access import CSRF_HEADER, SESSION_COOKIE
from worker.console.server import ConsoleServer
from worker.console.services import Services
from worker.core import open_messaging

PASSWORD = "correct horse battery"
LIMIT = 120.0


def lengthen_waits(database: Database[Any]) -> None:
    """Whoever has used up the free tries waits for minutes: longer than any machine is busy."""
    for kind, limit in (("login|device", BY_LOGIN), ("address", BY_ADDRESS)):
        database["signins"].update_many(
            {"_id": {"$regex": f"^({kind}):"}, "tries": {"$gte": limit.free}},
            [{"$set": {"open_at": {"$add": ["$$NOW", 600_000]}}}],
        )


class Browser(httpx.Client):
    """Signed in; every request comes from the console's own pages."""

    csrf = ""

    def send_form(self, page: str, /, **fields: str) -> httpx.Response:
        """Submit a form of a page."""
        return self.post(page, data={**fields, "csrf": self.csrf})

    def notice(self, form: str, /, **fields: str) -> str:
        """Submit a form, and read the sentence that the next page tells."""
        answer = self.send_form(form, **fields)
        assert answer.status_code == 303, answer.text
        page = self.get(answer.headers["location"])
        assert page.status_code == 200
        assert "notice" in page.text
        return page.text.split('<p class="notice')[1].split(">")[1].split("<")[0]


@dataclass
class Console:
    """A running console over a platform."""

    platform: Platform
    url: str
    services: Services
    _stack: ExitStack

    def user(self, login: str, account_id: str | None, *, read_only: bool = False) -> None:
        """Somebody who may sign in."""
        password = SecretStr(PASSWORD)
        self.services.users.create(login, account_id, password, read_only=read_only)

    def browser(self, login: str) -> Browser:
        """Signed in as this user."""
        browser = self.unused_browser()
        form = {"login": login, "password": PASSWORD}
        answer = browser.post("/sign-in", data=form)
        assert answer.status_code == 303, answer.text
        session = self.services.sessions.read(answer.cookies[SESSION_COOKIE])
        assert session is not None
        browser.csrf = session.csrf
        browser.headers[CSRF_HEADER] = session.csrf
        return browser

    def unused_browser(self) -> Browser:
        """One that has not signed in yet."""
        browser = Browser(base_url=self.url, headers={"Origin": self.url}, timeout=LIMIT)
        self._stack.callback(browser.close)
        return browser

    def nobody(self) -> httpx.Client:
        """A browser without a session."""
        client = httpx.Client(base_url=self.url, headers={"Origin": self.url}, timeout=LIMIT)
        self._stack.callback(client.close)
        return client

    def program(self, account_id: str | None) -> httpx.Client:
        """With a token of the account, or of the provider."""
        return self.bearer(self.services.tokens.create("test", account_id)[1].get_secret_value())

    def bearer(self, secret: str) -> httpx.Client:
        """With this token."""
        client = httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {secret}"},
            timeout=LIMIT,
        )
        self._stack.callback(client.close)
        return client

    def settings(self, account_id: str) -> FtpSettings | None:
        """What is stored."""
        return self.platform.core.directory.get(account_id).settings

    def actions(self, account_id: str | None) -> list[str]:
        """What the audit has of changes of the account, the newest first; not who signed in."""
        found = self.services.audit.list(None if account_id is None else [account_id], 100)
        actions = [entry.action for entry in found]
        return [each for each in actions if not each.startswith(("session.", "sign-in."))]

    def tested(self, browser: Browser, account_id: str, fragment: str) -> str:
        """The last fragment of a test of settings that was begun."""
        if 'class="test done"' in fragment:
            return fragment
        run_id = fragment.split("/ftp/tests/")[1].split('"', maxsplit=1)[0]

        def look() -> str:
            text = browser.get(f"/accounts/{account_id}/ftp/tests/{run_id}").text
            return text if 'class="test done"' in text else ""

        found: str = until(look, "the test of the settings to end", LIMIT)
        return found


@contextmanager
def serving(platform: Platform) -> Iterator[Console]:
    """The console over the platform, from start to stop."""
    platform.core.ledger.ensure_indexes()
    with ExitStack() as stack:
        messaging = stack.enter_context(open_messaging(platform.core, _unheard))
        server = ConsoleServer("127.0.0.1:0", platform.core, messaging)
        server.start()
        stack.callback(server.stop)
        host, port = server.address
        yield Console(platform, f"http://{host}:{port}", server.services, stack)


def commands_reach(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that are called in this process have the platform's settings, and no others.

    What chooses the services of the tests is no setting of the program's.
    """
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    settings = platform.core.settings
    monkeypatch.setenv("COURIER_AMQP_URL", settings.amqp_url.get_secret_value())
    monkeypatch.setenv("COURIER_MONGODB_URL", settings.mongodb_url.get_secret_value())
    monkeypatch.setenv("COURIER_SECRET_KEYS", settings.secret_keys[0].get_secret_value())
    monkeypatch.chdir(platform.folder)


def tokens_of(platform: Platform) -> Tokens:
    """The tokens, where no console runs in this process."""
    return Tokens(platform.core.database, platform.core.directory.find)


def users_of(platform: Platform) -> Users:
    """The users, where no console runs in this process."""
    return Users(platform.core.database, platform.core.directory.find)


def _unheard(_observation: Any) -> None: ...
