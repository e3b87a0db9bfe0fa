"""Commands that look wait for no library that they do not use, nor for a thread at their end."""

import subprocess
import sys

import pytest
from pymongo.synchronous import monitor

from worker import mongodb

SLOW = (
    *("kombu", "pika", "fastapi", "jinja2", "paramiko", "opentelemetry", "smtplib", "h11"),
    *("argon2", "dotenv", "phonenumbers", "email.headerregistry", "rich.live", "rich.progress"),
    *("cryptography.x509", "transports.backends", "transports.sources.source", "consumers.observe"),
)


@pytest.mark.parametrize(
    "group",
    [
        *("accounts", "dead_letters", "deliveries", "numbers", "queue", "status", "tokens", "top"),
        "users",
    ],
)
def test_a_command_that_looks_loads_nothing_of_the_broker_or_the_console(group: str) -> None:
    code = (
        f"import sys, worker.cli, worker.cli.{group}; "
        f"print([name for name in {SLOW!r} if name in sys.modules])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert told.stdout.strip() == "[]"


def test_a_command_that_looks_has_no_settings_of_accounts_checked() -> None:
    code = (
        "import worker.cli.status, config.accounts as a, config.ftp_settings as f; "
        "print([m.__pydantic_complete__ for m in (a.Account, f.FtpSettings, f.FtpSettingsInput)])"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert told.stdout.strip() == "[False, False, False]"


def test_the_driver_still_has_the_hook_that_is_taken_from_the_end_of_a_process() -> None:
    assert callable(monitor._shutdown_resources)
    mongodb.end_at_once()
