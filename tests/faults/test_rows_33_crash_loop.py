"""Every worker that uploads a certain file dies of it."""

import json
import subprocess
import sys
from typing import Any

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.faults.accounting import files_below
from tests.faults.conftest import Tell
from tests.faults.scene import ROOT, Scene, Worker, environment
from tests.integration.platform import until

BLOCK = "transports.sources.source:FileSource._next_block"
MOST_DEATHS = 6
"""The first start may be lost beside others; then five of them alone."""


def start_and_die(ground: Scene, poison: str) -> Worker:
    """A worker that is killed in the middle of the file's upload."""
    worker = ground.start(ground.point(BLOCK, "after", about=poison))
    worker.wait_end()
    return worker


def courier(ground: Scene, *arguments: str) -> str:
    """What the command prints."""
    done = subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        env={**environment(ground.platform.core.settings), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout


def listed(ground: Scene, reason: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        courier(ground, "dead-letters", "list", "--reason", reason, "--json")
    )
    return found


def test_row_33_a_file_that_every_worker_dies_of_is_a_dead_letter_and_the_others_are_delivered(
    ground: Scene, customer: AsyncSshServer, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ground.customer("beta", customer.customer, Protocol.SFTP)
    (poison,) = ground.publish("acme")
    healthy = [*ground.publish("acme", 5), *ground.publish("beta", 5)]
    for _ in range(MOST_DEATHS):
        start_and_die(ground, poison)
    ground.start(ground.point(BLOCK, "after", about=poison))
    row = ground.platform.wait_status(poison, "dead_lettered")
    ground.wait_delivered(*healthy)
    until(lambda: not parts_left(customer), "the .part of the killed starts to be removed")
    ground.account_for_all()
    assert (row["reason"], row["tries"]) == ("crash-loop", 0)
    assert row["lost"] == {"starts": MOST_DEATHS, "alone": MOST_DEATHS - 1, "files": 1}
    assert ground.platform.run_state("acme").failures == 0
    headers, _ = ground.platform.messages("dead-letters.acme")[0]
    assert (headers["x-courier-reason"], headers["x-courier-tries"]) == ("crash-loop", 0)
    _is_found_and_comes_back(ground, poison)
    tell(f"dead letter after {MOST_DEATHS} deaths, 10 others delivered, no try and no failure")


def _is_found_and_comes_back(ground: Scene, poison: str) -> None:
    """By then no worker dies of it any more."""
    assert [each["recording_id"] for each in listed(ground, "crash-loop")] == [poison]
    assert listed(ground, "file") == []
    ground.workers[-1].kill()
    courier(ground, "dead-letters", "replay", "--reason", "crash-loop")
    assert "lost" not in ground.platform.row(poison)
    ground.start()
    ground.wait_delivered(poison)
    ground.account_for_all()


def parts_left(server: AsyncSshServer) -> bool:
    return any(path.suffix == ".part" for path in files_below(server.root))
