"""`courier publish`."""

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from consumers.amqp import names, topology
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.options import MAX_SECONDS, account_ids
from worker.cli.output import AsJson
from worker.cli.publish_event import Event, judged
from worker.cli.publish_wait import note_wait, wait_for

if TYPE_CHECKING:
    from worker.core import Messaging

app = single_command()


@app.command()
def publish(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE|URL...", help="Paths, or file://, https://, s3://, gs:// or az:// URLs."
        ),
    ],
    *,
    account: Annotated[
        str,
        typer.Option(metavar="ID", help="Whose recordings they are.", autocompletion=account_ids),
    ],
    number: Annotated[str | None, typer.Option(help="The number that was recorded.")] = None,
    recording_id: Annotated[
        str | None, typer.Option(metavar="ID", help="For one file; by default a new one.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until each is delivered or not.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=MAX_SECONDS,
            metavar="SECONDS",
            help="Wait so long at most, which is no harm to the files.",
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would become of them; publish nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish recordings as the pipeline does.

    The worker reads the files, so it must be able to reach them under these paths.
    """
    if recording_id is not None and len(files) > 1:
        raise typer.BadParameter("it names one recording: give one file with it.")
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout ends a --wait: give both.")
    with context.core() as core:
        core.directory.get(account)
        events = [Event.of(each, account, number, recording_id or _new_id()) for each in files]
        if dry_run:
            _tell(events, judged(core, events), as_json=as_json, key="outcome")
            note_wait(core, account)
            return
    with context.messaging() as (core, messaging):
        topology.declare_once(core.settings.rabbitmq, topology.RECORDINGS, topology.INTAKE)
        _publish(messaging, events)
        if wait:
            wait_for(core, events, timeout, as_json=as_json)
        else:
            _tell(events, ["published"] * len(events), as_json=as_json)


def _new_id() -> str:
    return str(uuid.uuid4())


def _publish(messaging: "Messaging", events: Sequence[Event]) -> None:
    with output.counting("Publishing", len(events)) as done:
        for event in events:
            messaging.publisher.publish(
                topology.RECORDINGS.name,
                names.READY_KEY,
                event.body,
                message_id=event.recording_id,
            )
            done()


def _tell(
    events: Sequence[Event], words: Sequence[str], *, as_json: bool, key: str | None = None
) -> None:
    """`key`: what JSON calls the words; None: they stand there for people alone."""
    told = list(zip(events, words, strict=True))
    if as_json:
        output.print_json(
            [
                {
                    "recording_id": event.recording_id,
                    "file_url": event.file_url,
                    **({key: word} if key else {}),
                }
                for event, word in told
            ]
        )
        return
    for event, word in told:
        output.say(f"{event.recording_id} {word}")
