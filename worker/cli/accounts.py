"""`courier accounts`."""

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from config.accounts import Account, FtpSettings, LogonType, Protocol
from config.audit import Action
from config.fields import declared
from config.ftp_settings import AlertFrequency, ExistingFile
from consumers.ledger import LastError, Selection, Status
from consumers.removal import check_removable, remove_account
from transports.errors import HostKeyChanged, TransferError
from transports.probe import Step, TestReport
from worker import noted, show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.errors import with_advice
from worker.cli.options import AccountId
from worker.cli.output import AsJson, Cell
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.core import Core
from worker.ftp_settings import Saved, change, run_test
from worker.permission import set_ftp_access
from worker.show import AccountFacts

LAST_DELIVERIES = 5
UNUSED = "FTP access is not granted to it or to an account above it: until then these are unused."

app = command_group()


def _field(name: str, *flags: str, also: str = "", metavar: str | None = None) -> Any:
    """The option of a field of the settings, with the help of its declaration."""
    return typer.Option(*flags, metavar=metavar, help=f"{declared(name).help} {also}".rstrip())


@app.command("create")
def create(
    account_id: AccountId,
    *,
    name: Annotated[str, typer.Option(help="The customer's name.")] = "",
    parent: Annotated[str | None, typer.Option(metavar="ID", help="The account above it.")] = None,
    ftp_access: Annotated[bool, typer.Option("--ftp-access", help="Grant FTP access.")] = False,
) -> None:
    """Add an account."""
    with context.core() as core:
        account = core.directory.create(account_id, name=name, parent=parent, ftp_access=ftp_access)
        record(core, Action.ACCOUNT_CREATED, account_id, {}, noted.account_created(account))
    output.say(f"The account {account_id} was created.")


@app.command("list")
def list_accounts(*, as_json: AsJson = False) -> None:
    """List all accounts with their state and what waits for them."""
    with context.core() as core:
        found = list(show.read_accounts(core))
    if as_json:
        output.print_json([show.account_shape(facts) for facts in found])
        return
    output.print_table(
        ("ACCOUNT", "NAME", "PARENT", "STATE", "SERVER", "QUEUED", "DEAD LETTERS"),
        [_listed(facts) for facts in found],
        empty="There are no accounts: 'courier accounts create ID' adds one.",
    )


