"""`courier audit`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from config.audit import Audit, AuditFilter, Entry
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.options import OfAccount, check_range, choice, filled, moment, require_account
from worker.cli.output import AsJson
from worker.console.audit_asked import TOPICS, actions_of, actor_of
from worker.console.audit_words import entry_shape, told
from worker.show import Shape, iso

DEFAULT_LIMIT = 50
MAX_LIMIT = 10_000
_TOPICS = {topic: topic for topic in TOPICS}

app = single_command()


@app.command()
def audit(
    *,
    account: OfAccount = None,
    who: Annotated[
        str | None,
        typer.Option(metavar="LOGIN", parser=filled, help="Only by whose login begins so."),
    ] = None,
    what: Annotated[str | None, choice(_TOPICS, "--what", help="Only of this.")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=moment, help="At or after: ISO 8601, or 2h, 3d."),
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(metavar="TIME", parser=moment, help="Before.")
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_LIMIT, help="At most so many.")
    ] = DEFAULT_LIMIT,
    as_json: AsJson = False,
) -> None:
    """Tell who changed what, the newest first: a sentence a change, no secret in any.

    Several fields that were changed at once are a line each beneath it.
    """
    check_range(since, until)
    with context.core() as core:
        found = _found(Audit(core.database), account, who, what, since, until, limit)
        if not found:
            require_account(core, account)
    if as_json:
        output.print_json([_shape(each) for each in found])
        return
    if not found:
        output.note("Nothing in the audit matches.")
    for each in found:
        _print(each)
    if len(found) == limit:
        output.note(f"These are the newest {limit}: --limit or --until shows more.")


def _found(
    kept: Audit,
    account: str | None,
    who: str | None,
    what: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
) -> list[Entry]:
    actions = None if what is None else actions_of(what)
    chosen = AuditFilter(actor_of(who or None), actions, since, until)
    return list(kept.list(None if account is None else [account], limit, chosen=chosen))


def _shape(entry: Entry) -> Shape:
    shape = entry_shape(entry, told(entry))
    return {**shape, "before": _as_json(entry.before), "after": _as_json(entry.after)}


def _as_json(facts: Mapping[str, Any]) -> Shape:
    return {
        name: iso(given) if isinstance(given, datetime) else given for name, given in facts.items()
    }


def _print(entry: Entry) -> None:
    in_words = told(entry)
    of = f" ({entry.account_id})" if entry.account_id and not in_words.names_account else ""
    output.say(f"{entry.at:%Y-%m-%d %H:%M:%S}Z  {in_words.sentence.text}{of}")
    for each in in_words.details:
        output.say(f"{'':23}{each.text}", style="dim")
