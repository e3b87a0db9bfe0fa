"""`make neighbours MINUTES=60`: 20 accounts on one real sshd, of which one has a wrong password.

The sshd is OpenSSH 10 of Debian 13 with its default settings: PerSourcePenalties shuts an address
out after failed logins, and loopback is one. Four workers, with the default settings as well. Twice
somebody else at our address fails to log in until sshd shuts it out: no account may suffer from
that either. Writes docs/neighbours.md; ends with 0 only if all of it held.
"""

import argparse
import contextlib
import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from config.accounts import Protocol
from config.ftp_settings import FtpSettings
from consumers.delivery.login_errors import BLOCKED
from deploy.local import debian
from deploy.local.customers import SmtpSink
from deploy.local.processes import ServiceError
from deploy.local.services import services
from tests.faults.scene import ROOT, Scene, scene
from tests.integration.platform import platform, settings_for
from tests.servers import TrixieSshd
from transports import backends
from transports.base import Egress, Limits
from transports.errors import LoginRefused, TransferError

REPORT = ROOT / "docs" / "neighbours.md"
BEGIN, END = "<!-- neighbours -->", "<!-- /neighbours -->"
ACCOUNTS = 20
WORKERS = 4
WRONG = "account-07"
EACH_SECONDS = 20.0
"""Between two recordings of an account: longer than its login is kept."""
STRANGERS_LOGINS = 8
SHUT_OUT = "drop connection"
"""How sshd's log tells of a connection that it has ended before the greeting."""
LIMIT = 600.0
INTERRUPTED = 130


