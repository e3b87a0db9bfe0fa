"""`courier users`."""

import sys
from typing import Annotated

import typer
from pydantic import SecretStr

from config.audit import Action
from config.passwords import generate_password
from config.users import User, Users
from worker import audit_facts
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import MOST_LISTED, Limit, OfAccount, one_more, require_account, up_to
from worker.cli.output import AsJson, Cell
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.cli.tables import Column
from worker.cli.user_access import (
    disable,
    enable,
    list_sessions,
    reset_factor,
    set_role,
    sign_out,
)
from worker.database import Core
from worker.show import iso, user_shape

_COLUMNS = (
    Column("LOGIN"),
    Column("ACCOUNT"),
    Column("ROLE", least=None),
    Column("SECOND FACTOR", 2, least=None),
    Column("DISABLED", least=None),
    Column("SINCE", 1, least=None),
)

app = command_group()
app.command("role")(set_role)
app.command("sessions")(list_sessions)
app.command("sign-out")(sign_out)
app.command("reset-factor")(reset_factor)
app.command("disable")(disable)
app.command("enable")(enable)

Login = Annotated[str, typer.Argument(metavar="LOGIN", help="A name or an e-mail address.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line.")
]
Generate = Annotated[
    bool, typer.Option("--generate", help="Make a password, and print it this once.")
]


@app.command("create")
def create(
    login: Login,
    *,
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose user it is; without it the service provider's."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="It may look, and change nothing.")
    ] = False,
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Add somebody who may sign in to the console.

    A user of an account sees it and what is beneath it; one of the service provider everything.
    """
    with context.core() as core:
        require_account(core, account)
        password = _password(from_stdin=password_stdin, generate=generate)
        user = _users(core).create(login, account, password, read_only=read_only)
        made = audit_facts.user_created(user)
        record(core, Action.USER_CREATED, account, {}, made, target=user.login)
    whose = f"the account {account}" if account else "the service provider"
    output.say(f"The user {user.login} of {whose} was created.")
    _show_once(password, generate=generate)


@app.command("list")
def list_users(
    *, account: OfAccount = None, limit: Limit = MOST_LISTED, as_json: AsJson = False
) -> None:
    """List the users, by login."""
    with context.core() as core:
        require_account(core, account)
        accounts = None if account is None else [account]
        found, is_cut = up_to(limit, _users(core).list(accounts, one_more(limit)))
    if as_json:
        output.print_json([user_shape(user) for user in found])
    else:
        empty = "There are no users: 'courier users create LOGIN' adds the first."
        output.print_table(_COLUMNS, [_line(user) for user in found], empty=empty)
    output.note_cut("first", limit, is_cut=is_cut)


def _line(user: User) -> tuple[Cell, ...]:
    return (
        user.login,
        user.account_id or "(service provider)",
        "read-only" if user.read_only else "full",
        "yes" if user.has_factor else "no",
        "yes" if user.disabled else "no",
        output.moment(iso(user.created_at)),
    )


@app.command("reset")
def reset(login: Login, *, password_stdin: FromStdin = False, generate: Generate = False) -> None:
    """Store another password; the user's sessions end."""
    with context.core() as core:
        user = _users(core).get(login)
        password = _password(from_stdin=password_stdin, generate=generate)
        _users(core).reset_password(login, password)
        after = {"password": password}
        record(core, Action.PASSWORD_RESET, user.account_id, {}, after, target=user.login)
    output.say(f"The password of {user.login} was changed, and its sessions have ended.")
    _show_once(password, generate=generate)


@app.command("remove")
def remove(login: Login) -> None:
    """Forget a user; its sessions and the tokens it has made end."""
    with context.core() as core:
        user = _users(core).get(login)
        _users(core).remove(login)
        record(core, Action.USER_REMOVED, user.account_id, target=user.login)
    output.say(f"The user {user.login} was removed.")


def _users(core: Core) -> Users:
    return Users(core.database, core.directory.find)


def _password(*, from_stdin: bool, generate: bool) -> SecretStr:
    if generate:
        return generate_password()
    if from_stdin:
        return SecretStr(sys.stdin.readline().rstrip("\r\n"))
    if sys.stdin.isatty():
        asked = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        return SecretStr(asked)
    raise Refused("No password was given: use --password-stdin, or --generate to have one made.")


def _show_once(password: SecretStr, *, generate: bool) -> None:
    if generate:
        output.say(f"Password, shown this once: {password.get_secret_value()}")
