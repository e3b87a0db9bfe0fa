"""`make upgrade FROM=COMMIT`: old and new workers beside each other, the old replaced under load.

The old commit is unpacked into .courier/upgrade, with a virtual environment of its own; this
checkout is the new version. Recordings are published all the while, a server fails and comes back,
a file dies and is replayed, an old worker is killed and starts again beside the new ones. At last
every recording is accounted for. Writes docs/upgrade.md; ends with 0 only if all of it held.
"""

import argparse
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from urllib.request import urlopen

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from deploy.local.folders import STATE
from deploy.local.processes import Child, ServiceError, free_port
from deploy.local.services import services
from tests.faults.accounting import Account
from tests.faults.scene import ROOT, Scene, environment, scene
from tests.integration.platform import platform, settings_for, until

HOME = STATE / "upgrade"
REPORT = ROOT / "docs" / "upgrade.md"
NEW = Path(sys.executable).with_name("courier")
SAVED = {"acme": Protocol.SFTP, "globex": Protocol.FTP}
COPIES = 12
"""Of each of these, so that every worker owns some account."""
SECONDS_BETWEEN = 0.05
DELIVERED_EACH = 10
"""Files that each worker has to deliver in each part of the story."""
LIMIT = 180.0
LEASE = 21.0
INTERRUPTED = 130


def main() -> int:
    """0 where all of it held."""
    parser = argparse.ArgumentParser(prog="make upgrade", description=__doc__)
    parser.add_argument("commit", nargs="?", default="HEAD~1", help="the version to come from")
    commit = parser.parse_args().commit
    logging.disable()  # what the libraries tell of the server that is stopped
    try:
        old = git("rev-parse", "--short", "--verify", "--quiet", f"{commit}^{{commit}}")
    except subprocess.CalledProcessError:
        say(f"{commit!r} is no commit of this repository: name one, make upgrade FROM=COMMIT.")
        return 1
    versions = f"from {old} to {git('describe', '--always', '--dirty')}"
    began = time.monotonic()
    told: list[str] = []
    try:
        problem = tell_story(old, told)
    except KeyboardInterrupt:
        say("Stopped: nothing was written down.")
        return INTERRUPTED
    write(versions, told, problem, time.monotonic() - began)
    say(problem or f"All of it held: {REPORT.relative_to(ROOT)} tells it.")
    return 1 if problem else 0


def say(text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%T')}  {text}", flush=True)  # noqa: T201 - what it is run for


def tell_story(old: str, told: list[str]) -> str | None:
    """What was seen is added to `told`; what went wrong, or None."""
    try:
        for line in story(unpacked(old)):
            say(line)
            told.append(line)
    except (AssertionError, ServiceError, OSError, subprocess.SubprocessError) as error:
        return str(error) or type(error).__name__
    return None


def unpacked(commit: str) -> Path:
    """The old version's program, with what it was released with; kept for the next time."""
    folder = HOME / commit
    program = folder / ".venv" / "bin" / "courier"
    if program.exists():
        return program
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", commit], cwd=ROOT, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "--extract", "--directory", folder], input=archive, check=True)
    pip = (str(folder / ".venv/bin/pip"), "install", "-qq", "--disable-pip-version-check")
    for command in (
        (sys.executable, "-m", "venv", str(folder / ".venv")),
        (*pip, "--require-hashes", "--requirement", str(folder / "requirements-runtime.txt")),
        (*pip, "--no-deps", str(folder)),
    ):
        subprocess.run(command, check=True)
    return program


def story(old: Path) -> Iterator[str]:
    """What is done, a line for each thing that was seen. Raises AssertionError."""
    with stage(old) as play:
        yield from play.both_at_work()
        yield from play.an_outage()
        yield from play.a_dead_letter()
        yield from play.an_old_one_killed()
        yield from play.commands_of_both()
        yield from play.all_replaced()
        yield from play.accounted()


@contextmanager
def stage(old: Path) -> Iterator["Play"]:
    """Everything the story needs, and the pipeline that publishes."""
    with (
        tempfile.TemporaryDirectory() as name,
        services() as running,
        SmtpSink() as mail,
        AsyncSshServer(made(Path(name) / "sftp")) as sftp,
        PyFtpServer(made(Path(name) / "ftp")) as ftp,
    ):
        settings = settings_for(
            running.amqp_url,
            running.mongodb_url,
            mail.url,
            retry_delays=(0.0, 0.3, 0.6, 1.0),
            suspend_seconds=5.0,
            lease_seconds=LEASE,
        )
        folder = Path(name)
        with (
            platform(settings, folder / "recordings") as place,
            scene(place, running, folder, quiet=True) as ground,
        ):
            play = Play(ground, old, folder, sftp, ftp, mail)
            try:
                yield play
            finally:
                play.end()


def made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@dataclass
class Runner:
    """`courier run` of one of the two versions."""

    program: Path
    name: str
    folder: Path
    environment: dict[str, str]
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}.log"
        bind = {"COURIER_METRICS_BIND": f"127.0.0.1:{self.port}"}
        argv = [str(self.program), "run", "--no-console"]
        self.child = Child(self.name, argv, self.log, {**self.environment, **bind})

    def start(self) -> None:
        """Start it, and wait until it is at work."""
        self.child.start()
        until(self.is_ready, f"{self.name} to be ready", LIMIT)

    def is_ready(self) -> bool:
        self.child.check()
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5):
                return True
        except OSError:
            return False

    def delivered(self) -> int:
        """How many recordings it has delivered, by its own log."""
        return sum(is_delivery(line) for line in self.log.read_text().splitlines())

    def faults(self) -> list[str]:
        """What it did not foresee."""
        lines = self.log.read_text().splitlines()
        return [line for line in lines if "program_failed" in line or "Traceback" in line]


