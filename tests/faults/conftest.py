"""The stage of each fault, and the record of the run that the table is made from."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pytest
from pyftpdlib.handlers import FTPHandler

from deploy.local.customers import PyFtpServer, SmtpSink
from deploy.local.services import Services
from tests.faults.report import RECORD, Seen
from tests.faults.scene import LEASE, Scene, scene
from tests.integration.platform import platform, settings_for

Tell = Callable[[str], None]


class MakeScene(Protocol):
    """Makes the stage; what is named differs from the settings of these tests."""

    def __call__(self, **changes: Any) -> Scene: ...


@pytest.fixture
def make_scene(
    amqp_url: str, mongodb_url: str, services: Services, smtp_sink: SmtpSink, tmp_path: Path
) -> Iterator[MakeScene]:
    with ExitStack() as stack:

        def make(**changes: Any) -> Scene:
            values = {
                "retry_delays": (0.0, 0.2, 0.4, 0.8),
                "suspend_seconds": 2.0,
                "lease_seconds": LEASE,
                **changes,
            }
            settings = settings_for(amqp_url, mongodb_url, smtp_sink.url, **values)
            place = stack.enter_context(platform(settings, tmp_path / "recordings"))
            return stack.enter_context(scene(place, services, tmp_path))

        yield make


@pytest.fixture
def ground(make_scene: MakeScene) -> Scene:
    """The stage with the settings of these tests."""
    return make_scene()


@pytest.fixture
def prompt_ftp(tmp_path: Path) -> Iterator[PyFtpServer]:
    """An FTP server that refuses a wrong password at once; pyftpdlib waits 3 s by itself."""

    class Prompt(FTPHandler):  # type: ignore[misc]
        auth_failed_timeout = 0

    (tmp_path / "prompt").mkdir()
    with PyFtpServer(tmp_path / "prompt", handler=Prompt) as server:
        yield server


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Keeps a sentence on what was seen, for the table."""

    def keep(sentence: str) -> None:
        request.node.user_properties.append(("seen", sentence))

    return keep


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Every test of this folder leaves a line; what a run does not try keeps its last one."""
    if "tests/faults/test_" not in report.nodeid or (report.when != "call" and report.passed):
        return
    if hasattr(report, "node"):
        return  # of a worker of this run, which has written it
    RECORD.parent.mkdir(exist_ok=True)
    seen = [text for name, text in report.user_properties if name == "seen"]
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    line = Seen(report.nodeid, report.outcome, round(report.duration, 1), [*map(str, seen)], today)
    with RECORD.open("a") as record:
        record.write(json.dumps(line._asdict()) + "\n")
