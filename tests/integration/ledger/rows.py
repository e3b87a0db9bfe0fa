"""Recordings' rows brought into a state, each step by the ledger's own transition."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from consumers.intake.events import decode
from consumers.ledger import Arrival, Claim, Claimant, LastError, Opened
from consumers.ledger.deliveries import Deliveries
from transports.upload import Intent, Uploaded, Verified

FOLDER = "/in"
ME = Claimant("worker-1", "session-1", 1)
OTHER = Claimant("worker-2", "session-2", 1)
LATER = Claimant("worker-3", "session-3", 2)
AWAY = LastError("account", "Connection refused", "Check the server.")
FAILED = {"counted": True, "by_account": True, "error": AWAY, "part_left": False}
"""A try that the customer's server ended, with nothing left there."""
HASH = "a" * 64


def opened(
    files: Deliveries,
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
    [row] = files.open([Arrival(decode(body, None), body, skipped)])
    return row


def row(files: Deliveries, recording_id: str = "one") -> dict[str, Any]:
    found = files.row(recording_id)
    assert found is not None
    return found


def claim_one(
    files: Deliveries, recording_id: str, turn: int, claimant: Claimant, folder: str = FOLDER
) -> Claim | None:
    return next(iter(files.claim_flight({recording_id: turn}, claimant, folder)), None)


def deliver_one(files: Deliveries, claim: Claim, uploaded: Uploaded) -> float | None:
    return files.delivered_flight([(claim, uploaded)]).get(claim.recording_id)


def claimed(
    files: Deliveries, recording_id: str = "one", claimant: Claimant = ME, **fields: Any
) -> Claim:
    """A claim of a row that is made where there is none."""
    if files.row(recording_id) is None:
        opened(files, recording_id, **fields)
    claim = claim_one(files, recording_id, row(files, recording_id)["turn"], claimant, FOLDER)
    assert claim is not None
    return claim


def alone(claimant: Claimant) -> Claimant:
    """The same, with nothing else running in its process."""
    return replace(claimant, alone=True)


def crashed(files: Deliveries, times: int, recording_id: str = "one") -> None:
    """So many workers have died of the file while it was all they uploaded."""
    for number in range(times):
        claimed(files, recording_id, alone(Claimant(f"dead-{number}", "session", 1)))
        files.free_claims("acme", ME)


def waits(files: Deliveries, claim: Claim, delay: float = 0, **changes: Any) -> bool:
    return files.waits(claim, delay=delay, **{**FAILED, **changes})


def dies(files: Deliveries, claim: Claim, casualty_of: int | None = None, **changes: Any) -> bool:
    return files.dead_lettered(claim, casualty_of=casualty_of, **{**FAILED, **changes})


def uploaded(path: str = "/in/a.wav") -> Uploaded:
    return Uploaded(path, 7, HASH, Verified.SIZE, sent=True)


def intent(claim: Claim, path: str = "/in/a.wav") -> Intent:
    return Intent(f"/in/{claim.part}", path, 7, HASH)


def settlements(files: Deliveries) -> dict[str, Callable[[Claim], object]]:
    return {
        "intend": lambda claim: files.intend(claim, intent(claim), FOLDER, 1),
        "delivered": lambda claim: deliver_one(files, claim, uploaded()) is not None,
        "waits": lambda claim: waits(files, claim),
        "dead_lettered": lambda claim: dies(files, claim),
        "release": files.release,
    }
