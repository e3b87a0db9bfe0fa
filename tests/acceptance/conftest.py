"""The program of a test, and its platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from deploy.local.customers import SmtpSink
from tests.acceptance.program import Program
from tests.acceptance.site import Site, launched, serving_site
from tests.acceptance.stage import Stage
from tests.integration.platform import settings_for
from worker.core import open_core, open_messaging


@pytest.fixture
def courier(amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path) -> Program:
    """`courier` with a broker and a database of the test's own."""
    folder = tmp_path / "courier"
    folder.mkdir()
    urls = {"AMQP_URL": amqp_url, "MONGODB_URL": mongodb_url, "SMTP_URL": smtp_sink.url}
    return Program(folder, urls)


@pytest.fixture
def stage(courier: Program) -> Iterator[Stage]:
    """The same broker and database, to prepare and to look at."""
    with (
        open_core(courier.core_settings()) as core,
        open_messaging(core, lambda _: None) as messaging,
    ):
        core.ledger.ensure_indexes()
        yield Stage(core, messaging)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for all tests of a file."""
    with launched() as browser:
        yield browser


@pytest.fixture
def site(
    amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path, chromium: Browser
) -> Iterator[Site]:
    """A running courier with its console, and Chromium in front of it."""
    settings = settings_for(
        amqp_url, mongodb_url, smtp_sink.url, console_bind="127.0.0.1:0", retry_delays=(0,)
    )
    with serving_site(settings, tmp_path / "recordings", chromium) as served:
        yield served
