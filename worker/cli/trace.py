"""`courier trace`."""

import time
from collections import deque
from typing import Annotated

import typer
from bson import ObjectId
from rich.text import Text

from config.audit import Action
from consumers.ledger import ASKED_SECONDS, QueueShape, TracedLine, TracePiece
from worker import show
from worker.account_facts import AccountFacts, read_state
from worker.cli import context, output
from worker.cli.account_page import server_of
from worker.cli.apps import single_command
from worker.cli.options import MAX_SECONDS, AccountId
from worker.cli.record import record
from worker.cli.waits import Wait, why_waiting
from worker.database import Core

LOOK_SECONDS = 0.3
ASK_SECONDS = ASKED_SECONDS / 3
REMEMBERED = 2000
"""More pieces than MongoDB keeps of one account."""
HEARD = ("flowing", "failing", "probing")
"""Why files of an account wait while it is at work: its next one is sent at once."""
_STYLES = {">": "cyan", "<": "", "*": "dim"}

app = single_command()


@app.command()
def trace(
    account_id: AccountId,
    *,
    seconds: Annotated[
        float | None,
        typer.Option(min=0, max=MAX_SECONDS, help="End after so long; without it by Ctrl-C."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each.")] = False,
) -> None:
    """Show what is said to an account's server and what it answers, live, until Ctrl-C.

    No password is shown, and nothing of a recording. Lines begin with **>** where Courier speaks,
    with **<** where the server does. Nothing is sent for it, and no file is tried sooner. The audit
    of the account keeps who has listened.
    """
    with context.core() as core:
        server = server_of(core.directory.get(account_id).settings)
        record(core, Action.ACCOUNT_TRACED, account_id)
        output.note(f"Listening to {account_id} at {server or 'no server'}; Ctrl-C ends it.")
        try:
            _listen(core, account_id, seconds, as_json=as_json)
        except KeyboardInterrupt:
            return  # it is how listening ends


def _listen(core: Core, account_id: str, seconds: float | None, *, as_json: bool) -> None:
    """The worker that has the account writes for as long as it is asked again and again."""
    traces = core.ledger.traces
    known = deque[ObjectId](maxlen=REMEMBERED)
    known.extend(piece.piece_id for piece in traces.read(account_id, ()))
    begun = time.monotonic()
    asked, told = -ASK_SECONDS, ""
    while True:
        now = time.monotonic() - begun
        if now - asked >= ASK_SECONDS:
            core.ledger.accounts.listen(account_id, ASKED_SECONDS)
            asked = now
            told = _note_change(told, _what_comes(core, account_id))
        for piece in traces.read(account_id, known):
            known.append(piece.piece_id)
            _print(piece, as_json=as_json)
        if seconds is not None and now >= seconds:
            return
        time.sleep(LOOK_SECONDS)


def _note_change(told: str, words: str) -> str:
    if words != told:
        output.note(words)
    return words


def _what_comes(core: Core, account_id: str) -> str:
    """Why there may be nothing to hear."""
    shape = core.ledger.shapes.by_account(account_id).get(account_id)
    facts = read_state(core, account_id)
    wait = why_waiting(facts, shape, core.settings.suspend_after)
    if shape is not None:
        return f"{_files(shape)}; {_is_so(account_id, wait)}."
    is_tried_next = wait.ends_by_trying and not _is_timed(facts)
    if wait.state in HEARD or is_tried_next:
        return "No file of it is on its way: the next one is heard."
    why = _is_so(account_id, wait)
    return f"No file of it is on its way, and the next one is not heard yet: {why}."


def _files(shape: QueueShape) -> str:
    return "1 file waits" if shape.files == 1 else f"{shape.files} files wait"


def _is_so(account_id: str, wait: Wait) -> str:
    """`it is suspended, next try in 14 min: 'courier accounts try-now acme' begins it at once`."""
    sign = ":" if wait.state == "disabled" else ","
    words = wait.words.rstrip(".")
    told = f"it is {wait.told}{f'{sign} {words}' if words else ''}"
    if wait.ends_by_trying:
        return f"{told}: 'courier accounts try-now {account_id}' begins it at once"
    return told


def _is_timed(facts: AccountFacts) -> bool:
    """Whether it is tried at a time, and not with the next file."""
    return facts.run.seconds_until(facts.run.suspended_until) > 0


def _print(piece: TracePiece, *, as_json: bool) -> None:
    for line in piece.lines:
        if as_json:
            output.print_json({**vars(line), "at": show.iso(line.at), "worker": piece.worker})
        else:
            output.stdout().print(_told(line))
    if piece.left_out:
        output.note(f"{piece.left_out} lines more were said than can be read: left out.")


def _told(line: TracedLine) -> Text:
    number = f"#{line.connection}" if line.connection else "  "
    style = _STYLES.get(line.by, "")
    return Text(f"{line.at:%H:%M:%S}.{line.at.microsecond // 1000:03} {number} {line.by} ").append(
        output.printable(line.text), style
    )
