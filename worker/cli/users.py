"""`courier users`."""

import sys
from typing import Annotated

import typer
from pydantic import SecretStr

from config.audit import Action
from config.passwords import generate_password
from config.users import Users
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import OfAccount, require_account
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.refusal import Refused
from worker.core import Core
from worker.show import user_shape

app = command_group()

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
    password_stdin: FromStdin = False,
    generate: Generate = False,
) -> None:
    """Add somebody who may sign in to the console.

    A user of an account sees it and what is beneath it; one of the service provider everything.
    """
    with context.core() as core:
        require_account(core, account)
        password = _password(from_stdin=password_stdin, generate=generate)
        user = _users(core).create(login, account, password)
        record(core, Action.USER_CREATED, account, target=user.login)
    whose = f"the account {account}" if account else "the service provider"
    output.say(f"The user {user.login} of {whose} was created.")
    _show_once(password, generate=generate)


@app.command("list")
def list_users(*, account: OfAccount = None, as_json: AsJson = False) -> None:
    """List the users."""
    with context.core() as core:
        require_account(core, account)
        found = list(_users(core).list(None if account is None else [account]))
    if as_json:
        output.print_json([user_shape(user) for user in found])
        return
    output.print_table(
        ("LOGIN", "ACCOUNT", "DISABLED", "SINCE"),
        [
            (
                user.login,
                user.account_id or "(service provider)",
                "yes" if user.disabled else "no",
                output.moment(user_shape(user)["created_at"]),
            )
            for user in found
        ],
        empty="There are no users: 'courier users create LOGIN' adds the first.",
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
