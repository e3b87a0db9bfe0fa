"""The program of a test, and its platform."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.customers import SmtpSink
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
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
        yield Stage(core, messaging)
