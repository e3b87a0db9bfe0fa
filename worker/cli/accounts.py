"""`courier accounts`."""

import sys
from typing import Annotated

import typer

from config.audit import Action
from worker import audit_facts, show
from worker.account_facts import AccountFacts, read_account
from worker.cli import account_alerts, account_key, account_page, context, output
from worker.cli.account_admin import forget_settings, move, rename
from worker.cli.account_list import list_accounts
from worker.cli.account_names import preview_name
from worker.cli.account_settings import disable, enable, set_settings, try_settings
from worker.cli.apps import command_group
from worker.cli.options import AccountId
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.database import Core
from worker.permission import set_ftp_access

app = command_group()
app.command("list")(list_accounts)
app.command("rename")(rename)
app.command("move")(move)
app.command("set")(set_settings)
app.command("test")(try_settings)
app.command("enable")(enable)
app.command("disable")(disable)
app.command("forget-settings")(forget_settings)
app.command("preview-name")(preview_name)
app.add_typer(account_key.app, name="key", help="The account's key for SFTP.")
app.add_typer(account_alerts.app, name="alerts", help="Who hears of the account's outages.")


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
        record(core, Action.ACCOUNT_CREATED, account_id, {}, audit_facts.account_created(account))
    output.say(f"The account {account_id} was created.")


@app.command("show")
def show_account(account_id: AccountId, *, as_json: AsJson = False) -> None:
    """Show an account: its settings, its state and its last deliveries."""
    with context.core() as core:
        facts = read_account(core, account_id)
        if as_json:
            output.print_json(show.account_shape(facts))
            return
        output.print_page(account_page.page(facts, account_page.kept_by(core, facts)))
        account_page.print_last_deliveries(core, account_id)


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
            state = read_account(core, account_id).state
            raise Refused(f"{account_id} is not paused but {state}: {_instead_of_resume(state)}")
        record(core, Action.ACCOUNT_RESUMED, account_id)
        state = read_account(core, account_id).state
    output.say(f"{account_id} is not paused any more; it is {state}.")


@app.command("try-now")
def try_now(account_id: AccountId) -> None:
    """Begin a suspended account's probe at once, without waiting for its timer.

    Outside of the account's delivery window what waits is sent at once, this time.
    """
    with context.core() as core:
        facts = read_account(core, account_id)
        waits, state = facts.window_opens_at is not None, facts.state
        may_be_tried = waits or state == "suspended"
        tries = core.ledger.accounts.try_now
        if not (may_be_tried and tries(account_id, waits_for_window=waits)):
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

    Refuses while files are queued. What is given up stays in the ledger as discarded; the id is
    not given out again.
    """
    from consumers.upkeep.removal import (  # noqa: PLC0415 - RabbitMQ's libraries load slowly
        check_removable,
        remove_account,
    )

    with context.messaging() as (core, messaging):
        check_removable(core.directory, account_id)
        facts = read_account(core, account_id)
        if not discard_files:
            _refuse_to_lose(facts)
        lost = remove_account(core.directory, core.ledger, messaging.broker, account_id)
        before = audit_facts.account_removed(facts.account)
        record(core, Action.ACCOUNT_REMOVED, account_id, before, {"discarded_files": lost.files})
    also = f"; {_files(lost.files)} of it discarded" if lost.files else ""
    output.say(f"The account {account_id} was removed{also}.")


def _set_ftp_access(core: Core, account_id: str, *, granted: bool) -> None:
    before = core.directory.get(account_id).ftp_access
    set_ftp_access(core, account_id, granted=granted)
    action = Action.FTP_GRANTED if granted else Action.FTP_REVOKED
    record(core, action, account_id, {"ftp_access": before}, {"ftp_access": granted})


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