def is_delivery(line: str) -> bool:
    """Whether a line of a log says so; both versions tell it in the same words."""
    return '"file_ended"' in line and '"delivered"' in line


@dataclass
class Play:
    """The story's parts, in their order."""

    ground: Scene
    old: Path
    folder: Path
    sftp: AsyncSshServer
    ftp: PyFtpServer
    mail: SmtpSink
    runners: list[Runner] = field(default_factory=list)
    retired: list[Runner] = field(default_factory=list)

    def __post_init__(self) -> None:
        given = environment(self.ground.platform.core.settings)
        self.environment = {**given, "COURIER_LOG_FORMAT": "json"}
        self._ended = threading.Event()
        self._pipeline = threading.Thread(target=self._publish, name="pipeline", daemon=True)

    # --- the parts ----------------------------------------------------------------------------

    def both_at_work(self) -> Iterator[str]:
        """Accounts saved by the old version, which works alone; then a new worker beside it."""
        for account_id, protocol in SAVED.items():
            self._save(account_id, protocol)
            self._copy(account_id)
        for number in (1, 2):
            self._start(self.old, f"old-{number}")
        self._pipeline.start()
        self._all_deliver()
        count = len(self.ground.accounts)
        yield f"{count} accounts stored by the old version, two old workers deliver"
        self._start(NEW, "new-1")
        self._all_deliver()
        yield "a new worker beside them: each of the three delivers"

    def an_outage(self) -> Iterator[str]:
        """Both versions count the same failures, and both recover what was suspended."""
        self.sftp.stop()
        self.ground.platform.wait_state("acme", "suspended", LIMIT)
        self.sftp.start()
        self.ground.platform.wait_state("acme", "active", LIMIT)
        until(lambda: self.mail.messages, "an alert", LIMIT)
        yield "a server away for a while: suspended and recovered, counted by both versions"

    def a_dead_letter(self) -> Iterator[str]:
        """A row that the new version marks as having been dead, worked by either."""
        account = self.ground.accounts["globex"]
        source = self.ground.platform.folder / "late.wav"
        name = self.ground.platform.publish("globex", source, recording_id="late.wav")
        self.ground.platform.wait_status(name, "dead_lettered", LIMIT)
        source.write_bytes(b"late " * 5000)
        account.published[name] = source.read_bytes()
        self._command(NEW, "dead-letters", "replay", "--recording", name)
        self.ground.platform.wait_status(name, "delivered", LIMIT)
        yield "a dead letter replayed by the new version, delivered"

    def an_old_one_killed(self) -> Iterator[str]:
        """As an orchestrator does in the midst of a rollout."""
        killed = self.runners[0]
        killed.child.kill()
        self._all_deliver(besides=killed)
        killed.start()
        self._all_deliver()
        yield "an old worker killed, and started again on what the new one has stored"

    def commands_of_both(self) -> Iterator[str]:
        """What one version has written the other one lists."""
        for program in (self.old, NEW):
            for words in (("status",), ("accounts", "show", "acme"), ("deliveries", "list")):
                json.loads(self._command(program, *words, "--json"))
            told = json.loads(self._command(program, "status", "--json"))
            assert told["workers"] == len(self.runners), told
        yield "`status`, `accounts show` and `deliveries list` of both read what both have written"

    def all_replaced(self) -> Iterator[str]:
        """One after the other, as the runbook tells."""
        for number, old in enumerate(self.runners[:2], start=2):
            old.child.stop()
            self.runners.remove(old)
            self.retired.append(old)
            self._start(NEW, f"new-{number}")
            self._all_deliver()
        yield "the old workers stopped one after the other, a new one for each: all deliver"

    def accounted(self) -> Iterator[str]:
        """Every recording once, and no fault of the program in any log."""
        self._ended.set()
        self._pipeline.join()
        self.ground.wait_delivered(limit=LIMIT)
        tally = self.ground.account_for_all()
        assert tally.delivered == tally.published, str(tally)
        for runner in (*self.runners, *self.retired):
            assert not runner.faults(), f"{runner.name}: {runner.faults()[0]}"
        each = [f"{each.name} {each.delivered()}" for each in (*self.retired, *self.runners)]
        yield f"{tally.published} recordings, each delivered once: {', '.join(each)}"
        yield "no fault of the program in any log; epochs and claims in order by MongoDB's own log"

    def end(self) -> None:
        """Nothing of it runs any more."""
        self._ended.set()
        for runner in (*self.runners, *self.retired):
            runner.child.kill()

    # --- what they are made of ----------------------------------------------------------------

    def _save(self, account_id: str, protocol: Protocol) -> None:
        server = self.ftp.customer if protocol is Protocol.FTP else self.sftp.customer
        self._command(self.old, "accounts", "create", account_id, "--ftp-access")
        where = ("--protocol", protocol.value, "--host", server.host, "--port", str(server.port))
        who = ("--username", server.username, "--password-stdin", "--path", account_id)
        mail = ("--email-alerts", f"it@{account_id}.example")
        words = ("accounts", "set", account_id, *where, *who, *mail)
        self._command(self.old, *words, stdin=server.password)
        self.ground.accounts[account_id] = Account(account_id, server.root / account_id)

    def _copy(self, account_id: str) -> None:
        """More accounts of the same server, as the old version has stored that one."""
        stored = self.ground.platform.core.database["accounts"]
        document = stored.find_one({"_id": account_id}) or {}
        root = self.ground.accounts[account_id].folder.parent
        for number in range(COPIES):
            name = f"{account_id}-{number}"
            settings = {**document["settings"], "path": name}
            stored.insert_one({**document, "_id": name, "settings": settings})
            self.ground.accounts[name] = Account(name, root / name)

    def _start(self, program: Path, name: str) -> None:
        runner = Runner(program, name, self.folder, self.environment)
        self.runners.append(runner)
        runner.start()

    def _command(self, program: Path, *words: str, stdin: str = "") -> str:
        done = subprocess.run(
            [program, *words],
            env={**os.environ, **self.environment},
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, f"courier {' '.join(words)}: {done.stderr}"
        return done.stdout

    def _publish(self) -> None:
        for account_id in cycle(list(self.ground.accounts)):
            if self._ended.wait(SECONDS_BETWEEN):
                return
            self.ground.publish(account_id)

    def _all_deliver(self, besides: Runner | None = None) -> None:
        """Wait until all have delivered some more: those that own accounts do."""
        before = {each.name: each.delivered() for each in self.runners}

        def some_more() -> bool:
            return all(
                each is besides or each.delivered() >= before[each.name] + DELIVERED_EACH
                for each in self.runners
            )

        until(some_more, "each worker to deliver some more", LIMIT)


# --- what is written down -------------------------------------------------------------------------


def write(versions: str, told: Sequence[str], problem: str | None, seconds: float) -> None:
    """The last result, with its date."""
    result = f"**failed**: {problem}" if problem else "all of it held"
    lines = [
        "# Old and new versions beside each other",
        "",
        "`make upgrade FROM=COMMIT` runs `courier run` of that commit and of this checkout on one",
        "RabbitMQ and one MongoDB, publishes recordings all the while, and",
        "replaces the old workers by new ones. The last result, written by the command:",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, {versions}: {result}, in {seconds:.0f} s",
        f"on {os.cpu_count()} cores.",
        "",
        *(f"- {line}" for line in told),
    ]
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def git(*arguments: str) -> str:
    """What git says. Raises CalledProcessError where it refuses."""
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
