"""docs/pipeline.md: each of its examples is run as it stands, and its facts are the program's."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pika
import pytest

from config.accounts import Protocol
from consumers.amqp import topology
from consumers.intake import asyncapi
from consumers.intake.events import RecordingReady
from consumers.intake.reasons import Reason
from consumers.trace import TraceContext
from deploy.local.customers import PyFtpServer
from deploy.local.processes import inherited
from tests.integration.platform import MakeCourier, Platform, running
from tests.snippets import CHECKOUT

PAGE = (CHECKOUT / "docs" / "pipeline.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = {
    next(name for name in ("pika", "kombu") if name in text): text
    for kind, text in BLOCKS
    if kind == "python"
}
LIMIT = 120


@dataclass(frozen=True)
class Author:
    """Somebody with the page, a broker, and a file that the workers can read."""

    courier: Platform
    folder: Path

    @property
    def amqp_url(self) -> str:
        return self.courier.core.settings.amqp_url.get_secret_value()

    def python(self, text: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run an example that publishes."""
        return self._run([sys.executable, "-W", "error", "-c", text, *map(str, arguments)])

    def shell(self, text: str, **variables: str) -> str:
        """Run commands, each of which must end with 0; what they print."""
        done = self._run(["bash", "-euo", "pipefail", "-c", text], **variables)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        settings = self.courier.core.settings
        own = {
            "PATH": f"{self._programs()}:{os.environ['PATH']}",
            "PYTHONPATH": str(CHECKOUT),
            "AMQP_URL": self.amqp_url,
            "COURIER_AMQP_URL": self.amqp_url,
            "COURIER_MONGODB_URL": settings.mongodb_url.get_secret_value(),
        }
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**inherited(), **own, **variables},
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )

    def _programs(self) -> Path:
        """A folder with `courier`, of this checkout and not of another one."""
        folder = self.folder / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "courier"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m worker "$@"\n')
        program.chmod(0o755)
        return folder


@pytest.fixture
def author(make_courier: MakeCourier, tmp_path: Path) -> Author:
    return Author(make_courier(), tmp_path)


@pytest.fixture
def at_work(author: Author) -> Iterator[Path]:
    """The service, and an account whose server is there; a recording."""
    root = author.folder / "ftp"
    root.mkdir()
    with PyFtpServer(root) as ftp, running(author.courier):
        author.courier.account("acme", ftp.customer, Protocol.FTP)
        recording = author.folder / "call.wav"
        recording.write_bytes(b"RIFF" * 1000)
        yield recording


def test_the_page_has_the_examples_that_are_tested_here() -> None:
    assert set(PYTHON) == {"pika", "kombu"}
    assert [kind for kind, _ in BLOCKS].count("bash") == 4
    assert {kind for kind, _ in BLOCKS} == {"json", "bash", "python"}


def test_the_event_of_the_page_is_the_documents_example_and_its_fields_are_all_there() -> None:
    [event] = [json.loads(text) for kind, text in BLOCKS if kind == "json"]
    assert event == asyncapi.EXAMPLE
    table = PAGE[: PAGE.index("Leave out")]
    for name in RecordingReady.model_fields:
        assert re.search(rf"^\| .*`{name}`.* \|", table, re.MULTILINE), name


def test_the_page_has_every_reason_and_no_other() -> None:
    told = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert {str(each): each.meaning for each in Reason}.items() <= told.items()
    assert {name for name in told if "-" in name} <= {str(each) for each in Reason}


@pytest.mark.parametrize("library", ["pika", "kombu"])
def test_an_example_in_python_publishes_what_is_delivered(
    author: Author, at_work: Path, library: str
) -> None:
    done = author.python(PYTHON[library], at_work, "acme")
    assert done.returncode == 0, done.stderr
    row = author.courier.wait_status(done.stdout.strip(), "delivered")
    assert row["account_id"] == "acme"
    assert TraceContext.read(row["traceparent"]) is not None


@pytest.mark.parametrize("library", ["pika", "kombu"])
def test_an_example_in_python_ends_with_an_error_where_no_queue_takes_the_event(
    author: Author, library: str
) -> None:
    source = author.folder / "call.wav"
    source.write_bytes(b"RIFF")
    connection = pika.BlockingConnection(pika.URLParameters(author.amqp_url))
    connection.channel().exchange_declare(topology.RECORDINGS.name, "topic", durable=True)
    connection.close()
    done = author.python(PYTHON[library], source, "acme")
    assert done.returncode != 0
    assert "No queue took the event" in done.stderr or "UnroutableError" in done.stderr
    assert "ResourceWarning" not in done.stderr


def test_the_commands_of_the_page_do_what_it_says(author: Author, at_work: Path) -> None:
    told = []
    recording_id = ""
    for text in [text for kind, text in BLOCKS if kind == "bash"]:
        told.append(author.shell(text, RECORDING=str(at_work), RECORDING_ID=recording_id))
        recording_id = recording_id or next(iter(re.findall(r"^(\S+) delivered", told[-1])), "")
    schemas, published, shown, invalid = told
    assert schemas == ""
    assert json.loads((author.folder / "recording-ready.schema.json").read_text())["title"]
    assert json.loads((author.folder / "courier.asyncapi.json").read_text())["asyncapi"] == "3.0.0"
    assert "delivered" in published
    found = json.loads(shown.splitlines()[-1])
    assert (found["recording_id"], found["status"]) == (recording_id, "delivered")
    assert "published again" in invalid
