"""`make run`: the whole service on this machine, with two customers, told as a short story.

The broker, the database, the customers' servers and the program are real; only the times are
short. `--once` ends after the story, with exit code 0 only if every sample was delivered: never
where it was stopped.
"""

import argparse
import json
import logging
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pika
from cryptography.fernet import Fernet
from pymongo import MongoClient
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer, SmtpSink
from deploy.local.customers.facts import new_password
from deploy.local.folders import STATE
from deploy.local.processes import Child, ServiceError, free_port
from deploy.local.samples import make_samples
from deploy.local.services import Services, services

SAMPLES = 20
DURING_OUTAGE = 6
DELIVERY_LIMIT = 120.0
SUSPEND_SECONDS = 8
START_LIMIT = 60.0
INTERRUPTED = 128 + signal.SIGINT
"""What a shell makes of a program that Ctrl-C ended."""

HOME = STATE / "demo"
SFTP_CUSTOMER, FTP_CUSTOMER = "acme", "globex"
ADMINISTRATOR = "admin"

console = Console(highlight=False)


class DemoFailed(Exception):
    """The story did not come to its end; the text says where."""


@dataclass(frozen=True)
class Cast:
    """Who takes part: the customers' servers, the mail server, and the program's environment."""

    sftp: AsyncSshServer
    ftp: PyFtpServer
    mail: SmtpSink
    environment: dict[str, str]


