"""`courier tokens`."""

from typing import Annotated

import typer

from config.audit import Action
from config.tokens import MAX_DAYS, Tokens
from worker import audit_facts
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import MOST_LISTED, Limit, OfAccount, one_more, require_account, up_to
from worker.cli.output import AsJson, Cell
from worker.cli.record import actor, record
from worker.cli.tables import Column
from worker.database import Core
from worker.show import Shape, token_shape

_COLUMNS = (
    Column("TOKEN", least=None),
    Column("NAME"),
    Column("ACCOUNT", least=12),
    Column("SCOPE", least=None),
    Column("MADE BY", weight=2),
    Column("CREATED", weight=1, least=None),
    Column("ENDS", weight=4, least=None),
    Column("LAST USED", weight=3, least=None),
)

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
def list_tokens(
    *, account: OfAccount = None, limit: Limit = MOST_LISTED, as_json: AsJson = False
) -> None:
    """List the tokens without their secrets, the oldest first."""
    with context.core() as core:
        require_account(core, account)
        accounts = None if account is None else [account]
        tokens, is_cut = up_to(limit, _tokens(core).list(accounts, one_more(limit)))
    found = [token_shape(token) for token in tokens]
    if as_json:
        output.print_json(found)
    else:
        empty = "There are no tokens: 'courier tokens create NAME' makes one."
        output.print_table(_COLUMNS, [_line(each) for each in found], empty=empty)
    output.note_cut("oldest", limit, is_cut=is_cut)


def _line(token: Shape) -> tuple[Cell, ...]:
    return (
        token["token_id"],
        token["name"],
        token["account_id"] or "(service provider)",
        token["scope"],
        token["created_by"] or "",
        output.moment(token["created_at"]),
        output.moment(token["expires_at"]) or "never",
        output.moment(token["last_used_at"]) or "never",
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