@app.command("show")
def show_account(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Show an account: its settings, its state and its last deliveries."""
    with context.core() as core:
        facts = show.read_account(core, account_id)
        if as_json:
            output.print_json(show.account_shape(facts))
            return
        output.print_page(_page(facts))
        _print_last_deliveries(core, account_id)


@app.command("set")
def set_settings(
    account_id: AccountId,
    *,
    protocol: Annotated[Protocol | None, _field("protocol")] = None,
    logon_type: Annotated[LogonType | None, _field("logon_type")] = None,
    host: Annotated[str | None, _field("host")] = None,
    port: Annotated[int | None, _field("port")] = None,
    username: Annotated[str | None, _field("username")] = None,
    password_stdin: Annotated[
        bool, _field("password", "--password-stdin", also="Read from the first line.")
    ] = False,
    path: Annotated[str | None, _field("path")] = None,
    email_alerts: Annotated[str | None, _field("email_alerts", metavar="A@X,B@Y")] = None,
    host_key: Annotated[str | None, _field("host_key", metavar="SHA256:...")] = None,
    uploads: Annotated[int | None, _field("uploads", also="0 is as if left empty.")] = None,
    existing_file: Annotated[ExistingFile | None, _field("existing_file")] = None,
    alert_frequency: Annotated[AlertFrequency | None, _field("alert_frequency")] = None,
    recovery_email: Annotated[
        bool | None, _field("recovery_email", "--recovery-email/--no-recovery-email")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Store an account's FTP settings, once a test file could be uploaded with them.

    Options left out keep their stored value. Nothing is saved unless the test works; saving
    switches the settings on. The first save pins the SFTP server's host key and shows it.
    """
    given = {
        "protocol": protocol,
        "logon_type": logon_type,
        "host": host,
        "port": port,
        "username": username,
        "path": path,
        "email_alerts": None if email_alerts is None else _addresses(email_alerts),
        "host_key": host_key,
        "uploads": uploads,
        "existing_file": existing_file,
        "alert_frequency": alert_frequency,
        "recovery_email": recovery_email,
    }
    changes: dict[str, Any] = {
        option: value for option, value in given.items() if value is not None
    }
    if uploads == 0:
        changes["uploads"] = None
    steps = _Steps(as_json=as_json)
    with context.core() as core:
        before = core.directory.get(account_id)
        password = _password(before, from_stdin=password_stdin)
        saved = change(core, account_id, changes, password, steps.took)
        if saved.settings is not None:
            after = noted.settings_saved(saved.settings, password)
            record(core, Action.SETTINGS_SAVED, account_id, noted.settings_before(before), after)
        steps.end(saved.report, "Nothing was saved")
        if not as_json:
            _tell_saved(core, account_id, saved)


@app.command("test")
def try_settings(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Log in with the stored settings and upload a text file."""
    steps = _Steps(as_json=as_json)
    with context.core() as core:
        settings = core.directory.get(account_id).settings
        if settings is None:
            raise Refused(_nothing_stored(account_id))
        password = core.directory.password(account_id)
        report = run_test(core.settings, settings, password, steps.took)
    steps.end(report, "The test failed")
    if not as_json:
        output.say("Recordings can be delivered with these settings.")


@app.command("enable")
def enable(account_id: AccountId) -> None:
    """Switch the stored FTP settings on."""
    with context.core() as core:
        _switch(core, account_id, on=True)
    output.say(f"The FTP settings of {account_id} are switched on.")


@app.command("disable")
def disable(account_id: AccountId) -> None:
    """Switch the stored FTP settings off; files stay queued."""
    with context.core() as core:
        _switch(core, account_id, on=False)
    output.say(f"The FTP settings of {account_id} are switched off; its files stay queued.")


@app.command("grant")
def grant(account_id: AccountId) -> None:
    """Grant FTP access; the account above must have it itself."""
    with context.core() as core:
        _set_ftp_access(core, account_id, granted=True)
    output.say(f"FTP access is granted to {account_id}, which may pass it on.")


@app.command("revoke")
def revoke(account_id: AccountId) -> None:
    """Revoke FTP access from the account and everything beneath it; files stay queued."""
    with context.core() as core:
        _set_ftp_access(core, account_id, granted=False)
    output.say(f"FTP access is revoked from {account_id} and everything beneath; settings stay.")


@app.command("suspend")
def suspend(account_id: AccountId) -> None:
    """Pause the account until somebody resumes it; files stay queued."""
    with context.core() as core:
        core.directory.get(account_id)
        paused = core.ledger.accounts.pause(account_id)
        if paused:
            record(core, Action.ACCOUNT_PAUSED, account_id)
    already = "" if paused else " already"
    output.say(f"{account_id} is paused{already}: 'courier accounts resume {account_id}' ends it.")


@app.command("resume")
def resume(account_id: AccountId) -> None:
    """End a pause, and nothing else: a suspension by failures ends by its probe."""
    with context.core() as core:
        if not core.ledger.accounts.resume(account_id):
            state = show.read_account(core, account_id).state
            raise Refused(f"{account_id} is not paused but {state}: {_instead_of_resume(state)}")
        record(core, Action.ACCOUNT_RESUMED, account_id)
        state = show.read_account(core, account_id).state
    output.say(f"{account_id} is not paused any more; it is {state}.")


@app.command("try-now")
def try_now(account_id: AccountId) -> None:
    """Begin a suspended account's probe at once, without waiting for its timer."""
    with context.core() as core:
        state = show.read_account(core, account_id).state
        if state != "suspended" or not core.ledger.accounts.try_now(account_id):
            raise Refused(
                f"{account_id} is not suspended but {state}: there is no timer to cut short."
            )
        record(core, Action.ACCOUNT_TRIED_NOW, account_id)
    output.say(f"The oldest file of {account_id} is tried next.")


@app.command("remove")
def remove(
    account_id: AccountId,
    *,
    discard_files: Annotated[
        bool, typer.Option("--discard-files", help="Give up what is queued or dead-lettered.")
    ] = False,
) -> None:
    """Remove an account with its settings, its numbers and its queues.

    Refuses while files are queued. What is given up stays in the ledger as discarded.
    """
    with context.messaging() as (core, messaging):
        check_removable(core.directory, account_id)
        facts = show.read_account(core, account_id)
        if not discard_files:
            _refuse_to_lose(facts)
        lost = remove_account(core.directory, core.ledger, messaging.broker, account_id)
        before = noted.account_removed(facts.account)
        record(core, Action.ACCOUNT_REMOVED, account_id, before, {"discarded_files": lost.files})
    also = f"; {_files(lost.files)} of it discarded" if lost.files else ""
    output.say(f"The account {account_id} was removed{also}.")


class _Steps:
    """Shows each step of a test at once, or all of them as JSON in the end."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json

    def took(self, step: Step) -> None:
        if not self._as_json:
            output.step_line(step.name, step.detail, ok=step.ok)

    def end(self, report: TestReport, otherwise: str) -> None:
        """Raises Refused where the test failed."""
        if self._as_json:
            output.print_json([vars(step) for step in report.steps])
        if report.failure is not None:
            raise Refused(f"{otherwise}: {_told(report.failure)}")


def _told(failure: TransferError) -> str:
    if isinstance(failure, HostKeyChanged):
        return (
            f"{failure.words}: give the new one with --host-key if the server was replaced on "
            "purpose; if not, somebody may be standing in its place. No password was sent."
        )
    return with_advice(failure)


def _tell_saved(core: Core, account_id: str, saved: Saved) -> None:
    if saved.settings is None:
        return
    if saved.pinned:
        output.say(f"The host key {saved.settings.host_key} is pinned from now on.")
    output.say(f"The settings of {account_id} were saved and are switched on.", "green")
    if not core.directory.may_use_ftp(core.directory.get(account_id)):
        output.note(UNUSED)


def _switch(core: Core, account_id: str, *, on: bool) -> None:
    before = core.directory.get(account_id).enabled
    core.directory.set_enabled(account_id, enabled=on)
    if on:
        core.ledger.accounts.wake(account_id)
    action = Action.SETTINGS_ENABLED if on else Action.SETTINGS_DISABLED
    record(core, action, account_id, {"enabled": before}, {"enabled": on})


def _set_ftp_access(core: Core, account_id: str, *, granted: bool) -> None:
    before = core.directory.get(account_id).ftp_access
    set_ftp_access(core, account_id, granted=granted)
    action = Action.FTP_GRANTED if granted else Action.FTP_REVOKED
    record(core, action, account_id, {"ftp_access": before}, {"ftp_access": granted})


def _password(account: Account, *, from_stdin: bool) -> SecretStr | None:
    """The password given; None where the stored one is to be kept."""
    if from_stdin:
        return SecretStr(sys.stdin.readline().rstrip("\r\n"))
    if account.settings is not None:
        return None
    if sys.stdin.isatty():
        return SecretStr(typer.prompt("Password", hide_input=True, err=True))
    raise Refused(f"{account.account_id} has no password stored: give it with --password-stdin.")


def _addresses(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _nothing_stored(account_id: str) -> str:
    return f"{account_id} has no FTP settings: 'courier accounts set {account_id}' stores them."


def _instead_of_resume(state: str) -> str:
    if state == "suspended":
        return "the suspension ends by its probe, which 'courier accounts try-now' begins at once."
    return "there is nothing to resume."


def _refuse_to_lose(facts: AccountFacts) -> None:
    if facts.queued:
        raise Refused(
            f"{facts.account.account_id} has {_files(facts.queued)} queued: wait for them, or give "
            "them up with --discard-files."
        )
    if facts.dead_letters and sys.stdin.isatty():
        question = f"{_files(facts.dead_letters)} dead-lettered would be discarded. Go on?"
        typer.confirm(question, abort=True, err=True)


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count} files"


def _listed(facts: AccountFacts) -> tuple[Cell, ...]:
    account = facts.account
    return (
        account.account_id,
        account.name,
        account.parent,
        output.coloured(facts.state),
        _server(account.settings),
        facts.queued,
        facts.dead_letters,
    )


def _server(settings: FtpSettings | None) -> str | None:
    if settings is None:
        return None
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{settings.protocol.value}://{settings.username}@{host}:{settings.port}"


def _page(facts: AccountFacts) -> Iterator[tuple[str, Cell]]:
    account, run = facts.account, facts.run
    yield "account", account.account_id
    yield "name", account.name or None
    yield "parent", account.parent
    yield "FTP access", _access(facts)
    yield "default method", account.default_method.label
    yield from _settings_lines(account.settings)
    yield "state", output.coloured(facts.state)
    if facts.state == "suspended":
        left = run.seconds_until(run.suspended_until)
        yield "next try", f"in {output.duration(left)}" if left else "with the next file"
    yield "failures in a row", run.failures or None
    yield from _error_lines(run.last_error)
    yield "queued", facts.queued
    if facts.queued:
        yield "oldest queued", f"{output.duration(facts.oldest_queued_seconds)} ago"
    yield "dead letters", facts.dead_letters


def _access(facts: AccountFacts) -> str:
    if facts.permitted:
        return "yes"
    return "no: not granted to an account above it" if facts.account.ftp_access else "no"


def _settings_lines(settings: FtpSettings | None) -> Iterator[tuple[str, Cell]]:
    if settings is None:
        yield "settings", "none"
        return
    yield "server", _server(settings)
    if settings.protocol is Protocol.SFTP:
        yield "logon type", settings.logon_type.value
        yield "host key", settings.host_key
    yield "path", settings.path
    yield "uploads at once", settings.uploads or "as many as make it faster"
    yield "existing file", _label("existing_file", settings.existing_file)
    yield "e-mail alerts", ", ".join(settings.email_alerts) or "none"
    yield "alert frequency", _label("alert_frequency", settings.alert_frequency)
    yield "recovery e-mail", "yes" if settings.recovery_email else "no"


def _label(name: str, value: str) -> str:
    """A choice as its drop-down has it."""
    return next(each.label for each in declared(name).options if each.value == value)


def _error_lines(error: LastError | None) -> Iterator[tuple[str, Cell]]:
    if error is not None:
        yield "last error", error.words
        yield "advice", error.advice


def _print_last_deliveries(core: Core, account_id: str) -> None:
    chosen = Selection(account_id=account_id, status=Status.DELIVERED)
    rows = [show.delivery_shape(row) for row in core.ledger.files.select(chosen, LAST_DELIVERIES)]
    if rows:
        output.say("")
        output.print_table(
            ("LAST DELIVERED", "AT", "SIZE"),
            [(row["remote_path"], output.moment(row["delivered_at"]), row["size"]) for row in rows],
            empty="",
        )
