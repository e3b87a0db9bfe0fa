"""`courier accounts rename`, `move` and `forget-settings`."""

import sys
from typing import Annotated

import typer

from config.audit import Action
from worker import audit_facts
from worker.cli import context, output
from worker.cli.options import AccountId, Yes, account_ids
from worker.cli.record import actor, record
from worker.permission import wake_beneath


def rename(
    account_id: AccountId,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The customer's name; '' for none.")],
) -> None:
    """Change the name that people read; the id stays as it is."""
    with context.core() as core:
        before = core.directory.get(account_id).name
        core.directory.rename(account_id, name)
        after = core.directory.get(account_id).name
        record(core, Action.ACCOUNT_RENAMED, account_id, {"name": before}, {"name": after})
    output.say(f"{account_id} is called {after!r} now." if after else f"{account_id} has no name.")


def move(
    account_id: AccountId,
    *,
    parent: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The account above it.", autocompletion=account_ids),
    ] = None,
    top: Annotated[bool, typer.Option("--top", help="No account is above it any more.")] = False,
) -> None:
    """Move the account, with everything beneath it, to another place in the tree.

    Its permission follows from its new place: without FTP access above it, it has none.
    """
    if (parent is None) is not top:
        raise typer.BadParameter("give one of --parent and --top.")
    with context.core() as core:
        before = core.directory.get(account_id).parent
        core.directory.move(account_id, parent)
        record(core, Action.ACCOUNT_MOVED, account_id, {"parent": before}, {"parent": parent})
        wake_beneath(core, account_id)
        permitted = core.directory.may_use_ftp(core.directory.get(account_id))
    output.say(f"{account_id} is {f'beneath {parent}' if parent else 'at the top'} now.")
    if not permitted:
        output.note(f"{account_id} has no FTP access there: its files stay queued.")


def forget_settings(account_id: AccountId, *, yes: Yes = False) -> None:
    """Forget an account's FTP settings with its password and keys; files stay queued.

    To stop deliveries for a while, use 'courier accounts suspend' or 'disable' instead.
    """
    with context.core() as core:
        account = core.directory.get(account_id)
        if account.settings is not None and not yes and sys.stdin.isatty():
            question = f"Forget the FTP settings of {account_id} with its password and keys?"
            typer.confirm(question, abort=True, err=True)
        core.directory.forget_settings(account_id, actor())
        before, after = audit_facts.settings_before(account), {"enabled": False}
        record(core, Action.SETTINGS_REMOVED, account_id, before, after)
    output.say(f"The FTP settings of {account_id} are forgotten; its files stay queued.")
