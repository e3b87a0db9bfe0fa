"""`courier accounts list`."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from consumers.ledger import ACCOUNT_STATES, DORMANT, AccountSummary
from worker import show
from worker.account_facts import read_listed
from worker.cli import context, output
from worker.cli.options import MOST_LISTED, Limit, choice, one_more, up_to
from worker.cli.output import AsJson, Cell
from worker.cli.tables import Column
from worker.database import Core

_COLUMNS = (
    Column("ACCOUNT", least=12),
    Column("NAME", weight=3),
    Column("PARENT", weight=1),
    Column("STATE", least=None),
    Column("SERVER", weight=2, least=16),
    Column("QUEUED", least=None),
    Column("DEAD LETTERS", least=None),
)
_LAST_ERROR = Column("LAST ERROR", weight=4, least=None)
"""The code of its cause: shown where an account of the list has one."""
_NONE = "There are no accounts: 'courier accounts create ID' adds one."
AT_ONCE = 500
"""Accounts whose settings are read together."""
_STATES = {state: state for state in (*ACCOUNT_STATES, DORMANT)}


def list_accounts(
    *,
    state: Annotated[
        list[str] | None,
        choice(_STATES, "--state", help="Only in this state; may be given several times."),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only those beneath this account, at any level."),
    ] = None,
    search: Annotated[
        str,
        typer.Option(metavar="TEXT", help="Only with this in id, name, server or username."),
    ] = "",
    limit: Limit = MOST_LISTED,
    as_json: AsJson = False,
) -> None:
    """List accounts by id, with their state and what waits for them."""
    words = search.casefold()

    def takes(account: AccountSummary) -> bool:
        return account.account_id != parent and words in _told(account).casefold()

    with context.core() as core:
        if parent is not None:
            core.directory.get(parent)
        is_narrowed = bool(search or parent)
        chosen, is_cut = up_to(
            limit,
            core.ledger.summaries.read(
                parent, state or (), takes if is_narrowed else None, limit=one_more(limit)
            ),
        )
        if as_json:
            output.print_json_list(_shapes(core, chosen))
    if not as_json:
        is_filtered = bool(state or search or parent)
        empty = "No accounts match." if is_filtered else _NONE
        columns = (*_COLUMNS, _LAST_ERROR) if any(map(_last_error, chosen)) else _COLUMNS
        output.print_table(columns, [_line(each)[: len(columns)] for each in chosen], empty=empty)
    output.note_cut("first", limit, is_cut=is_cut)


def _told(account: AccountSummary) -> str:
    """What is searched; no text that is looked for reaches over two of its lines."""
    return f"{account.account_id}\n{account.name}\n{account.login}"


def _shapes(core: Core, chosen: Sequence[AccountSummary]) -> Iterator[show.Shape]:
    """As `accounts show` has them; one whose settings cannot be used is left out."""
    for first in range(0, len(chosen), AT_ONCE):
        facts = read_listed(core, chosen[first : first + AT_ONCE])
        yield from map(show.account_shape, facts.values())


def _line(account: AccountSummary) -> tuple[Cell, ...]:
    return (
        account.account_id,
        account.name,
        account.parent,
        output.coloured(account.state, _state(account)),
        account.login or None,
        account.queued,
        account.dead_letters,
        _last_error(account),
    )


def _state(account: AccountSummary) -> str:
    if account.disabled and account.paused:
        return f"{account.state}, paused"
    return DORMANT if account.dormant else account.state


def _last_error(account: AccountSummary) -> str | None:
    """A code of the catalogue; of errors from before those were kept, the kind."""
    return account.cause or account.kind or None
