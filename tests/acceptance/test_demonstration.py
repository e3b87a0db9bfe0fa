"""`make run`, stopped in the middle."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.roots import CHECKOUT
from tests.snippets import snippet

LIMIT = 120.0
PROGRAM = """
import sys
from pathlib import Path
from deploy.local import demo, demo_stage
demo_stage.HOME = Path(sys.argv.pop(1))
sys.exit(demo.main())
"""
"""The demonstration in a folder of its own, for one may run in this checkout meanwhile."""


def by_command(folder: Path, *words: str) -> Any:
    """What the program says to who stands in the demonstration's folder."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COURIER_")
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker", *words],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_story_that_is_stopped_before_its_end_is_no_success(
    amqp_url: str, mongodb_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    services = {"COURIER_AMQP_URL": amqp_url, "COURIER_MONGODB_URL": mongodb_url}
    with snippet(
        PROGRAM,
        tmp_path / "demo",
        "--once",
        environment={**os.environ, **services},
        stderr=subprocess.STDOUT,
    ) as story:
        assert story.stdout is not None
        told = ""
        while "Started in" not in told:
            line = story.stdout.readline()
            assert line, told
            told += line
        assert by_command(tmp_path / "demo", "status", "--json")["workers"]
        story.send_signal(number)
        rest, _ = story.communicate(timeout=LIMIT)
    assert story.returncode == 130, told + rest
    assert "Stopped." in rest
    assert not (tmp_path / "demo" / ".env").exists()
    assert "Traceback" not in rest
