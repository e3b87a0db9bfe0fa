"""The way of an alert to the on-call: rules, Alertmanager as compose has it, an e-mail."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.request import urlopen

import pytest

from deploy.local.customers import SmtpSink
from deploy.local.customers.mail import Mail
from deploy.local.install import program
from deploy.local.processes import Child, free_port
from deploy.prometheus.runbook import RULES
from tests.faults.watch import FACTOR, scaled
from tests.integration.platform import until
from tests.servers.prometheus import Prometheus

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "compose" / "alertmanager.yaml"
LIMIT = 180.0
SHORTER = {"group_wait: 30s": "group_wait: 1s", "group_interval: 5m": "group_interval: 1s"}
AT_WORK = b'courier_workers{state="ready"} 1\ncourier_workers{state="degraded"} 0\n'


@pytest.fixture
def alertmanager(tmp_path: Path, smtp_sink: SmtpSink) -> Iterator[str]:
    """The address of one with the compose file's configuration; only it waits less."""
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    changes = {"mailpit:1025": f"127.0.0.1:{smtp_sink.port}", **SHORTER}
    text = CONFIGURATION.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (folder / "alertmanager.yaml").write_text(text)
    address = f"127.0.0.1:{free_port()}"
    child = Child("Alertmanager", _command(folder, address), folder / "alertmanager.log")
    try:
        child.start()
        until(lambda: _is_ready(child, address), "Alertmanager to be ready", LIMIT)
        yield address
    finally:
        child.kill()


def _command(folder: Path, address: str) -> list[str]:
    path = program("prometheus-alertmanager")
    assert path is not None, "Alertmanager is missing: run `make setup-tests`"
    return [
        str(path),
        f"--config.file={folder / 'alertmanager.yaml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    ]


def _is_ready(child: Child, address: str) -> bool:
    child.check()
    try:
        with urlopen(f"http://{address}/-/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def worker(port: int) -> Iterator[None]:
    """What Prometheus sees of one that is at work."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(AT_WORK)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()


def told_of(mail: Mail, subject: str) -> bool:
    return subject in str(mail.message["Subject"])


def test_the_on_call_gets_an_e_mail_when_an_alert_fires_and_one_when_it_ends(
    tmp_path: Path, alertmanager: str, smtp_sink: SmtpSink
) -> None:
    rules = [tmp_path / file.name for file in RULES.glob("*.yaml")]
    for file in rules:
        file.write_text(scaled((RULES / file.name).read_text(), FACTOR))
    port = free_port()

    def told(subject: str) -> bool:
        return any(told_of(mail, subject) for mail in smtp_sink.messages)

    with Prometheus(tmp_path / "prometheus", [f"127.0.0.1:{port}"], rules, [alertmanager]):
        until(lambda: told("[FIRING:1] CourierNoWorker"), "an e-mail that it fires", LIMIT)
        with worker(port):
            until(lambda: told("[RESOLVED] CourierNoWorker"), "an e-mail that it ended", LIMIT)
    mail = next(each for each in smtp_sink.messages if told_of(each, "[FIRING:1] CourierNoWorker"))
    assert mail.recipients == ("oncall@courier.example",)
    body = mail.message.get_body()
    assert body is not None
    assert "No worker of Courier runs." in body.get_content()
    assert "RUNBOOK.md#couriernoworker" in body.get_content()