def main() -> int:
    """0 where all of it held."""
    parser = argparse.ArgumentParser(prog="make neighbours", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    minutes = parser.parse_args().minutes
    logging.disable()
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
            Path(folder).chmod(0o755)
            hour = prepare(Path(folder), stack)
            hour.run(minutes * 60)
            told = hour.account()
    except KeyboardInterrupt:
        say("Stopped: nothing was written down.")
        return INTERRUPTED
    except (AssertionError, ServiceError) as error:
        say(f"It did not hold: {error}")
        return 1
    write(told, time.monotonic() - began)
    return 0


def say(text: str) -> None:
    """A line with the time."""
    print(f"{time.strftime('%T')}  {text}", flush=True)  # noqa: T201 - what it is run for


def prepare(folder: Path, stack: ExitStack) -> "Hour":
    """The services, the server, the accounts and the workers, all at work."""
    running = stack.enter_context(services())
    mail = stack.enter_context(SmtpSink())
    settings = settings_for(running.amqp_url, running.mongodb_url, mail.url)
    place = stack.enter_context(platform(settings, folder / "recordings"))
    ground = stack.enter_context(scene(place, running, folder, quiet=True))
    server = stack.enter_context(TrixieSshd(folder / "sshd"))
    hour = Hour(ground, server, mail)
    hour.set_up()
    return hour


@dataclass
class Hour:
    """What is published and what is counted."""

    ground: Scene
    server: TrixieSshd
    mail: SmtpSink
    blocked_seen: set[str] = field(default_factory=set)
    """Accounts whose people were told that the server has shut us out."""
    bans: int = 0
    strangers_refused: int = 0

    @property
    def accounts(self) -> Sequence[str]:
        return [f"account-{number:02}" for number in range(ACCOUNTS)]

    @property
    def well(self) -> Sequence[str]:
        """All but the one."""
        return [each for each in self.accounts if each != WRONG]

    def set_up(self) -> None:
        for name in self.accounts:
            password = "wrong" if name == WRONG else None
            alerts = (f"it@{name}.example",)
            facts = self.server.customer
            self.ground.customer(name, facts, Protocol.SFTP, password=password, email_alerts=alerts)
        for _ in range(WORKERS):
            self.ground.start()
        say(f"{ACCOUNTS} accounts on {self.version}, {WORKERS} workers")

    @property
    def version(self) -> str:
        """As the server tells it."""
        command = [*debian.wrapper(debian.make("trixie", "openssh-server")), "/usr/sbin/sshd", "-V"]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        return (told.stdout + told.stderr).partition(",")[0].strip().replace("_", " ")

    def run(self, seconds: float) -> None:
        """Publish for so long; twice in between somebody else has the address shut out."""
        began = time.monotonic()
        due = {name: began + EACH_SECONDS * n / ACCOUNTS for n, name in enumerate(self.accounts)}
        strangers = [began + seconds * part for part in (0.35, 0.7)]
        tell_at = began
        while (now := time.monotonic()) < began + seconds:
            for name in [name for name, at in due.items() if at <= now]:
                self.ground.publish(name)
                due[name] += EACH_SECONDS
            if strangers and now >= strangers[0]:
                del strangers[0]
                self._ban()
            self._look()
            if now >= tell_at:
                tell_at += 300
                say(self._line())
            time.sleep(0.5)

    def _ban(self) -> None:
        """Somebody else's wrong passwords from our address."""
        self.bans += 1
        facts = self.server.customer
        settings = FtpSettings(
            protocol=Protocol.SFTP,
            host=facts.host,
            port=facts.port,
            username=facts.username,
            host_keys=(str(facts.host_key),),
        )
        before = self.strangers_refused
        for _ in range(STRANGERS_LOGINS):
            with contextlib.suppress(TransferError):
                self._guess(settings)
        say(f"somebody else was refused {self.strangers_refused - before} times")

    def _guess(self, settings: FtpSettings) -> None:
        try:
            backends.connect(settings, SecretStr("guess"), Limits(), Egress()).close()
        except LoginRefused:
            self.strangers_refused += 1

    def _look(self) -> None:
        for name, run in self.ground.platform.core.ledger.accounts.read_all().items():
            if run.last_error is not None and run.last_error.words.startswith(BLOCKED):
                self.blocked_seen.add(name)

    def _line(self) -> str:
        rows = self.ground.rows().values()
        done = sum(row["status"] == "delivered" for row in rows)
        return f"{done} of {len(rows)} delivered; {self.count(SHUT_OUT)} connections shut out"

    def count(self, words: str) -> int:
        """Lines of the server's log with these words."""
        return sum(words in line for line in self._log().splitlines())

    def _log(self) -> str:
        return self.server.log.read_text(errors="replace")

    def account(self) -> list[str]:
        """What was seen. Raises AssertionError where somebody suffered."""
        ids = [name for each in self.well for name in self.ground.accounts[each].published]
        self.ground.wait_delivered(*ids, limit=LIMIT)
        self.ground.account_for_all()
        rows = [row for row in self.ground.rows().values() if row["account_id"] != WRONG]
        runs = self.ground.platform.core.ledger.accounts.read_all()
        suffered = [name for name in self.well if runs[name].suspensions or runs[name].failures]
        assert not suffered, f"failed or suspended: {suffered}"
        tried = [row["_id"] for row in rows if row["tries"]]
        assert not tried, f"a try was counted: {tried}"
        wrong = runs[WRONG]
        told = {to for mail in self.mail.messages for to in mail.recipients}
        assert told <= {f"it@{WRONG}.example"}, f"mailed: {told}"
        waits = sorted((row["delivered_at"] - row["created_at"]).total_seconds() for row in rows)
        return [
            (
                f"{self.version}, PerSourcePenalties and all else as it comes; {ACCOUNTS} accounts,"
                f" {WORKERS} workers, a recording each {EACH_SECONDS:.0f} s of each account"
            ),
            (
                f"{len(rows)} recordings of {len(self.well)} accounts, each delivered at its first"
                " try; none failed, was suspended or mailed"
            ),
            (
                f"from the event to the place {waits[len(waits) // 2]:.1f} s at the median,"
                f" {waits[-1]:.0f} s at the most (while the address was shut out)"
            ),
            (
                f"the wrong password: {wrong.failures} failures, {wrong.suspensions} suspensions,"
                f" {len(self.mail.messages)} mails, {self._logins_of_wrong()} logins"
            ),
            (
                f"{self.count('Accepted password')} logins accepted,"
                f" {self.count(SHUT_OUT)} connections shut out by sshd, after {self.bans} times"
                f" {STRANGERS_LOGINS} logins of somebody else's at our address"
            ),
            f"told of that meanwhile: {len(self.blocked_seen)} accounts",
        ]

    def _logins_of_wrong(self) -> int:
        return self.count("Failed password") - self.strangers_refused


def write(told: Sequence[str], seconds: float) -> None:
    """Replace what stands between the marks of the document."""
    lines = "\n".join(f"- {each}" for each in told)
    day = datetime.now(UTC).date().isoformat()
    text = REPORT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    found = f"{day}, {seconds / 60:.0f} minutes:\n\n{lines}\n"
    REPORT.write_text(f"{head}{BEGIN}\n{found}{END}{tail}", encoding="utf-8")
    for each in told:
        say(each)


if __name__ == "__main__":
    sys.exit(main())
