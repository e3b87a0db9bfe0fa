"""The story of a recording for people, put together from its row and its account."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.accounts import Account, FtpSettings, Protocol
from consumers.delivery.policy import State
from consumers.ledger import NO_FILES, Document, LastError, Standstill
from consumers.ledger.states import run_state
from tests.unit.worker.test_cli_shapes import ARRIVED, row
from transports.diagnosis import CATALOGUE
from transports.phases import Phase
from worker.account_facts import AccountFacts
from worker.console.api.story import StepOfStoryShape
from worker.story import PHASES, _for_customer, story_of
from worker.story_step import STEP_FIELDS, Step, step_shape

SETTINGS = FtpSettings(protocol=Protocol.SFTP, host="h.example", username="u")
ACME = Account(account_id="acme", ftp_access=True, enabled=True, settings=SETTINGS)


def at(minutes: float) -> datetime:
    return ARRIVED + timedelta(minutes=minutes)


def facts(**run: Any) -> AccountFacts:
    state = replace(run_state({}), now=at(60), **run)
    return AccountFacts(ACME, state, permitted=True, counts=NO_FILES)


def failed(number: int, minutes: float, **changes: Any) -> Document:
    return {
        "n": number,
        "what": "failed",
        "at": at(minutes),
        "began": at(minutes) - timedelta(seconds=2),
        "worker": "host-1-abc",
        "phase": "login",
        "kind": "account",
        "cause": "login-refused",
        "said": "530 no",
        "said_by": "server",
        "tries": number,
        "counted": True,
        "bytes": 0,
        "probe": False,
        **changes,
    }


def delivered(number: int, minutes: float) -> Document:
    return {
        "n": number,
        "what": "delivered",
        "at": at(minutes),
        "began": at(minutes) - timedelta(seconds=1.25),
        "worker": "host-1-abc",
        "bytes": 480_044,
        "verified": "size",
    }


def told(stored: Document, *standstills: Standstill, account: AccountFacts | None = None) -> Any:
    return story_of(stored, standstills, account or facts())


def whats(stored: Document, *standstills: Standstill) -> list[str]:
    return [step.what for step in told(stored, *standstills)]


def arrived(**changes: Any) -> Document:
    return row(routed_at=at(0.01), last_error=None, **changes)


def test_a_delivered_recording_is_told_from_its_arrival_to_its_place() -> None:
    stored = arrived(status="delivered", delivered_at=at(3), events=[failed(1, 1), delivered(2, 3)])
    steps = told(stored)
    assert [step.what for step in steps] == ["arrived", "routed", "failed", "delivered"]
    assert steps[2].text == (
        "Try 1 failed while logging in. The server refuses this username with this password."
    )
    assert (steps[2].said, steps[2].whose, steps[2].seconds) == ("530 no", "customer", 2.0)
    assert steps[2].next_step == (
        "Check username, password and logon type, and that the user is not locked."
    )
    assert steps[3].text == "Delivered: 480,044 bytes, checked by the size that the server tells."
    assert (steps[3].seconds, steps[3].worker) == (1.25, "host-1-abc")


def test_a_dead_letter_that_was_replayed_is_told_with_both_ways() -> None:
    events = [
        failed(1, 1, dead=True, returns=True),
        {"n": 2, "what": "replayed", "at": at(9), "by": "outage", "routed_at": at(0.02)},
        delivered(3, 10),
    ]
    stored = row(status="delivered", routed_at=at(9.1), delivered_at=at(10), events=events)
    assert whats(stored) == [
        *("arrived", "routed", "failed", "dead_lettered", "replayed", "routed", "delivered"),
    ]


def redelivered(number: int, minutes: float) -> Document:
    told = {"routed_at": at(0.02), "path": "in/a.wav", "delivered_at": at(1), "asked": 1}
    return {"n": number, "what": "redelivered", "at": at(minutes), **told}


AGAIN = {"times": 1, "asked_at": at(9), "before": {"path": "in/a.wav", "at": at(1)}}


def test_a_redelivery_is_told_with_both_ways() -> None:
    events = [delivered(1, 1), redelivered(2, 9), delivered(3, 10)]
    times = {"routed_at": at(9.1), "delivered_at": at(10)}
    stored = row(status="delivered", **times, events=events, redelivered=AGAIN)
    assert whats(stored) == [
        *("arrived", "routed", "delivered", "redelivered", "routed", "delivered"),
    ]
    assert "in/a.wav" in told(stored)[3].text


def test_of_a_redelivery_without_events_is_told_what_is_known() -> None:
    stored = arrived(redelivered=AGAIN) | {"routed_at": at(9.1)}
    assert whats(stored)[:4] == ["arrived", "delivered", "redelivered", "routed"]
    with_event = stored | {"events": [redelivered(1, 9)]}
    assert whats(with_event)[:4] == ["arrived", "routed", "delivered", "redelivered"]


def test_of_two_redeliveries_the_delivery_before_the_first_one_is_told() -> None:
    """An earlier version had delivered it, and kept no event of that."""
    second = redelivered(3, 20) | {"delivered_at": at(10)}
    again = {"times": 2, "asked_at": at(20), "before": {"path": "in/a.wav", "at": at(10)}}
    stored = arrived(events=[redelivered(1, 9), delivered(2, 10), second], redelivered=again)
    deliveries = [step.at for step in told(stored) if step.what == "delivered"]
    assert deliveries == [at(1), at(10)]


def test_a_file_waits_from_its_redelivery_on() -> None:
    events = [delivered(1, 1), redelivered(2, 9)]
    stored = arrived(events=events, redelivered=AGAIN)
    paused = Standstill("paused", at(3), at(12))
    (step,) = [step for step in told(stored, paused) if step.what == "paused"]
    assert (step.at, step.until) == (at(9), at(12))


def test_a_gap_says_how_much_is_not_kept() -> None:
    stored = arrived(events=[failed(1, 1), failed(7, 2), failed(8, 3)])
    gaps = [step.text for step in told(stored) if step.what == "gap"]
    assert gaps == ["Events of its story that were not kept: 5."]


def test_what_costs_nothing_says_so_and_how_often() -> None:
    alike = failed(1, 50, counted=False, probe=True, since=at(5), times=12, phase="connecting")
    step = told(arrived(events=[alike]))[2]
    assert step.text.startswith(
        "The suspended account was tried with this file 12 times, and failed each time while "
        "connecting to the server. That costs the file no try. The server refuses"
    )
    assert (step.at, step.until, step.times) == (at(5), at(50), 12)
    once = told(arrived(events=[failed(1, 1, counted=False)]))[2]
    assert once.text.startswith(
        "A try was begun, and ended while logging in. That costs the file no try."
    )


@pytest.mark.parametrize(
    ("since", "until", "shown"),
    [
        (-60, -1, None),
        (-60, 5, (0, 5)),
        (2, 4, (2, 4)),
        (5, 90, (5, 10)),
        (11, 12, None),
        (5, None, (5, 10)),
    ],
)
def test_a_suspension_is_told_as_far_as_the_file_waited_in_it(
    since: float, until: float | None, shown: tuple[float, float] | None
) -> None:
    standstill = Standstill(
        "suspended", at(since), None if until is None else at(until), 3, "login-refused", "530 no"
    )
    stored = arrived(status="delivered", delivered_at=at(10), events=[delivered(1, 10)])
    found = [(step.at, step.until) for step in told(stored, standstill) if step.times == 3]
    assert found == ([] if shown is None else [(at(shown[0]), at(shown[1]))])


def test_a_file_that_lay_dead_did_not_wait() -> None:
    events = [
        failed(1, 1, dead=True, returns=False),
        {"n": 2, "what": "replayed", "at": at(9), "by": "people", "routed_at": None},
    ]
    between = Standstill("suspended", at(2), at(8))
    behind = Standstill("paused", at(20), None)
    assert "suspended" not in whats(arrived(events=events), between)
    assert "paused" in whats(arrived(events=events), behind)


REFUSED = LastError("account", "530 no", "Check.", "server", "login-refused")


@pytest.mark.parametrize(
    ("stored", "account", "words"),
    [
        ({}, facts(), "It waits for its turn."),
        ({"not_before": at(61)}, facts(), "It waits for its next try."),
        ({"routed_at": None}, facts(), "It is not in its account's queue yet"),
        ({}, facts(paused=True), "until somebody resumes the account"),
        ({}, facts(state=State.PROBING), "oldest file is tried"),
        ({}, facts(state=State.SUSPENDED, suspended_until=at(70)), "when the time is over"),
        ({}, replace(facts(), permitted=False), "no FTP access"),
    ],
)
def test_what_waits_says_for_what(stored: Document, account: AccountFacts, words: str) -> None:
    [*_, now] = told({**arrived(), **stored}, account=account)
    assert (now.at, now.what) == (None, "waits")
    assert words in now.text


def test_what_waits_for_its_server_says_whose_turn_it_is() -> None:
    account = facts(state=State.SUSPENDED, suspended_until=at(70), last_error=REFUSED)
    [*_, now] = told(arrived(), account=account)
    assert (now.whose, now.next_at, now.said) == ("customer", at(70), "530 no")


def test_a_file_on_its_way_says_since_when() -> None:
    stored = arrived(status="uploading", claim={"at": at(1), "worker": "w"})
    [*_, now] = told(stored)
    assert (now.at, now.what, now.worker) == (at(1), "uploading", "w")


def test_a_row_of_an_earlier_version_tells_what_is_known() -> None:
    error = {"kind": "account", "words": "530 no", "advice": "Check.", "at": at(4)}
    stored = row(status="dead_lettered", tries=5, last_error=error, dead_at=at(4))
    steps = told(stored)
    assert [step.what for step in steps] == ["arrived", "failed", "dead_lettered"]
    assert "The last of 5 failed tries" in steps[1].text
    old = row(status="delivered", last_error=None, delivered_at=at(2), size=7, verified="hash")
    assert whats(old) == ["arrived", "delivered"]
    gone = row(status="discarded", last_error=None, discarded_at=at(2))
    assert whats(gone) == ["arrived", "discarded"]
    assert whats({"_id": "r", "account_id": "a", **bare(), "status": "queued"})[-1] == "waits"


def bare() -> Document:
    return {"created_at": ARRIVED, "tries": 0}


def test_what_was_left_to_email_says_so() -> None:
    assert whats(row(status="skipped", last_error=None)) == ["arrived", "left_to_email"]


def test_a_customer_reads_skipped_and_nothing_of_workers_and_inner_failures() -> None:
    ours = failed(1, 1, kind="ours", cause="ended-by-the-platform", said="mongo-1:27017 is away")
    dead = failed(2, 2, dead=True, returns=False)
    steps = [_for_customer(step) for step in told(arrived(events=[ours, dead]))]
    text = " ".join(str(step_shape(step)) for step in steps)
    assert "It was skipped: its tries are used up." in text
    assert "dead letter" not in text
    assert "host-1-abc" not in text
    assert "mongo-1" not in text
    assert "530 no" in text


def test_a_customer_has_nothing_to_do_about_the_platforms_own_faults() -> None:
    lost = failed(1, 1, kind="source", cause="recording-missing", advice="Look at the disk.")
    [step] = [each for each in told(arrived(events=[lost])) if each.cause]
    assert (step.said, step.next_step) == ("530 no", "Look at the disk.")
    seen = _for_customer(step)
    assert (seen.said, seen.said_by) == (None, None), "the cause stands in the text"
    assert str(seen.next_step).startswith("Nothing for you to do")


def test_a_customer_who_waits_for_the_platform_reads_the_cause_in_place_of_its_words() -> None:
    step = Step(None, "waits", "It waits.", said="10.0.0.7 is away", said_by="courier")
    seen = _for_customer(replace(step, cause="program-fault"))
    assert (seen.said, seen.said_by) == ("The program failed.", "courier")
    seen = _for_customer(replace(step, kind="source", cause="of-tomorrow"))
    assert (seen.said, seen.said_by) == (None, None)
    assert _for_customer(step).said == step.said


def test_every_phase_and_every_cause_can_be_told() -> None:
    assert set(PHASES) == {phase.name.lower() for phase in Phase}
    for entry in CATALOGUE:
        for phase in PHASES:
            event = failed(1, 1, cause=entry.code, phase=phase, advice="")
            step = told(arrived(events=[event]))[2]
            assert (step.whose, step.next_step) == (entry.whose.value, entry.next_step)


def test_the_api_describes_all_that_it_gives_of_a_story() -> None:
    assert tuple(StepOfStoryShape.model_fields) == STEP_FIELDS
    shape = step_shape(Step(datetime(2026, 1, 2, tzinfo=UTC), "arrived", "It arrived."))
    assert tuple(shape) == STEP_FIELDS
    assert shape["at"] == "2026-01-02T00:00:00.000Z"