def main() -> int:
    """Tell the story; 0 where every sample was delivered."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # the customers' server that is cut
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end after the story")
    parser.add_argument("--picture", type=Path, help="draw what was shown into this SVG file")
    asked = parser.parse_args()
    console.record = asked.picture is not None
    once = asked.once or console.record
    try:
        code = _show(once=once)
    except (ServiceError, DemoFailed) as error:
        console.print(f"[bold red]✗[/] {error}")
        return 1
    except KeyboardInterrupt:
        console.print("\n[dim]Stopped.[/]")
        return INTERRUPTED if once else 0  # without --once it is how the story ends
    if console.record:
        _draw(asked.picture)
    return code


def _draw(path: Path) -> None:
    """The screen as a picture that needs nothing from the network: no web fonts."""
    without_fonts = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    path.parent.mkdir(parents=True, exist_ok=True)
    console.save_svg(str(path), title="make run ONCE=1", code_format=without_fonts)


def _show(*, once: bool) -> int:
    console.print(
        "[bold]Courier[/] brings call recordings to customers' own FTP and SFTP servers.\n"
    )
    began = time.monotonic()
    samples = make_samples(STATE / "samples", SAMPLES)
    with _stage() as (running, cast), _courier(cast) as log:
        _introduce(running, cast, time.monotonic() - began)
        _set_up_accounts(cast)
        delivered = _deliver_samples(cast, samples)
        _outage(cast, samples)
        _end(cast, log)
        if not once:
            _wait_for_ctrl_c()
    return 0 if delivered == len(samples) else 1


# --- the stage ------------------------------------------------------------------------------


@contextmanager
def _stage() -> Iterator[tuple[Services, Cast]]:
    shutil.rmtree(HOME, ignore_errors=True)
    roots = [HOME / name for name in (SFTP_CUSTOMER, FTP_CUSTOMER)]
    for root in roots:
        root.mkdir(parents=True)
    with ExitStack() as stack:
        with console.status("Starting RabbitMQ and MongoDB …"):
            running = stack.enter_context(services())
        _refuse_live_platform(running.amqp_url)
        mongodb_url = stack.enter_context(_own_database(running.mongodb_url))
        sftp = stack.enter_context(
            AsyncSshServer(roots[0], logon=("password", "keyboard-interactive"))
        )
        ftp = stack.enter_context(PyFtpServer(roots[1]))
        mail = stack.enter_context(SmtpSink())
        cast = Cast(sftp, ftp, mail, _environment(running.amqp_url, mongodb_url, mail))
        try:
            yield running, cast
        finally:
            for name in (SFTP_CUSTOMER, FTP_CUSTOMER):
                _run(cast, "accounts", "remove", name, "--discard-files", expect=None)


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
def _courier(cast: Cast) -> Iterator[Path]:
    """`courier run`, as an operator starts it; its log goes to a file."""
    log = HOME / "courier.log"
    argv = [sys.executable, "-m", "worker", "run"]
    process = Child("courier", argv, log, env=cast.environment)
    process.start()
    try:
        _wait(lambda: _is_ready(process, cast), START_LIMIT, f"courier run to be ready; see {log}")
        yield log
    finally:
        process.stop()


def _is_ready(process: Child, cast: Cast) -> bool:
    process.check()
    try:
        with urlopen(f"http://{_metrics(cast)}/readyz", timeout=5):
            return True
    except OSError:
        return False


# --- the story ------------------------------------------------------------------------------


def _introduce(running: Services, cast: Cast, seconds: float) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("[green]✓[/] RabbitMQ", _without_password(running.amqp_url))
    table.add_row("[green]✓[/] MongoDB", running.mongodb_url.split("?")[0])
    table.add_row("[green]✓[/] courier run", f"metrics on http://{_metrics(cast)}/metrics")
    table.add_row("[green]✓[/] SFTP customer", f"{SFTP_CUSTOMER}, {_address(cast.sftp.customer)}")
    table.add_row("[green]✓[/] FTP customer", f"{FTP_CUSTOMER}, {_address(cast.ftp.customer)}")
    console.print(table)
    console.print(f"[dim]Started in {seconds:.0f} s.[/]\n")


def _set_up_accounts(cast: Cast) -> None:
    _heading("1", "The customers' FTP settings, each saved after a real test upload")
    for name, customer, more in (
        (SFTP_CUSTOMER, cast.sftp.customer, ("--protocol", "sftp", "--logon-type", "interactive")),
        (FTP_CUSTOMER, cast.ftp.customer, ("--protocol", "ftp")),
    ):
        _run(cast, "accounts", "create", name, "--ftp-access")
        where = ("--host", customer.host, "--port", str(customer.port), "--path", "recordings")
        user = ("--username", customer.username, "--password-stdin")
        alerts = ("--email-alerts", f"it@{name}.example")
        done = _run(
            cast, "accounts", "set", name, *more, *where, *user, *alerts, stdin=customer.password
        )
        console.print(f"[bold]{name}[/]\n{_indented(done.stdout)}")
    console.print()


def _deliver_samples(cast: Cast, samples: list[Path]) -> int:
    _heading("2", f"{len(samples)} recordings are ready, and on their way")
    _publish(cast, SFTP_CUSTOMER, samples[::2])
    _publish(cast, FTP_CUSTOMER, samples[1::2])
    _watch(cast, len(samples), "delivered")
    delivered = _deliveries(cast, "delivered")
    _show_landed(cast, samples, delivered)
    return sum(_arrived_whole(cast, row, samples) for row in delivered)


def _outage(cast: Cast, samples: list[Path]) -> None:
    _heading("3", f"The SFTP server of {SFTP_CUSTOMER} goes down")
    cast.sftp.stop()
    _publish(cast, SFTP_CUSTOMER, samples[:DURING_OUTAGE])
    _publish(cast, FTP_CUSTOMER, samples[DURING_OUTAGE : 2 * DURING_OUTAGE])
    state = _wait(
        lambda: _state(cast, SFTP_CUSTOMER, "suspended"), DELIVERY_LIMIT, "the suspension"
    )
    console.print(
        f"  [yellow]suspended[/] after {state['consecutive_failures']} failures in a row: "
        f"{state['last_error']}.\n  {state['queued']} files wait, none is lost."
    )
    mail = cast.mail.wait_for(1)[0].message
    body = mail.get_content().strip()
    console.print(
        Panel(body, title=f"To {mail['To']}: {mail['Subject']}", title_align="left", width=100)
    )
    _wait(lambda: _queued(cast, FTP_CUSTOMER) == 0, DELIVERY_LIMIT, f"{FTP_CUSTOMER}'s files")
    console.print(f"  [green]{FTP_CUSTOMER}[/] is not slowed: all of its files have arrived.\n")
    _heading("4", "The server is back; nobody does anything else")
    cast.sftp.start()
    with console.status(f"The oldest file is tried when the {SUSPEND_SECONDS} seconds are over …"):
        _wait(lambda: _state(cast, SFTP_CUSTOMER, "active"), DELIVERY_LIMIT, "the recovery")
    console.print("  The oldest file was tried first and arrived: [green]active[/] again.")
    _watch(cast, SAMPLES + 2 * DURING_OUTAGE, "delivered, those of the outage included")


def _end(cast: Cast, log: Path) -> None:
    status = json.loads(_run(cast, "status", "--json").stdout)
    console.print(
        f"\n[bold green]Everything was delivered[/]: {status['queued']} files wait, "
        f"{status['dead_letters']} dead letters.\n"
    )
    table = Table.grid(padding=(0, 2))
    table.add_row("Files of the SFTP customer", _relative(cast.sftp.customer.root / "recordings"))
    table.add_row("Files of the FTP customer", _relative(cast.ftp.customer.root / "recordings"))
    table.add_row("Log of courier run", _relative(log))
    table.add_row("Metrics", f"http://{_metrics(cast)}/metrics")
    table.add_row("Web console", f"http://{cast.environment['COURIER_CONSOLE_BIND']}/")
    password = "…" if console.record else _administrator(cast)
    table.add_row("", f"sign in as {ADMINISTRATOR}, password {password}")
    console.print(table)


def _administrator(cast: Cast) -> str:
    """Make the service provider's first user, with a password of this run."""
    password = new_password()
    _run(cast, "users", "create", ADMINISTRATOR, "--password-stdin", stdin=password)
    return password


