"""The story of one recording for people: a line for each thing that happened, and whose turn it is.

The ledger keeps a row's events, and the times at which its account stood still; how they are told
stands here, once for the page, the API and the command. Customers read nothing of workers, nor what
was said of failures that the platform has to mend.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from config.errors import UnknownAccount
from consumers.delivery.policy import State
from consumers.ledger import By, Document, LastError, Standstill, Status
from consumers.ledger.standstills import PAUSED
from consumers.ledger.story import What, events_of
from transports.diagnosis import advice_for_customers, by_code
from transports.errors import Speaker, is_platforms
from worker.account_facts import AccountFacts, read_state
from worker.database import Core
from worker.show import verified_by
from worker.story_standing import standing
from worker.story_step import Step

PHASES = {
    "opening": "while opening the recording",
    "reading": "while reading the recording",
    "connecting": "while connecting to the server",
    "login": "while logging in",
    "folder": "while making the folder",
    "looking": "while looking at what stands at the server",
    "writing": "while sending",
    "verifying": "while checking what had arrived",
    "renaming": "while giving it its name",
    "recording": "while writing down how it ended",
}
"""How far a try came, by what is stored of it."""
_BACK = {
    By.PEOPLE.value: "Somebody put it back on its way. Its tries start anew.",
    By.OUTAGE.value: "The account delivers again, so it went back on its way by itself. Its tries "
    "start anew.",
    By.CHANGE.value: "It went back on its way: its account was changed while its last try failed.",
}
_BEGUN = "A try was begun"
_EVER = datetime.max.replace(tzinfo=UTC)


def read_story(core: Core, row: Document, *, is_operator: bool) -> list[Step]:
    """The story of a row that was read whole."""
    account_id = row["account_id"]
    try:
        facts = read_state(core, account_id)
    except UnknownAccount:
        facts = None
    standstills = core.ledger.accounts.standstills(account_id)
    steps = story_of(row, standstills, facts)
    return steps if is_operator else [_for_customer(each) for each in steps]


def story_of(
    row: Document, standstills: Sequence[Standstill], facts: AccountFacts | None
) -> list[Step]:
    """All of it in the order of time, and at the end how it stands now."""
    steps = [*_arrival(row), *_waits(row, standstills), *_events(row), *_of_fields(row)]
    steps.sort(key=lambda step: step.at or _EVER)
    return [*steps, *standing(row, facts)]


def _for_customer(step: Step) -> Step:
    """Without the platform's inner life."""
    text = step.text.replace("It became a dead letter:", "It was skipped:")
    advice = advice_for_customers(step.cause or "", step.next_step or "") or None
    step = replace(step, text=text, worker=None, next_step=advice)
    if not (step.said and is_platforms(step.kind or "", step.cause or "")):
        return step
    known = by_code(step.cause or "")
    cause = known.cause if known and known.cause not in text else None
    return replace(step, said=cause, said_by=Speaker.COURIER.value if cause else None)


# --- from its arrival to its queue --------------------------------------------------------------


def _arrival(row: Document) -> Iterator[Step]:
    yield Step(row["created_at"], "arrived", "The recording arrived.")
    if row["status"] == Status.SKIPPED:
        words = "It was left to e-mail: so says the delivery method of its number."
        yield Step(row["created_at"], "left_to_email", words)
    routed = [each["routed_at"] for each in events_of(row) if each.get("routed_at")]
    for at in (*routed, row.get("routed_at")):
        if at is not None:
            yield Step(at, "routed", "It was put into its account's queue.")


# --- what its account did -----------------------------------------------------------------------


def _waits(row: Document, standstills: Sequence[Standstill]) -> Iterator[Step]:
    for standstill in standstills:
        over = standstill.until or _EVER
        for begin, end in _on_its_way(row):
            at, until = max(begin, standstill.since), min(end, over)
            if at < until:
                yield _standstill(standstill, at, None if until == _EVER else until)


