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
import signal
import sys
import time
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from alerts import recovery
from deploy.local.customers import CustomerServer
from deploy.local.customers.facts import new_password
from deploy.local.demo_commands import (
    LIMIT,
    DemoFailed,
    account_in,
    deliveries,
    publish,
    queued,
    run,
    wait,
)
from deploy.local.demo_stage import (
    FTP_CUSTOMER,
    HOME,
    SFTP_CUSTOMER,
    SUSPEND_SECONDS,
    Cast,
    courier,
    metrics,
    stage,
)
from deploy.local.folders import STATE
from deploy.local.processes import ServiceError
from deploy.local.samples import make_samples
from deploy.local.services import Services

SAMPLES = 20
DURING_OUTAGE = 6
INTERRUPTED = 128 + signal.SIGINT
"""What a shell makes of a program that Ctrl-C ended."""

ADMINISTRATOR = "admin"

console = Console(highlight=False)


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
    with ExitStack() as stack:
        with console.status("Starting RabbitMQ, MongoDB and courier run …"):
            running, cast = stack.enter_context(stage())
            log = stack.enter_context(courier(cast))
        _introduce(running, cast, time.monotonic() - began)
        _set_up_accounts(cast)
        delivered = _deliver_samples(cast, samples)
        _outage(cast, samples)
        _end(cast, log)
        if not once:
            _wait_for_ctrl_c()
    return 0 if delivered == len(samples) else 1


# --- the story ------------------------------------------------------------------------------


def _introduce(running: Services, cast: Cast, seconds: float) -> None:
    table = Table.grid(padding=(0, 2))
    table.add_row("[green]✓[/] RabbitMQ", _without_password(running.amqp_url))
    database = cast.environment["COURIER_MONGODB_URL"]
    table.add_row("[green]✓[/] MongoDB", _without_password(database.split("?")[0]))
    table.add_row("[green]✓[/] courier run", f"metrics on http://{metrics(cast)}/metrics")
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
        run(cast.environment, "accounts", "create", name, "--ftp-access")
        where = ("--host", customer.host, "--port", str(customer.port), "--path", "recordings")
        user = ("--username", customer.username, "--password-stdin")
        alerts = ("--email-alerts", f"it@{name}.example", "--recovery-email")
        words = ("accounts", "set", name, *more, *where, *user, *alerts)
        done = run(cast.environment, *words, stdin=customer.password)
        console.print(f"[bold]{name}[/]\n{_indented(done.stdout)}")
    console.print()


def _deliver_samples(cast: Cast, samples: list[Path]) -> int:
    _heading("2", f"{len(samples)} recordings are ready, and on their way")
    publish(cast.environment, SFTP_CUSTOMER, samples[::2])
    publish(cast.environment, FTP_CUSTOMER, samples[1::2])
    _watch(cast, len(samples), "delivered")
    delivered = deliveries(cast.environment, "delivered")
    _show_landed(cast, samples, delivered)
    return sum(_arrived_whole(cast, row, samples) for row in delivered)


def _outage(cast: Cast, samples: list[Path]) -> None:
    _heading("3", f"The SFTP server of {SFTP_CUSTOMER} goes down")
    cast.sftp.stop()
    publish(cast.environment, SFTP_CUSTOMER, samples[:DURING_OUTAGE])
    publish(cast.environment, FTP_CUSTOMER, samples[DURING_OUTAGE : 2 * DURING_OUTAGE])
    acme = wait(
        lambda: account_in(cast.environment, SFTP_CUSTOMER, "suspended"), LIMIT, "the suspension"
    )
    console.print(
        f"  [yellow]suspended[/] after {acme['consecutive_failures']} failures in a row: "
        f"{acme['last_error']}.\n  {acme['queued']} files wait, none is lost."
    )
    _show_mail(cast.mail.wait_for(1)[0].message)
    wait(lambda: queued(cast.environment, FTP_CUSTOMER) == 0, LIMIT, f"{FTP_CUSTOMER}'s files")
    console.print(f"  [green]{FTP_CUSTOMER}[/] is not slowed: all of its files have arrived.\n")
    _heading("4", "The server is back; nobody does anything else")
    cast.sftp.start()
    with console.status(f"The oldest file is tried when the {SUSPEND_SECONDS} seconds are over …"):
        wait(lambda: account_in(cast.environment, SFTP_CUSTOMER, "active"), LIMIT, "the recovery")
    console.print("  The oldest file was tried first and arrived: [green]active[/] again.")
    _watch(cast, SAMPLES + 2 * DURING_OUTAGE, "delivered, those of the outage included")
    told = wait(lambda: _recovery_mail(cast), LIMIT, "the e-mail about the recovery")
    _show_mail(told)


