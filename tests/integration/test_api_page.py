"""docs/api.md: each of its examples is run as it stands, and answers as the page prints it."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer
from deploy.local.customers.facts import new_password
from deploy.local.processes import free_port, inherited
from tests.integration.console import tokens_of
from tests.integration.platform import MakeCourier, Platform, until
from tests.snippets import CHECKOUT
from worker.service import Service

PAGE = (CHECKOUT / "docs" / "api.md").read_text(encoding="utf-8")
BLOCKS: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
HOST, PORT, USERNAME = "sftp.acme.example", 22, "courier"
[PASSWORD] = set(re.findall(r'"password": "(a secret[^"]+)"', PAGE))
NUMBER, NAME = "+441632960001", "20261123-140500_01632960001.wav"
LOST = ("0b7d9a41", "0b7d9a42", "0b7d9a43")
LIMIT = 120
VARYING = [
    re.compile(each)
    for each in (
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
        r"SHA256:[A-Za-z0-9+/]{43}",
        r"[0-9a-f]{16}",
        r"courier_[0-9a-f]{16}_[A-Za-z0-9_-]{43}",
    )
]
"""Of what the page prints an example, and each run has its own."""


def examples() -> Iterator[tuple[str, str]]:
    """The commands of each block, and what stands beneath it: their answers."""
    for (kind, text), (_, printed) in pairwise(BLOCKS):
        if kind == "bash":
            yield text, printed


def differences(printed: Any, answered: Any, where: str = "") -> Iterator[str]:
    """What is not as printed. Only objects may have more than that."""
    match printed, answered:
        case dict(), dict():
            for name, value in printed.items():
                if name not in answered:
                    yield f"{where}.{name} is not there"
                else:
                    yield from differences(value, answered[name], f"{where}.{name}")
        case list(), list():
            if len(printed) != len(answered):
                yield f"{where} has {len(answered)} elements: {answered}"
            for at, (one, other) in enumerate(zip(printed, answered, strict=False)):
                yield from differences(one, other, f"{where}[{at}]")
        case str(), str() if any(
            each.fullmatch(printed) and each.fullmatch(answered) for each in VARYING
        ):
            pass
        case _ if printed != answered:
            yield f"{where} is {answered!r}"


def answers(text: str) -> list[Any]:
    """The JSON values of a text, one behind the other."""
    found, at = [], 0
    while at < len(text):
        value, at = json.JSONDecoder().raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


@dataclass(frozen=True)
class Reader:
    """Somebody who has the page, a token of the service provider, and a shell."""

    courier: Platform
    service: Service
    server: CustomerServer
    folder: Path

    def environment(self) -> dict[str, str]:
        console, metrics = self.service.console_address, self.service.health_address
        assert console is not None
        assert metrics is not None
        _, secret = tokens_of(self.courier).create("guide", None)
        return {
            **inherited(),
            "API": f"http://{console[0]}:{console[1]}/api/v1",
            "METRICS": f"http://{metrics[0]}:{metrics[1]}",
            "TOKEN": secret.get_secret_value(),
        }

    def run(self, command: list[str]) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def shell(self, text: str) -> str:
        """Run the commands of a block, at the server of this test."""
        here = f'"host": "{self.server.host}", "port": {self.server.port}'
        text = text.replace(f'"host": "{HOST}"', here)
        return self.run(["bash", "-euo", "pipefail", "-c", text])

    def as_printed(self, answered: str) -> list[Any]:
        """The answers, with the names that the page has."""
        there = answered.replace(f'"port":{self.server.port}', f'"port":{PORT}')
        return answers(there.replace(f'"host":"{self.server.host}"', f'"host":"{HOST}"'))

    def settle(self) -> None:
        """Wait until no file of an account that delivers is on its way."""
        rows = self.courier.core.database["deliveries"]
        moving = {"account_id": "acme", "status": {"$in": ["queued", "uploading"]}}
        until(lambda: rows.count_documents(moving) == 0, "the files to come to rest")

    def publish(self) -> None:
        """The recordings that the page speaks of."""
        courier = self.courier
        courier.publish(
            "acme",
            courier.recording(NAME, b"x" * 480_044),
            recording_id="8f6c2f0e",
            number=NUMBER,
            recorded_at="2026-11-23T14:05:00Z",
        )
        for recording_id in LOST:
            gone = courier.folder / f"{recording_id}.wav"
            courier.publish("acme", gone, recording_id=recording_id, number=NUMBER)
            courier.wait_status(recording_id, "dead_lettered")


@pytest.fixture
def reader(make_courier: MakeCourier, tmp_path: Path) -> Iterator[Reader]:
    courier = make_courier(console_bind="127.0.0.1:0", retry_delays=(0,))
    service = Service(courier.core, console=True)
    folder = tmp_path / "customer"
    folder.mkdir()
    with AsyncSshServer(folder, username=USERNAME, password=PASSWORD) as server:
        service.start()
        try:
            until(service.is_ready, "the service to be ready")
            yield Reader(courier, service, server.customer, tmp_path)
        finally:
            service.stop(hurry=threading.Event())


def test_every_example_answers_as_it_is_printed(reader: Reader) -> None:
    is_published, told = False, []
    for text, printed in examples():
        if "/deliveries" in text and not is_published:
            reader.publish()
            is_published = True
        if "state=suspended" in text:
            suspend(reader.courier)
        reader.settle()
        answered = reader.shell(text)
        expected = answers(printed) if printed.startswith(("{", "[")) else printed
        found = reader.as_printed(answered) if printed.startswith(("{", "[")) else answered
        told += [f"{text}{each}\n{answered}" for each in differences(expected, found)]
    assert not told, "\n".join(told)


def suspend(courier: Platform) -> None:
    """An account whose server is away."""
    nowhere = CustomerServer("127.0.0.1", free_port(), USERNAME, new_password(), courier.folder)
    courier.account("harbour", nowhere, Protocol.FTP)
    for at in range(3):
        courier.publish("harbour", courier.recording(f"{at}.wav"))
    courier.wait_state("harbour", "suspended")


def test_the_example_in_python_follows_the_pages(reader: Reader) -> None:
    [text] = [text for kind, text in BLOCKS if kind == "python"]
    for at in range(5):
        reader.courier.core.directory.create(f"acme-{at}")
    printed = reader.run([sys.executable, "-W", "error", "-c", text, "accounts?limit=2"])
    assert printed.split() == [f"acme-{at}" for at in range(5)]


def test_the_page_has_every_status_of_the_description_and_addresses_that_are_in_it(
    reader: Reader,
) -> None:
    described = json.loads(reader.shell('curl -sS "$API/openapi.json"'))["paths"]
    known = [re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))) for path in described]
    for address in re.findall(r"\$API(/[^\"?$ ]*[^\"?$ /])", PAGE):
        assert any(each.fullmatch(f"/api/v1{address}") for each in known), address
    acts = [act for path in described.values() for act in path.values()]
    statuses = {status for act in acts for status in act["responses"] if status >= "400"}
    assert not {status for status in statuses if f"**{status}**" not in PAGE}