def _on_its_way(row: Document) -> Iterator[tuple[datetime, datetime]]:
    """The times at which the file waited for its delivery."""
    begin: datetime | None = row["created_at"] if row["status"] != Status.SKIPPED else None
    for event in events_of(row):
        if begin is not None and _ends_it(event):
            yield begin, event["at"]
            begin = None
        if event["what"] in {What.REPLAYED, What.REDELIVERED}:
            begin = event["at"]
    if begin is not None:
        ended = (row.get(name) for name in ("delivered_at", "dead_at", "discarded_at"))
        yield begin, next((at for at in ended if at is not None), _EVER)


def _ends_it(event: Document) -> bool:
    final = {What.DELIVERED, What.DEAD_LETTERED, What.DISCARDED}
    return event["what"] in final or event.get("dead", False)


def _standstill(standstill: Standstill, at: datetime, until: datetime | None) -> Step:
    goes_on = until is None
    if standstill.what == PAUSED:
        words = "It waits: the account is paused." if goes_on else "The account was paused."
        return Step(at, PAUSED, words, until)
    often = f" {standstill.times} times" if standstill.times > 1 else ""
    words = f"The account was suspended{often}, and the file waited."
    if goes_on:
        words = f"The account was suspended{often}: its files wait."
    return Step(
        at,
        State.SUSPENDED.value,
        _with_cause(words, standstill.cause),
        until,
        times=standstill.times,
        said=standstill.words or None,
        said_by=standstill.said_by or None,
        cause=standstill.cause or None,
    )


# --- what its row keeps -------------------------------------------------------------------------


def _events(row: Document) -> Iterator[Step]:
    number = 0
    for event in events_of(row):
        missing = event["n"] - number - 1
        number = event["n"]
        if missing:
            words = f"Events of its story that were not kept: {missing}."
            yield Step(event.get("since", event["at"]), "gap", words)
        yield from _told(event)


def _told(event: Document) -> Iterator[Step]:
    at, what = event["at"], event["what"]
    match what:
        case What.FAILED:
            yield _failed(event)
            if event.get("dead"):
                yield _dead(at, returns=event.get("returns", False))
        case What.DELIVERED:
            yield _delivered(event)
        case What.LOST:
            yield _lost(event)
        case What.TAKEN_BACK:
            words = "That try does not count: the account was changed meanwhile."
            yield Step(at, what, words)
        case What.DEAD_LETTERED:
            yield _dead(at, returns=False, why="no try of it comes to an end")
        case What.REPLAYED:
            yield Step(at, what, _BACK.get(event["by"], _BACK[By.PEOPLE.value]))
        case What.REDELIVERED:
            yield _redelivered(at, event["path"])
        case What.DISCARDED:
            yield _discarded(at, is_removal=event.get("by") == By.REMOVAL)


def _failed(event: Document) -> Step:
    known = by_code(event.get("cause", ""))
    return Step(
        event.get("since", event["at"]),
        What.FAILED.value,
        _with_cause(_how_it_failed(event), event.get("cause")),
        event["at"] if "since" in event else None,
        event.get("times", 1),
        next_at=event.get("until"),
        phase=event.get("phase"),
        said=event.get("said"),
        said_by=event.get("said_by"),
        kind=event.get("kind"),
        cause=event.get("cause"),
        next_step=event.get("advice") or (known.next_step if known else None),
        counted=event["counted"],
        bytes=event.get("bytes", 0),
        seconds=_seconds(event),
        worker=event.get("worker"),
    )


def _with_cause(words: str, code: str | None) -> str:
    known = by_code(code or "")
    return f"{words} {known.cause}" if known else words


def _how_it_failed(event: Document) -> str:
    where = PHASES.get(event.get("phase", ""), "")
    where = f" {where}" if where else ""
    if event["counted"]:
        return f"Try {event['tries']} failed{where}."
    often, each = (f" {event['times']} times", " each time") if "times" in event else ("", "")
    begun = "The suspended account was tried with this file" if event.get("probe") else _BEGUN
    ended = "failed" if event.get("probe") else "ended"
    return f"{begun}{often}, and {ended}{each}{where}. That costs the file no try."


