"""`courier invalid`."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from config.audit import Action
from config.settings import load_settings
from config.tls import Endpoint
from consumers.amqp import topology
from consumers.intake.invalid_queue import (
    InvalidMessage,
    discard_invalid,
    invalid_messages,
    replay_invalid,
)
from worker import audit_facts, show
from worker.cli import context, output
from worker.cli.apps import command_group
from worker.cli.options import Yes
from worker.cli.output import AsJson
from worker.cli.record import record
from worker.core import Core

SHOWN = 60

app = command_group()

OfReason = Annotated[
    str, typer.Option(metavar="TEXT", help="Only those whose reason begins with this.")
]


@app.command("list")
def list_invalid(*, reason: OfReason = "", as_json: AsJson = False) -> None:
    """List what lies in recordings.invalid, the oldest first."""
    found = [show.invalid_shape(each) for each in invalid_messages(_rabbitmq(), reason)]
    if as_json:
        output.print_json(found)
        return
    output.print_table(
        ("REASON", "RECORDING", "ACCOUNT", "SIZE", "BEGINS"),
        [
            (
                each["reason"],
                each["recording_id"],
                each["account_id"],
                each["size"],
                each["begins"][:SHOWN],
            )
            for each in found
        ],
        empty="There are no invalid events.",
    )


@app.command("replay")
def replay(*, reason: OfReason = "") -> None:
    """Publish them again; those that still cannot be used come back."""
    with context.messaging() as (core, messaging):
        url = core.settings.rabbitmq
        topology.declare_once(url, topology.RECORDINGS, topology.INTAKE)
        with _noting(core, Action.INVALID_REPLAYED, "Replaying") as done:
            count = replay_invalid(url, messaging.publisher, reason, done)
    output.say(f"{_events(count)} published again.")


@app.command("discard")
def discard(*, reason: OfReason = "", yes: Yes = False) -> None:
    """Take them out for good."""
    if not reason and not yes and sys.stdin.isatty():
        typer.confirm("Give up all invalid events?", abort=True, err=True)
    with context.core() as core, _noting(core, Action.INVALID_DISCARDED, "Discarding") as done:
        count = discard_invalid(core.settings.rabbitmq, reason, done)
    output.say(f"{_events(count)} discarded.")


@contextmanager
def _noting(core: Core, action: Action, what: str) -> Iterator[Callable[[InvalidMessage], None]]:
    """Collect the messages that are done, for the audit, also where the run is cut short.

    The entry is the platform's: an unreadable event has no account.
    """
    dealt_with: list[InvalidMessage] = []
    try:
        with output.counting(what) as tell:

            def done(message: InvalidMessage) -> None:
                dealt_with.append(message)
                tell()

            yield done
    finally:
        if dealt_with:
            record(core, action, None, {}, audit_facts.invalid_events(dealt_with))


def _rabbitmq() -> Endpoint:
    return load_settings().rabbitmq


def _events(count: int) -> str:
    return "1 event" if count == 1 else f"{count} events"