def _end(cast: Cast, log: Path) -> None:
    status = json.loads(run(cast.environment, "status", "--json").stdout)
    console.print(
        f"\n[bold green]Everything was delivered[/]: {status['queued']} files wait, "
        f"{status['dead_letters']} dead letters.\n"
    )
    table = Table.grid(padding=(0, 2))
    table.add_row("Files of the SFTP customer", _relative(cast.sftp.customer.root / "recordings"))
    table.add_row("Files of the FTP customer", _relative(cast.ftp.customer.root / "recordings"))
    table.add_row("Log of courier run", _relative(log))
    table.add_row("Metrics", f"http://{metrics(cast)}/metrics")
    table.add_row("Web console", f"http://{cast.environment['COURIER_CONSOLE_BIND']}/")
    password = "…" if console.record else _administrator(cast)
    table.add_row("", f"sign in as {ADMINISTRATOR}, password {password}")
    table.add_row("Commands", f"cd {_relative(HOME)} && {_program()} status")
    console.print(table)


def _administrator(cast: Cast) -> str:
    """Make the service provider's first user, with a password of this run."""
    password = new_password()
    run(cast.environment, "users", "create", ADMINISTRATOR, "--password-stdin", stdin=password)
    return password


def _wait_for_ctrl_c() -> None:
    console.print("\nThe service keeps running. [bold]Ctrl-C[/] ends it.")
    while True:
        time.sleep(3600)


# --- how it is shown --------------------------------------------------------------------------


def _heading(number: str, text: str) -> None:
    console.print(f"[bold cyan]{number}[/] [bold]{text}[/]")


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
            done = len(deliveries(cast.environment, "delivered"))
            progress.update(bar, completed=done)
            return done >= total

        wait(all_there, LIMIT, f"{total} files to be {what}")


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


def _show_mail(mail: EmailMessage) -> None:
    title = f"To {mail['To']}: {mail['Subject']}"
    console.print(Panel(mail.get_content().strip(), title=title, title_align="left", width=100))


def _recovery_mail(cast: Cast) -> EmailMessage | None:
    mails = (mail.message for mail in cast.mail.messages)
    return next((each for each in mails if each["Subject"] == recovery.SUBJECT), None)


def _arrived_whole(cast: Cast, row: dict[str, Any], samples: list[Path]) -> bool:
    landed = _root(cast, row) / row["remote_path"]
    sent = next((path for path in samples if path.name == landed.name), None)
    return sent is not None and landed.is_file() and landed.read_bytes() == sent.read_bytes()


def _root(cast: Cast, row: dict[str, Any]) -> Path:
    customer = cast.sftp.customer if row["account_id"] == SFTP_CUSTOMER else cast.ftp.customer
    return customer.root


def _program() -> str:
    """The command as it is called in the folder that has the settings of this run."""
    return os.path.relpath(Path(sys.executable).with_name("courier"), HOME)


def _address(customer: CustomerServer) -> str:
    return f"{customer.host}:{customer.port}"


def _relative(path: Path) -> str:
    return os.path.relpath(path)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.rstrip().splitlines())


def _without_password(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


if __name__ == "__main__":
    sys.exit(main())
