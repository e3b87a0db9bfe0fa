"""Where the demonstration plays: services, customers' servers, and the program itself."""

import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pika
from cryptography.fernet import Fernet
from pymongo import MongoClient

from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from deploy.local.demo_commands import DemoFailed, run, wait
from deploy.local.folders import STATE
from deploy.local.processes import Child, free_port
from deploy.local.services import Services, services

SUSPEND_SECONDS = 8
_START_LIMIT = 60.0

HOME = STATE / "demo"
SFTP_CUSTOMER, FTP_CUSTOMER = "acme", "globex"


@dataclass(frozen=True)
class Cast:
    """Who takes part: the customers' servers, the mail server, and the program's environment."""

    sftp: AsyncSshServer
    ftp: PyFtpServer
    mail: SmtpSink
    environment: dict[str, str]


@contextmanager
def stage() -> Iterator[tuple[Services, Cast]]:
    """Services and customers. Raises DemoFailed on a broker where a courier runs already."""
    shutil.rmtree(HOME, ignore_errors=True)
    roots = [HOME / name for name in (SFTP_CUSTOMER, FTP_CUSTOMER)]
    for root in roots:
        root.mkdir(parents=True)
    with ExitStack() as stack:
        running = stack.enter_context(services())
        _refuse_live_platform(running.amqp_url)
        mongodb_url = stack.enter_context(_own_database(running.mongodb_url))
        sftp = stack.enter_context(
            AsyncSshServer(roots[0], logon=("password", "keyboard-interactive"))
        )
        ftp = stack.enter_context(PyFtpServer(roots[1]))
        mail = stack.enter_context(SmtpSink())
        cast = Cast(sftp, ftp, mail, _environment(running.amqp_url, mongodb_url, mail))
        stack.enter_context(_settings_file(cast.environment))
        try:
            yield running, cast
        finally:
            for name in (SFTP_CUSTOMER, FTP_CUSTOMER):
                run(cast.environment, "accounts", "remove", name, "--discard-files", expect=None)


@contextmanager
def _own_database(url: str) -> Iterator[str]:
    """A database of this run, dropped at the end: the server may be one that was given."""
    name = f"courier_demo_{secrets.token_hex(4)}"
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        _drop_database(url, name)


def _drop_database(url: str, name: str) -> None:
    with MongoClient[dict[str, Any]](url) as client:
        client.drop_database(name)


def _refuse_live_platform(amqp_url: str) -> None:
    """Raises DemoFailed where somebody takes the pipeline's events from a broker that was given."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    try:
        intake = connection.channel().queue_declare("recordings.ready", passive=True).method
    except pika.exceptions.ChannelClosedByBroker:
        return  # the queue is not there, so nobody takes from it
    finally:
        connection.close()
    if intake.consumer_count:
        raise DemoFailed(
            "A courier runs on the broker of COURIER_AMQP_URL, and the demonstration would take "
            "its recordings: give it a virtual host of its own, or unset COURIER_AMQP_URL."
        )


def _environment(amqp_url: str, mongodb_url: str, mail: SmtpSink) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COURIER_")}
    return {
        **kept,
        "COURIER_AMQP_URL": amqp_url,
        "COURIER_MONGODB_URL": mongodb_url,
        "COURIER_SMTP_URL": mail.url,
        "COURIER_SECRET_KEYS": Fernet.generate_key().decode(),
        "COURIER_ALERT_FROM": "alerts@courier.example",
        "COURIER_SUSPEND_SECONDS": str(SUSPEND_SECONDS),
        "COURIER_RETRY_DELAYS": "0,0.3,0.6,1",
        "COURIER_METRICS_BIND": f"127.0.0.1:{free_port()}",
        "COURIER_CONSOLE_BIND": f"127.0.0.1:{free_port()}",
        "COURIER_LOG_FORMAT": "json",
    }


@contextmanager
def _settings_file(environment: Mapping[str, str]) -> Iterator[None]:
    """The program's settings as a file that commands in this folder read, while it runs."""
    settings = [
        f"{name}={value}" for name, value in environment.items() if name.startswith("COURIER_")
    ]
    path = HOME / ".env"
    path.touch(mode=0o600)  # it has the keys
    path.write_text("\n".join([*settings, ""]))
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def courier(cast: Cast) -> Iterator[Path]:
    """`courier run`, as an operator starts it; its log goes to a file."""
    log = HOME / "courier.log"
    argv = [sys.executable, "-m", "worker", "run"]
    process = Child("courier", argv, log, env=cast.environment)
    process.start()
    try:
        wait(lambda: _is_ready(process, cast), _START_LIMIT, f"courier run to be ready; see {log}")
        yield log
    finally:
        process.stop()


def _is_ready(process: Child, cast: Cast) -> bool:
    process.check()
    try:
        with urlopen(f"http://{metrics(cast)}/readyz", timeout=5):
            return True
    except OSError:
        return False


def metrics(cast: Cast) -> str:
    """The address of the metrics."""
    return cast.environment["COURIER_METRICS_BIND"]
