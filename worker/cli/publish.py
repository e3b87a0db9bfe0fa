"""`courier publish`."""

import json
import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from config.errors import UnknownAccount
from consumers.amqp import topology
from consumers.delivery.policy import State
from consumers.intake.events import decode
from consumers.intake.invalid_queue import reason_of
from consumers.ledger import Document, RunState, Status
from consumers.sharding.presence import workers
from worker import show
from worker.cli import context, output
from worker.cli.apps import single_command
from worker.cli.output import AsJson
from worker.cli.refusal import Refused
from worker.core import Core
from worker.show import AccountFacts

LOOK_SECONDS = 0.3
NAMED = 5
"""Recordings that are named where waiting is stopped."""
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_FINAL = {Status.DELIVERED, Status.DEAD_LETTERED, Status.SKIPPED, Status.DISCARDED}
_FINE = {Status.DELIVERED.value, Status.SKIPPED.value}

app = single_command()


@dataclass(frozen=True)
class Event:
    """One event to publish, as the pipeline would."""

    recording_id: str
    account_id: str
    file_url: str
    body: bytes


@dataclass(frozen=True)
class Outcome:
    """The end of an event: a final status of its row, or `invalid`."""

    recording_id: str
    status: str
    detail: str


@app.command()
def publish(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE|URL...", help="Paths, or file:// or https:// URLs.")
    ],
    *,
    account: Annotated[str, typer.Option(metavar="ID", help="Whose recordings they are.")],
    number: Annotated[str | None, typer.Option(help="The number that was recorded.")] = None,
    recording_id: Annotated[
        str | None, typer.Option(metavar="ID", help="For one file; by default a new one.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until each is delivered or not.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish recordings as the pipeline does.

    The worker reads the files, so it must be able to reach them under these paths.
    """
    if recording_id is not None and len(files) > 1:
        raise typer.BadParameter("it names one recording: give one file with it.")
    with context.core() as core:
        core.directory.get(account)
    events = [_event(each, account, number, recording_id or str(uuid.uuid4())) for each in files]
    with context.messaging() as (core, messaging):
        topology.declare_once(core.settings.rabbitmq, topology.RECORDINGS, topology.INTAKE)
        with output.counting("Publishing", len(events)) as done:
            for event in events:
                messaging.publisher.publish(
                    topology.RECORDINGS.name,
                    topology.READY_KEY,
                    event.body,
                    message_id=event.recording_id,
                )
                done()
        if wait:
            _wait(core, events, as_json=as_json)
        else:
            _tell_published(events, as_json=as_json)


def _event(given: str, account_id: str, number: str | None, recording_id: str) -> Event:
    """Raises Refused where there is no such file, InvalidEvent where it would not be taken."""
    content: dict[str, Any] = {"recording_id": recording_id, "account_id": account_id}
    if _URL.match(given):
        content["file_url"] = given
    else:
        content |= _local(Path(given))
    if number is not None:
        content["number"] = number
    body = json.dumps(content).encode()
    decode(body, "application/json")
    return Event(recording_id, account_id, content["file_url"], body)


def _local(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise Refused(f"The file {path} {_no_file(path)}: nothing was published.")
    return {"file_url": path.resolve().as_uri(), "size": path.stat().st_size}


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is a device, a pipe or a socket" if path.exists() else "does not exist"


def _tell_published(events: list[Event], *, as_json: bool) -> None:
    if as_json:
        output.print_json(
            [{"recording_id": each.recording_id, "file_url": each.file_url} for each in events]
        )
        return
    for event in events:
        output.say(f"{event.recording_id} published")


def _wait(core: Core, events: list[Event], *, as_json: bool) -> None:
    outcomes: list[Outcome] = []
    try:
        with _told(len(events), as_json=as_json) as tell:
            for outcome in _outcomes(core, events):
                tell(outcome)
                outcomes.append(outcome)
    except KeyboardInterrupt:
        raise Refused(_still_on_their_way(events, outcomes)) from None
    finally:
        if as_json:
            output.print_json([vars(each) for each in outcomes])
    failed = [each for each in outcomes if each.status not in _FINE]
    if failed:
        raise Refused(_not_delivered(failed, len(events)))


@contextmanager
def _told(total: int, *, as_json: bool) -> Iterator[Callable[[Outcome], None]]:
    with output.counting("Waiting", total) as done:

        def tell(outcome: Outcome) -> None:
            if not as_json:
                status = outcome.status.replace("_", "-")
                output.say(
                    f"{outcome.recording_id} {status} {outcome.detail}".rstrip(),
                    output.STYLES.get(outcome.status, "red"),
                )
            done()

        yield tell


def _outcomes(core: Core, events: list[Event]) -> Iterator[Outcome]:
    """Each event's outcome as soon as it is known. What the others wait for is said once."""
    waiting = {event.recording_id: event for event in events}
    said = None
    while True:
        for event in list(waiting.values()):
            outcome = _outcome(core, event)
            if outcome is not None:
                del waiting[event.recording_id]
                yield outcome
        if not waiting:
            return
        obstacle = _obstacle(core, next(iter(waiting.values())))
        if obstacle not in {None, said}:
            output.note(obstacle)
        said = obstacle
        time.sleep(LOOK_SECONDS)


def _obstacle(core: Core, event: Event) -> str | None:
    """What has to happen before the event goes on, in words; None where it goes on by itself."""
    if not workers(core.database):
        return "No worker runs now: it goes on once 'courier run' does."
    if core.ledger.queries.row(event.recording_id) is None:
        return None  # not taken yet: the account has no part in it
    try:
        return _account_waits(show.read_state(core, event.account_id))
    except UnknownAccount:
        return f"{event.account_id} was removed: what waits for it is discarded within minutes."


def _account_waits(facts: AccountFacts) -> str | None:
    account_id = facts.account.account_id
    if facts.state == "disabled":
        return f"{account_id} is disabled: {facts.why_disabled}"
    if facts.state == "paused":
        return f"{account_id} is paused: 'courier accounts resume {account_id}' ends it."
    if facts.state == State.SUSPENDED and facts.run.seconds_until(facts.run.suspended_until):
        return _suspended(account_id, facts.run)
    return None


def _suspended(account_id: str, run: RunState) -> str:
    words = f" ({run.last_error.words})" if run.last_error else ""
    return (
        f"{account_id} is suspended until {output.moment(show.iso(run.suspended_until))}{words}: "
        f"'courier accounts try-now {account_id}' tries it at once."
    )


def _outcome(core: Core, event: Event) -> Outcome | None:
    row = core.ledger.queries.row(event.recording_id)
    if row is None or not _is_of(event, row):
        return _refused(core, event)
    if row["status"] not in _FINAL:
        return None
    error = row["last_error"]["words"] if row["last_error"] else ""
    detail = row.get("remote_path", "") if row["status"] == Status.DELIVERED else error
    return Outcome(event.recording_id, row["status"], detail)


def _is_of(event: Event, row: Document) -> bool:
    """Whether the row is this event's: an earlier recording of the same id does not count."""
    return (row["account_id"], row["file_url"]) == (event.account_id, event.file_url)


def _refused(core: Core, event: Event) -> Outcome | None:
    """Whether the event lies among the invalid ones."""
    reason = reason_of(core.settings.rabbitmq, event.body)
    return None if reason is None else Outcome(event.recording_id, "invalid", reason)


def _not_delivered(failed: list[Outcome], total: int) -> str:
    first = failed[0]
    why = f"{first.recording_id} is {first.status.replace('_', '-')}"
    why += f" ({first.detail})" if first.detail else ""
    return (
        f"{len(failed)} of {total} not delivered; {why}: mend the cause, then use "
        f"'courier {'invalid' if first.status == 'invalid' else 'dead-letters'} replay'."
    )


def _still_on_their_way(events: list[Event], outcomes: list[Outcome]) -> str:
    known = {each.recording_id for each in outcomes}
    left = [each.recording_id for each in events if each.recording_id not in known]
    named = ", ".join(left[:NAMED]) + (", ..." if len(left) > NAMED else "")
    return (
        f"Waiting was stopped; {len(left)} of {len(events)} still on their way ({named}): "
        "'courier deliveries show ID' tells what becomes of it."
    )