def _delivered(event: Document) -> Step:
    by = verified_by(event["verified"])
    words = f"Delivered: {event['bytes']:,} bytes, checked by {by}."
    if event.get("found"):
        words = (
            "Delivered: an earlier try had brought it, as was found now. Nothing was sent again."
        )
    return Step(
        event["at"],
        What.DELIVERED.value,
        words,
        bytes=event["bytes"],
        seconds=_seconds(event),
        verified=event["verified"],
        worker=event.get("worker"),
    )


def _lost(event: Document) -> Step:
    words = "The platform was interrupted in the middle of a try. The file is brought by the next."
    if not event["died"]:
        words = "How a try ended could not be written down. The next one finds out."
    return Step(event["at"], What.LOST.value, words, worker=event.get("worker"))


def _dead(at: datetime, *, returns: bool, why: str = "its tries are used up") -> Step:
    words = f"It became a dead letter: {why}. Somebody may replay or discard it."
    if returns:
        words = (
            "It became a dead letter: all of its tries failed by the account. It goes back on its "
            "way by itself once the account delivers again."
        )
    return Step(at, What.DEAD_LETTERED.value, words)


def _redelivered(at: datetime, path: str | None) -> Step:
    before = f" It stood there as {path} before." if path else ""
    words = f"Somebody asked to have it delivered once more.{before} Its tries start anew."
    return Step(at, What.REDELIVERED.value, words)


def _discarded(at: datetime, *, is_removal: bool) -> Step:
    words = "It was given up with its account." if is_removal else "Somebody gave it up for good."
    return Step(at, What.DISCARDED.value, words)


def _seconds(event: Document) -> float | None:
    began = event.get("began")
    return None if began is None else round((event["at"] - began).total_seconds(), 3)


# --- what only its fields know ------------------------------------------------------------------


def _of_fields(row: Document) -> Iterator[Step]:
    """What an earlier version has left, which kept no events; and what took the file's place."""
    known = {event["what"] for event in events_of(row)}
    is_dead = row["status"] == Status.DEAD_LETTERED
    error = row.get("last_error")
    if error and error.get("at") and What.FAILED not in known:
        yield _last_error(LastError.stored(error), error["at"], row["tries"])
        if is_dead and row.get("dead_at") and What.DEAD_LETTERED not in known:
            yield _dead(row["dead_at"], returns="casualty" in row)
    if row.get("delivered_at") and What.DELIVERED not in known:
        by = verified_by(row.get("verified"))
        words = f"Delivered: {row['size'] or 0:,} bytes, checked by {by}."
        yield Step(row["delivered_at"], What.DELIVERED.value, words, bytes=row["size"])
    yield from _of_redelivery(row)
    if row.get("discarded_at") and What.DISCARDED not in known:
        yield _discarded(row["discarded_at"], is_removal=False)
    if replaced := row.get("replaced"):
        words = f"A later recording of the same name took its place: {replaced['by']}."
        yield Step(replaced["at"], "replaced", words)


def _of_redelivery(row: Document) -> Iterator[Step]:
    """The last one, and the delivery before the first one, where no event tells of them."""
    again, events = row.get("redelivered"), events_of(row)
    if not again:
        return
    whats = [event["what"] for event in events]
    is_told = What.REDELIVERED in whats
    asked = whats.index(What.REDELIVERED) if is_told else len(whats)
    at = events[asked].get("delivered_at") if is_told else again["before"].get("at")
    if at and What.DELIVERED not in whats[:asked]:
        yield Step(at, What.DELIVERED.value, "Delivered. More was not kept of it then.")
    if not is_told:
        yield _redelivered(again["asked_at"], again["before"].get("path"))


def _last_error(error: LastError, at: datetime, tries: int) -> Step:
    often = f"The last of {tries} failed tries." if tries > 1 else "A try failed."
    return Step(
        at,
        What.FAILED.value,
        _with_cause(f"{often} More was not kept of it then.", error.cause),
        said=error.words,
        said_by=error.said_by or None,
        kind=error.kind,
        cause=error.cause or None,
        next_step=error.advice,
    )
