"""Which delivered files tell how soon the service delivers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.ledger import Claim, Claimant, RunState
from consumers.ledger.states import run_state

ARRIVED = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
BEFORE, AFTER = ARRIVED - timedelta(seconds=1), ARRIVED + timedelta(seconds=1)


def claim(**changes: Any) -> Claim:
    row = {
        "_id": "r1",
        "account_id": "acme",
        "starts": 1,
        "turn": 1,
        "tries": 0,
        "account_tries": 0,
        "claim": held("queued"),
        "file_url": "file:///r/a.wav",
        "file_name": "a.wav",
        "size_given": False,
        "sha256_given": False,
        "parts": [],
        "created_at": ARRIVED,
        "event": "{}",
        **changes,
    }
    return Claim.of(row, Claimant("w", "s", 1), 0.0)


def held(was: str) -> dict[str, Any]:
    return {"was": was, "flight": "f", "at": ARRIVED}


def run(**changes: Any) -> RunState:
    return run_state({"run": changes, "now": ARRIVED})


@pytest.mark.parametrize(
    ("begun", "file", "expected"),
    [
        pytest.param(run(), claim(), True, id="nothing was ever wrong"),
        pytest.param(run(well_since=BEFORE), claim(), True, id="well again before it arrived"),
        pytest.param(run(well_since=AFTER), claim(), False, id="it waited for its account"),
        pytest.param(run(failures=1), claim(), False, id="its account fails at this moment"),
        pytest.param(run(), claim(tries=1), False, id="a try of it has failed"),
        pytest.param(run(), claim(was_dead=True), False, id="it lay as a dead letter"),
        pytest.param(
            run(), claim(claim=held("dead_lettered")), False, id="an outage's dead letter"
        ),
    ],
)
def test_a_file_tells_how_soon_we_deliver_where_nothing_else_kept_it_waiting(
    begun: RunState, file: Claim, *, expected: bool
) -> None:
    assert begun.was_well(file) is expected
