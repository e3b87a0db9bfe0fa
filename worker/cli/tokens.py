"""`courier tokens`."""

from typing import Annotated

import typer

from config.audit import Action
from config.tokens import MAX_DAYS, Tokens
from worker import audit_facts
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import OfAccount, require_account
from worker.cli.output import AsJson
from worker.cli.record import actor, record
from worker.core import Core
from worker.show import token_shape

app = command_group()


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is used for.")],
    *,
    account: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Whose token it is; without it the service provider's."),
    ] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="It may look, and change nothing.")
    ] = False,
    days: Annotated[
        int | None,
        typer.Option(
            min=1, max=MAX_DAYS, help="It ends after so many days; without it when it is revoked."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a token for the API; its secret is printed this once."""
    with context.core() as core:
        require_account(core, account)
        token_id, secret = _tokens(core).create(
            name, account, read_only=read_only, days=days, creator=actor()
        )
        token = _tokens(core).get(token_id)
        made = audit_facts.token_created(token)
        record(core, Action.TOKEN_CREATED, account, {}, made, target=token_id)
    if as_json:
        output.print_json({**token_shape(token), "token": secret.get_secret_value()})
        return
    output.say(f"The token {token_id} was created. Its secret, shown this once:")
    output.say(secret.get_secret_value())


@app.command("list")
def list_tokens(*, account: OfAccount = None, as_json: AsJson = False) -> None:
    """List the tokens, without their secrets."""
    with context.core() as core:
        require_account(core, account)
        accounts = None if account is None else [account]
        found = [token_shape(token) for token in _tokens(core).list(accounts)]
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ("TOKEN", "NAME", "ACCOUNT", "SCOPE", "MADE BY", "CREATED", "ENDS", "LAST USED"),
        [
            (
                each["token_id"],
                each["name"],
                each["account_id"] or "(service provider)",
                each["scope"],
                each["created_by"] or "",
                output.moment(each["created_at"]),
                output.moment(each["expires_at"]) or "never",
                output.moment(each["last_used_at"]) or "never",
            )
            for each in found
        ],
        empty="There are no tokens: 'courier tokens create NAME' makes one.",
    )


@app.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="TOKEN", help="As 'tokens list' shows it.")],
) -> None:
    """Revoke a token: it opens nothing any more."""
    with context.core() as core:
        token = _tokens(core).get(token_id)
        _tokens(core).revoke(token_id)
        before = {"name": token.name}
        record(core, Action.TOKEN_REVOKED, token.account_id, before, {}, target=token_id)
    output.say(f"The token {token_id} ({token.name}) was revoked.")


def _tokens(core: Core) -> Tokens:
    return Tokens(core.database, core.directory.find)
