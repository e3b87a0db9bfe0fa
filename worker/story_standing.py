"""How a recording stands now: whether it is being sent, or what it waits for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from consumers.delivery.policy import State
from consumers.ledger import Document, LastError, RunState, Status
from worker.account_facts import AccountFacts
from worker.story_step import Step


def standing(row: Document, facts: AccountFacts | None) -> Iterator[Step]:
    """The last line of its story; none where that has ended. `facts`: None without an account."""
    if row["status"] == Status.UPLOADING and row.get("claim"):
        claim = row["claim"]
        words = "It is being sent now."
        yield Step(claim.get("at"), "uploading", words, worker=claim.get("worker"))
    elif row["status"] == Status.QUEUED:
        yield _waiting(row, facts)


def _waiting(row: Document, facts: AccountFacts | None) -> Step:
    if facts is None:
        return _is_so("It waits, and its account was removed: it is given up soon.")
    return _held(facts) or _in_turn(row, facts.run)


def _held(facts: AccountFacts) -> Step | None:
    """For what the whole account waits."""
    match facts.state:
        case "paused":
            return _is_so("It waits until somebody resumes the account.")
        case "disabled":
            return _is_so(facts.why_disabled)
        case State.PROBING:
            return _is_so("The account's oldest file is tried; once that arrives, this follows.")
        case State.SUSPENDED:
            words = "It waits: when the time is over the account is tried with its oldest file."
            return _is_so(words, facts.run.last_error, facts.run.suspended_until)
    if facts.told_opening:
        return _is_so(f"It waits for the account's delivery window: {facts.told_opening}.")
    return None


def _in_turn(row: Document, run: RunState) -> Step:
    not_before = row.get("not_before")
    if not_before is not None and not_before > run.now:
        return _is_so("It waits for its next try.", None, not_before)
    if row.get("routed_at") is None:
        return _is_so("It is not in its account's queue yet: that is done by itself.")
    return _is_so("It waits for its turn.", run.last_error)


def _is_so(words: str, error: LastError | None = None, next_at: datetime | None = None) -> Step:
    told: dict[str, Any] = {}
    if error is not None:
        told = {"said": error.words, "said_by": error.said_by or None, "kind": error.kind}
        told |= {"cause": error.cause or None, "next_step": error.advice}
    return Step(None, "waits", words, next_at=next_at, **told)
