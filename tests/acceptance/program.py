"""The program as a user starts it: a process, its environment, what it prints."""

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.settings import Settings
from worker.cli import app

LIMIT = 120.0


@dataclass(frozen=True)
class Answer:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed on stdout, which must be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The one line on stderr with which it refused."""
        return self.told(1)

    def told(self, code: int) -> str:
        """The one line on stderr of a command that ended with this code."""
        assert self.code == code, self
        assert "Traceback" not in self.err, self.err
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        return lines[0]


@dataclass
class Program:
    """`python -m worker` with the settings of one test."""

    folder: Path
    settings: dict[str, str]
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def __call__(self, *arguments: object, stdin: str = "", **changes: str | None) -> Answer:
        """Run a command to its end; changes are settings without their prefix, None: not set."""
        return self.end(self.start(*arguments, **changes), stdin)

    def ok(self, *arguments: object, stdin: str = "", **changes: str | None) -> Answer:
        """The same, for what must work."""
        answer = self(*arguments, stdin=stdin, **changes)
        assert answer.code == 0, answer
        return answer

    def inside(self, *arguments: object, stdin: str = "", **changes: str | None) -> Answer:
        """The same in this process, which saves the second that its start takes."""
        out, err = io.StringIO(), io.StringIO()
        with (
            patch.dict(os.environ, self.environment(changes), clear=True),
            patch.object(sys, "stdin", io.StringIO(stdin)),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ending,
        ):
            app([*map(str, arguments)], prog_name="courier")
        return Answer(int(ending.value.code or 0), out.getvalue(), err.getvalue())

    def refuses(self, *arguments: object, stdin: str = "", **changes: str | None) -> str:
        """A command that must be refused: its sentence."""
        return self.inside(*arguments, stdin=stdin, **changes).sentence

    def misused(self, *arguments: object, stdin: str = "") -> str:
        """A command whose options cannot be: its sentence."""
        return self.inside(*arguments, stdin=stdin).told(2)

    def core_settings(self) -> Settings:
        """The same broker, database and key, for a look from this process."""
        return Settings(
            amqp_url=SecretStr(self.settings["AMQP_URL"]),
            mongodb_url=SecretStr(self.settings["MONGODB_URL"]),
            secret_keys=(SecretStr(self.key),),
        )

    def start(self, *arguments: object, **changes: str | None) -> subprocess.Popen[str]:
        """Start a command; the caller ends it."""
        return subprocess.Popen(
            command_of(arguments),
            cwd=self.folder,
            env=self.environment(changes),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def start_logged(
        self, log: Path, *arguments: object, **changes: str | None
    ) -> subprocess.Popen[bytes]:
        """The same, for what tells more than a pipe holds: all it prints is in the log."""
        with log.open("wb") as output:
            return subprocess.Popen(
                command_of(arguments),
                cwd=self.folder,
                env=self.environment(changes),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    def end(self, process: subprocess.Popen[str], stdin: str = "") -> Answer:
        """Wait for a command that was started."""
        with ended(process):
            out, err = process.communicate(stdin, LIMIT)
        return Answer(process.returncode, out, err)

    @contextmanager
    def running(self, **changes: str | None) -> Iterator[subprocess.Popen[str]]:
        """`courier run` from its start until SIGTERM, after which it must end with 0."""
        process = self.start("run", METRICS_BIND="127.0.0.1:0", **changes)
        with ended(process):
            yield process
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=LIMIT)
            assert process.returncode == 0, err
            assert "Traceback" not in err, err

    def environment(self, changes: dict[str, str | None]) -> dict[str, str]:
        """Of the command's process."""
        kept = {name: os.environ[name] for name in os.environ if not name.startswith("COURIER_")}
        own = {"SECRET_KEYS": self.key, "CONSOLE_BIND": "127.0.0.1:0"}
        settings = {**own, **self.settings, **changes}
        given = {f"COURIER_{name}": value for name, value in settings.items() if value is not None}
        path = str(Path(__file__).parents[2])
        return {**kept, **given, "PYTHONPATH": path, "PYTHONUTF8": "1"}


def command_of(arguments: tuple[object, ...]) -> list[str]:
    """The program with these arguments."""
    return [sys.executable, "-W", "error", "-m", "worker", *map(str, arguments)]


@contextmanager
def ended(process: subprocess.Popen[Any]) -> Iterator[None]:
    """Whatever happens inside, the process and its pipes are gone afterwards."""
    with process:
        try:
            yield
        finally:
            process.kill()
