"""Recordings' rows brought into a state, each step by the ledger's own transition."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from consumers.intake.events import decode
from consumers.ledger import Arrival, Claim, Claimant, FailedTry, LastError, Ledger, Opened
from transports.job import Intent, Uploaded, Verified

FOLDER = "/in"
ME = Claimant("worker-1", "session-1", 1)
OTHER = Claimant("worker-2", "session-2", 1)
LATER = Claimant("worker-3", "session-3", 2)
AWAY = LastError("account", "Connection refused", "Check the server.")
FAILED = FailedTry(AWAY, part_left=False, counted=True, by_account=True)
"""A try that the customer's server ended, with nothing left there."""
HASH = "a" * 64


def opened(
    ledger: Ledger,
    recording_id: str = "one",
    account_id: str = "acme",
    *,
    skipped: bool = False,
    **fields: Any,
) -> Opened:
    event = {
        "recording_id": recording_id,
        "account_id": account_id,
        "file_url": "file:///r/a.wav",
        **fields,
    }
    body = json.dumps(event).encode()
    [row] = ledger.arrivals.open([Arrival(decode(body, None), body, skipped)])
    return row


def row(ledger: Ledger, recording_id: str = "one") -> dict[str, Any]:
    found = ledger.queries.row(recording_id)
    assert found is not None
    return found


def claim_one(
    ledger: Ledger, recording_id: str, turn: int, claimant: Claimant, folder: str = FOLDER
) -> Claim | None:
    return next(iter(ledger.claims.claim({recording_id: turn}, claimant, folder)), None)


def deliver_one(ledger: Ledger, claim: Claim, uploaded: Uploaded) -> float | None:
    return ledger.outcomes.delivered([(claim, uploaded)]).get(claim.recording_id)


def claimed(
    ledger: Ledger, recording_id: str = "one", claimant: Claimant = ME, **fields: Any
) -> Claim:
    """A claim of a row that is made where there is none."""
    if ledger.queries.row(recording_id) is None:
        opened(ledger, recording_id, **fields)
    claim = claim_one(ledger, recording_id, row(ledger, recording_id)["turn"], claimant, FOLDER)
    assert claim is not None
    return claim


def alone(claimant: Claimant) -> Claimant:
    """The same, with nothing else running in its process."""
    return replace(claimant, exclusive=True)


def crashed(ledger: Ledger, times: int, recording_id: str = "one") -> None:
    """So many workers have died of the file while it was all they uploaded."""
    for number in range(times):
        claimed(ledger, recording_id, alone(Claimant(f"dead-{number}", "session", 1)))
        ledger.claims.free("acme", ME)


def waits(ledger: Ledger, claim: Claim, delay: float = 0, **changes: Any) -> bool:
    return ledger.outcomes.waits(claim, replace(FAILED, **changes), delay)


def dies(ledger: Ledger, claim: Claim, outage_id: int | None = None, **changes: Any) -> bool:
    return ledger.outcomes.dead_lettered(claim, replace(FAILED, **changes), outage_id)


def uploaded(path: str = "/in/a.wav") -> Uploaded:
    return Uploaded(path, 7, HASH, Verified.SIZE, sent=True)


def intent(claim: Claim, path: str = "/in/a.wav") -> Intent:
    return Intent(f"/in/{claim.part}", path, 7, HASH)


def settlements(ledger: Ledger) -> dict[str, Callable[[Claim], object]]:
    return {
        "intend": lambda claim: ledger.remote_paths.intend(claim, intent(claim), FOLDER, 1),
        "delivered": lambda claim: deliver_one(ledger, claim, uploaded()) is not None,
        "waits": lambda claim: waits(ledger, claim),
        "dead_lettered": lambda claim: dies(ledger, claim),
        "release": ledger.outcomes.release,
    }
