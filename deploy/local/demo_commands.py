"""What the demonstration asks of the program, by its own commands."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

LIMIT = 120.0
"""How long a command, or what the story waits for, may take, in seconds."""


class DemoFailed(Exception):
    """The story did not come to its end; the text says where."""


def run(
    environment: Mapping[str, str], *words: str, stdin: str = "", expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    """`courier WORDS`. Raises DemoFailed where its exit code is not `expect` (None: any)."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", *words],
        env=environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if expect is not None and done.returncode != expect:
        raise DemoFailed(f"courier {' '.join(words)}: {done.stderr.strip()}")
    return done


def publish(environment: Mapping[str, str], account_id: str, recordings: list[Path]) -> None:
    """Publish an event for each recording."""
    run(environment, "publish", *(str(path) for path in recordings), "--account", account_id)


def deliveries(environment: Mapping[str, str], status: str) -> list[dict[str, Any]]:
    """What stands in the ledger with that status."""
    words = ("deliveries", "list", "--status", status, "--limit", "1000", "--json")
    rows: list[dict[str, Any]] = json.loads(run(environment, *words).stdout)
    return rows


def account_in(
    environment: Mapping[str, str], account_id: str, state: str
) -> dict[str, Any] | None:
    """The account, or None while it is in another state."""
    account = _account(environment, account_id)
    return account if account["state"] == state else None


def queued(environment: Mapping[str, str], account_id: str) -> int:
    """The number of its files that wait."""
    queued: int = _account(environment, account_id)["queued"]
    return queued


def _account(environment: Mapping[str, str], account_id: str) -> dict[str, Any]:
    account: dict[str, Any] = json.loads(
        run(environment, "accounts", "show", account_id, "--json").stdout
    )
    return account


def wait(holds: Callable[[], Any], limit: float, what: str) -> Any:
    """What holds, once it does. Raises DemoFailed after `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.2)
    raise DemoFailed(f"Waited {limit:.0f} seconds in vain for {what}.")