def _wait_for_ctrl_c() -> None:
    console.print("\nThe service keeps running. [bold]Ctrl-C[/] ends it.")
    while True:
        time.sleep(3600)


# --- what the story is made of ----------------------------------------------------------------


def _heading(number: str, text: str) -> None:
    console.print(f"[bold cyan]{number}[/] [bold]{text}[/]")


def _run(
    cast: Cast, *words: str, stdin: str = "", expect: int | None = 0
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "worker", *words],
        env=cast.environment,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=DELIVERY_LIMIT,
        check=False,
    )
    if expect is not None and done.returncode != expect:
        raise DemoFailed(f"courier {' '.join(words)}: {done.stderr.strip()}")
    return done


def _publish(cast: Cast, account_id: str, recordings: list[Path]) -> None:
    _run(cast, "publish", *(str(path) for path in recordings), "--account", account_id)


def _deliveries(cast: Cast, status: str) -> list[dict[str, Any]]:
    words = ("deliveries", "list", "--status", status, "--limit", "1000", "--json")
    rows: list[dict[str, Any]] = json.loads(_run(cast, *words).stdout)
    return rows


def _account(cast: Cast, account_id: str) -> dict[str, Any]:
    account: dict[str, Any] = json.loads(
        _run(cast, "accounts", "show", account_id, "--json").stdout
    )
    return account


def _state(cast: Cast, account_id: str, state: str) -> dict[str, Any] | None:
    account = _account(cast, account_id)
    return account if account["state"] == state else None


def _queued(cast: Cast, account_id: str) -> int:
    queued: int = _account(cast, account_id)["queued"]
    return queued


def _watch(cast: Cast, total: int, what: str) -> None:
    """A progress bar until so many files are delivered."""
    columns = (
        TextColumn("  "),
        BarColumn(40),
        MofNCompleteColumn(),
        TextColumn(what),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(what, total=total)

        def all_there() -> bool:
            done = len(_deliveries(cast, "delivered"))
            progress.update(bar, completed=done)
            return done >= total

        _wait(all_there, DELIVERY_LIMIT, f"{total} files to be {what}")


def _show_landed(cast: Cast, samples: list[Path], rows: list[dict[str, Any]]) -> None:
    for account_id in (SFTP_CUSTOMER, FTP_CUSTOMER):
        mine = sorted(
            (row for row in rows if row["account_id"] == account_id),
            key=lambda row: str(row["remote_path"]),
        )
        folder = _relative(_root(cast, mine[0]) / Path(mine[0]["remote_path"]).parent)
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 2))
        table.add_column(no_wrap=True)
        table.add_column(justify="right")
        table.add_column()
        for row in mine:
            mark = "[green]✓ whole[/]" if _arrived_whole(cast, row, samples) else "[red]✗[/]"
            table.add_row(Path(row["remote_path"]).name, f"{row['size']:,} bytes", mark)
        console.print(f"  [bold]{account_id}[/], in {folder}/")
        console.print(table)
    console.print()


def _arrived_whole(cast: Cast, row: dict[str, Any], samples: list[Path]) -> bool:
    landed = _root(cast, row) / row["remote_path"]
    sent = next((path for path in samples if path.name == landed.name), None)
    return sent is not None and landed.is_file() and landed.read_bytes() == sent.read_bytes()


def _root(cast: Cast, row: dict[str, Any]) -> Path:
    customer = cast.sftp.customer if row["account_id"] == SFTP_CUSTOMER else cast.ftp.customer
    return customer.root


def _wait(holds: Callable[[], Any], limit: float, what: str) -> Any:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.2)
    raise DemoFailed(f"Waited {limit:.0f} seconds in vain for {what}.")


def _address(customer: CustomerServer) -> str:
    return f"{customer.host}:{customer.port}"


def _metrics(cast: Cast) -> str:
    return cast.environment["COURIER_METRICS_BIND"]


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


if __name__ == "__main__":
    sys.exit(main())
