"""`courier publish --wait`: where each file stands, why it waits, and what became of it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

from rich.console import Group
from rich.live import Live
from rich.text import Text

from config.errors import UnknownAccount
from consumers.intake.invalid_queue import reasons_of
from consumers.ledger import Document, LastError, Status
from consumers.sharding.presence import workers
from worker import show
from worker.account_facts import read_state
from worker.cli import output
from worker.cli.publish_event import Event
from worker.cli.refusal import Refused
from worker.cli.tables import Column
from worker.cli.waits import REMOVED, Wait, kept_by_store, why_waiting
from worker.database import Core

LOOK_SECONDS = 0.3
ASK_SECONDS = 1.0
"""Time between two looks at what may keep the files."""
NAMED = 5
"""Recordings that are named where waiting is stopped."""
SHOWN = 10
"""Files that are shown at once while they wait."""
NO_WORKER = Wait("no worker", "No worker runs now: it goes on once 'courier run' does.")
_FINAL = {Status.DELIVERED, Status.DEAD_LETTERED, Status.SKIPPED, Status.DISCARDED}
_FINE = {Status.DELIVERED.value, Status.SKIPPED.value}
_INVALID = "invalid"
_COLUMNS = (
    Column("FILE", least=12, keeps="end"),
    Column("STANDS", least=None),
    Column("WHY", weight=1, least=16),
)


class Standing(NamedTuple):
    """Where an event's recording stands: a status of its row, `published` or `invalid`."""

    status: str
    detail: str
    kept: str = ""
    """Why the platform's store of recordings keeps it; empty where it does not."""

    @property
    def is_final(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.status in _FINAL or self.status == _INVALID


@dataclass
class Waiting:
    """The events that are waited for, each with where it stands."""

    core: Core
    events: Sequence[Event]
    stands: dict[str, Standing] = field(default_factory=dict)
    obstacle: Wait | None = None
    """What keeps all of them: they are of one account."""
    _asked_at: float = -ASK_SECONDS

    @property
    def left(self) -> list[Event]:
        """Those that are still on their way."""
        return [each for each in self.events if not self._stand(each).is_final]

    def stand(self, event: Event) -> Standing:
        """Where it stands, and why it waits there."""
        stands = self._stand(event)
        if self.obstacle is None or stands.status not in {"published", Status.QUEUED}:
            return stands
        return Standing(stands.status, _in_short(event.account_id, self.obstacle))

    def look(self) -> list[Event]:
        """Look where they stand now; those that have come to an end since the last look."""
        left = self.left
        rows = self.core.ledger.queries.rows([each.recording_id for each in left])
        own = {each.recording_id: rows.get(each.recording_id) for each in left}
        for event in left:
            row = own[event.recording_id]
            if row is not None and event.is_of(row):
                self.stands[event.recording_id] = _standing(row)
        if time.monotonic() - self._asked_at >= ASK_SECONDS:
            self._asked_at = time.monotonic()
            self._look_for_invalid(left, own)
            self.obstacle = _obstacle(self.core, left[0].account_id, is_taken=any(own.values()))
        return [each for each in left if self._stand(each).is_final]

    def _look_for_invalid(self, left: Sequence[Event], rows: dict[str, Document | None]) -> None:
        """Those without a row of their own may lie among the invalid events."""
        missing = [
            event
            for event in left
            if (row := rows[event.recording_id]) is None or not event.is_of(row)
        ]
        if missing:
            bodies = [each.body for each in missing]
            found = reasons_of(self.core.settings.rabbitmq, bodies)
            for event in missing:
                if event.body in found:
                    self.stands[event.recording_id] = Standing(_INVALID, found[event.body])

    def _stand(self, event: Event) -> Standing:
        return self.stands.get(event.recording_id, Standing("published", "not taken yet"))


def wait_for(core: Core, events: Sequence[Event], timeout: float | None, *, as_json: bool) -> None:
    """Wait until each is final. Raises Refused where one is not delivered, or time is over."""
    waiting = Waiting(core, events)
    try:
        is_over = _wait(waiting, timeout, as_json=as_json)
    except KeyboardInterrupt:
        raise Refused(_still_on_their_way("Waiting was stopped", waiting)) from None
    finally:
        if as_json:
            output.print_json([_json(waiting, each) for each in events])
    if not is_over:
        raise Refused(_still_on_their_way(f"Waited {output.duration(timeout or 0)}", waiting))
    failed = [each for each in events if waiting.stand(each).status not in _FINE]
    if failed:
        raise Refused(_not_delivered(waiting, failed))


def _wait(waiting: Waiting, timeout: float | None, *, as_json: bool) -> bool:
    """Whether all came to their end before the time was over; each end is told at once."""
    begun, said = time.monotonic(), ""
    with _live(waiting) if output.is_terminal() and not as_json else nullcontext() as live:
        while True:
            for event in waiting.look():
                if not as_json:
                    _tell(event, waiting.stand(event), live)
            if not waiting.left:
                return True
            if live is not None:
                live.update(_page(waiting), refresh=True)
            else:
                said = _note_obstacle(waiting, said)
            if timeout is not None and time.monotonic() - begun >= timeout:
                return False
            time.sleep(LOOK_SECONDS)


def _note_obstacle(waiting: Waiting, said: str) -> str:
    """Say what keeps the files, once; that a timer goes on is nothing new. What was said."""
    obstacle = waiting.obstacle
    if obstacle is None:
        return _note_kept(waiting, said)
    new = obstacle.state if obstacle.ends_by_trying else f"{obstacle.state}: {obstacle.words}"
    if new != said:
        output.note(_sentence(waiting.events[0].account_id, obstacle))
    return new


def _note_kept(waiting: Waiting, said: str) -> str:
    """The first file that the store keeps stands for all of them."""
    kept = ((each, waiting.stand(each).kept) for each in waiting.left)
    event, why = next((each for each in kept if each[1]), (None, ""))
    if event is not None and why != said:
        output.note(f"{event.recording_id} is {why}.")
    return why


@contextmanager
def _live(waiting: Waiting) -> Iterator[Live]:
    """What waits, below what has ended; nothing of it stays on the screen."""
    console = output.stdout()
    with Live(_page(waiting), console=console, auto_refresh=False, transient=True) as live:
        yield live


def _page(waiting: Waiting) -> Group:
    left = waiting.left
    rows = [(each.name, *_told(waiting.stand(each))) for each in left[:SHOWN]]
    ended = len(waiting.events) - len(left)
    more = f", {len(left) - SHOWN} of them not shown" if len(left) > SHOWN else ""
    counted = Text(f"{ended} of {len(waiting.events)} ended, {len(left)} wait{more}", style="dim")
    return Group(output.table(_COLUMNS, rows, output.terminal_width()), counted)


def _tell(event: Event, stands: Standing, live: Live | None) -> None:
    """A line for what has ended, its status as --status of lists takes it; on a terminal one that
    fits, above what waits."""
    if live is None:
        word = _word(stands).replace(" ", "-")  # so that a program finds it in one column
        line = f"{event.recording_id} {word} {stands.detail}".rstrip()
        output.say(line, output.STYLES.get(stands.status, "red"))
        return
    row = (event.name, *_told(stands))
    lines = output.table(_COLUMNS, [row], output.terminal_width())
    lines.show_header = False
    live.console.print(lines)


def _told(stands: Standing) -> tuple[Text, str]:
    return output.coloured(stands.status, _word(stands)), stands.detail


def _word(stands: Standing) -> str:
    """What tables call it."""
    return show.STATUS_WORDS.get(stands.status, stands.status)


def _standing(row: Document) -> Standing:
    status = Status(row["status"])
    error = LastError.stored(row["last_error"]) if row["last_error"] else None
    words = error.words if error else ""
    if status is Status.DELIVERED:
        return Standing(status.value, row.get("remote_path", ""))
    if status in _FINAL:
        return Standing(status.value, words)
    number = f"try {row['tries'] + 1}"
    after = f", after: {words}" if words else ""
    doing = f"{number} runs" if status is Status.UPLOADING else f"{number} comes"
    kept = kept_by_store(error) if error and error.is_stores else ""
    waits = kept if status is Status.QUEUED else ""
    return Standing(status.value, waits or f"{doing}{after}", kept)


def note_wait(core: Core, account_id: str) -> None:
    """Say for what files of the account would wait at this moment, if for anything."""
    if (wait := _obstacle(core, account_id, is_taken=True)) is not None:
        output.note(_sentence(account_id, wait))


def _obstacle(core: Core, account_id: str, *, is_taken: bool) -> Wait | None:
    """What has to happen before the files go on; None where they go on by themselves."""
    if not workers(core.database):
        return NO_WORKER
    if not is_taken:
        return None  # the account has no part in it
    try:
        facts = read_state(core, account_id)
    except UnknownAccount:
        return Wait(REMOVED, "what waits for it is discarded within minutes")
    wait = why_waiting(facts, None, core.settings.suspend_after)
    return None if wait.state in {"flowing", "probing", "failing"} else wait


def _in_short(account_id: str, wait: Wait) -> str:
    """`acme is suspended, next try in 14 min (530 Login incorrect.)`"""
    if wait is NO_WORKER:
        return "no worker runs"
    return f"{account_id} is {_words(wait)}"


def _words(wait: Wait) -> str:
    joint = "," if wait.ends_by_trying or wait.state == "window" else ":"
    return f"{wait.told}{joint} {wait.words}"


def _sentence(account_id: str, wait: Wait) -> str:
    """The same for whoever reads it once, with the command that helps."""
    if wait is NO_WORKER:
        return wait.words
    said = _in_short(account_id, wait)
    if wait.ends_by_trying:
        return f"{said}: 'courier accounts try-now {account_id}' tries it at once."
    if wait.state == "window":
        return f"{said}: 'courier accounts try-now {account_id}' sends what waits at once."
    said = said if said.endswith(".") else f"{said}."
    if wait.state == "held":
        tells = f"'courier accounts show {account_id}' tells what to do."
        return f"{said} {wait.advice or tells}"
    return said


def _json(waiting: Waiting, event: Event) -> show.Shape:
    stands = waiting.stand(event)
    return {
        "recording_id": event.recording_id,
        "status": stands.status,
        "detail": stands.detail,
    }


def _not_delivered(waiting: Waiting, failed: Sequence[Event]) -> str:
    first, stands = failed[0], waiting.stand(failed[0])
    article = "a " if stands.status == Status.DEAD_LETTERED else ""
    why = f"{first.recording_id} is {article}{_word(stands)}"
    why += f" ({stands.detail})" if stands.detail else ""
    group = "invalid" if stands.status == _INVALID else "dead-letters"
    return (
        f"{len(failed)} of {len(waiting.events)} not delivered; {why}: mend the cause, then use "
        f"'courier {group} replay'."
    )


def _still_on_their_way(why: str, waiting: Waiting) -> str:
    left = waiting.left
    told = [f"{each.recording_id} {_brief(waiting.stand(each))}" for each in left[:NAMED]]
    named = "; ".join(told) + ("; ..." if len(left) > NAMED else "")
    return (
        f"{why}; {len(left)} of {len(waiting.events)} still on their way ({named}): "
        "'courier deliveries show ID' tells what becomes of it."
    )


def _brief(stands: Standing) -> str:
    return f"{stands.status}: {stands.detail}" if stands.detail else stands.status
