"""`courier numbers`."""

from typing import Annotated

import typer

from config.accounts import DeliveryMethod
from config.audit import Action
from config.numbers import Number
from worker import audit_facts, show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import MOST_LISTED, Limit, one_more, up_to
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.cli.tables import Column

_NONE = "There are no numbers: recordings without a known one go by their account's method."

app = command_group()


NumberArgument = Annotated[
    str,
    typer.Argument(metavar="NUMBER", help="Digits, with + before them where it is international."),
]


@app.command("set")
def set_number(
    number: NumberArgument,
    *,
    account: Annotated[str, typer.Option(metavar="ID", help="Whose number it is.")],
    method: Annotated[DeliveryMethod, typer.Option(help="Where its recordings go.")],
    allow_short: Annotated[
        bool,
        typer.Option(
            "--allow-short",
            help="Also a short code, an extension, or what else is no country's number.",
        ),
    ] = False,
) -> None:
    """Store whose number it is and how its recordings are delivered.

    It is stored in E.164, such as **+441632960001**, and known however an event spells it.
    """
    with context.core() as core:
        spelled = core.directory.spelling(number, allow_short=allow_short)
        before, after = core.directory.number(spelled), Number(spelled, account, method)
        core.directory.set_number(after)
        for each in audit_facts.number_set(before, after):
            record(core, *each, target=spelled)
    output.say(f"Recordings of {spelled} go to {account} by {method.value}.")
    if before is not None and before.number != spelled:
        output.note(f"It takes the place of {before.number}, as an earlier version had stored it.")


@app.command("default")
def set_default(
    *,
    account: Annotated[str, typer.Option(metavar="ID", help="Whose recordings they are.")],
    method: Annotated[DeliveryMethod, typer.Option(help="Where they go.")],
) -> None:
    """Store how an account's recordings are delivered that have no number, or an unknown one."""
    with context.core() as core:
        before = core.directory.get(account).default_method
        core.directory.set_default_method(account, method)
        record(
            core,
            Action.DEFAULT_METHOD_SET,
            account,
            audit_facts.default_method(before),
            audit_facts.default_method(method),
        )
    output.say(f"Recordings of {account} without a known number go by {method.value}.")


@app.command("list")
def list_numbers(*, limit: Limit = MOST_LISTED, as_json: AsJson = False) -> None:
    """List the numbers, in order."""
    with context.core() as core:
        found, is_cut = up_to(limit, core.directory.numbers(limit=one_more(limit)))
    if as_json:
        output.print_json([show.number_shape(number) for number in found])
    else:
        output.print_table(("NUMBER", "ACCOUNT", Column("METHOD", least=None)), found, empty=_NONE)
    output.note_cut("first", limit, is_cut=is_cut)


@app.command("remove")
def remove(number: NumberArgument) -> None:
    """Forget a number; its recordings then go by its account's method."""
    with context.core() as core:
        known = core.directory.number(number)
        core.directory.remove_number(number)
        if known is not None:
            before = audit_facts.number_removed(known)
            record(core, Action.NUMBER_REMOVED, known.account_id, before, {}, target=known.number)
    output.say(f"The number {number} was removed.")
