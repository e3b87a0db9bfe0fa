"""Files that are claimed, intended and delivered together: each of them by every rule of one."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from config.moments import later
from consumers.ledger import Claim, Claimant, Document, Ledger
from tests.integration.commands import Commands
from tests.integration.ledger.rows import (
    FOLDER,
    HASH,
    LATER,
    ME,
    OTHER,
    alone,
    claim_one,
    claimed,
    deliver_one,
    dies,
    intent,
    opened,
    row,
    uploaded,
    waits,
)

NAMES = [f"{number:02}" for number in range(16)]


def path(name: str) -> str:
    return f"{FOLDER}/{name}.wav"


def flight(
    ledger: Ledger, names: list[str] = NAMES, claimant: Claimant = ME, turn: int = 1
) -> list[Claim]:
    """The claims of these rows, which are made where there are none."""
    for name in names:
        if ledger.queries.row(name) is None:
            opened(ledger, name, file_name=f"{name}.wav")
    return ledger.claims.claim(dict.fromkeys(names, turn), claimant, FOLDER)


def intend(ledger: Ledger, claims: list[Claim]) -> list[bool]:
    return ledger.remote_paths.intend_flight(
        [(claim, intent(claim, path(claim.recording_id)), FOLDER, 1) for claim in claims]
    )


def deliver(ledger: Ledger, claims: list[Claim]) -> dict[str, float]:
    return ledger.outcomes.delivered(
        [(claim, uploaded(path(claim.recording_id))) for claim in claims]
    )


def ids(claims: list[Claim]) -> list[str]:
    return [claim.recording_id for claim in claims]


# --- claims ---------------------------------------------------------------------------------


def test_a_flight_is_claimed_in_the_order_asked_for(ledger: Ledger) -> None:
    order = NAMES[8:] + NAMES[:8]
    claims = flight(ledger, order)

    assert ids(claims) == order
    assert len({claim.flight for claim in claims}) == 1
    for claim in claims:
        stored = row(ledger, claim.recording_id)
        assert (stored["status"], stored["starts"], stored["epoch"]) == ("uploading", 1, 1)
        assert stored["parts"] == [{"start": 1, "folder": FOLDER}]
        assert stored["claim"].items() >= {"session": "session-1", "flight": claim.flight}.items()
        assert stored["routed_at"] == stored["claim"]["at"], "its message proves that it was routed"
        assert claim == Claim.of(stored, ME, claim.since)


def test_a_claim_by_a_flight_is_as_one_alone(ledger: Ledger) -> None:
    [together] = flight(ledger, ["together"])
    opened(ledger, "single", file_name="together.wav")
    single = claim_one(ledger, "single", 1, ME, FOLDER)
    assert single is not None
    names: dict[str, Any] = {
        "recording_id": "x",
        "part": "x",
        "flight": "x",
        "waited": 0.0,
        "body": b"",
    }
    names |= {"created_at": single.created_at, "trace": None}

    assert replace(together, **names) == replace(single, **names)
    assert {*row(ledger, "together")["claim"]} == {*row(ledger, "single")["claim"]}


@pytest.mark.parametrize(
    ("condition", "change"),
    [
        ("turn", {"turn": 2}),
        ("status", {"status": "delivered"}),
        ("epoch", {"epoch": 2}),
        ("not_before", {"not_before": later(60)}),
        ("lost", {"lost": {"starts": 1, "alone": 0, "files": 16}}),
    ],
)
def test_a_row_that_may_not_be_started_stays_and_the_others_are_claimed(
    ledger: Ledger, database: Database[Document], condition: str, change: Document
) -> None:
    opened(ledger, "03", file_name="03.wav")
    database["deliveries"].update_one({"_id": "03"}, [{"$set": change}])
    before = row(ledger, "03")

    assert ids(flight(ledger)) == [name for name in NAMES if name != "03"], condition
    assert row(ledger, "03") == before


def test_a_flight_of_several_turns_claims_each_row_by_its_own(ledger: Ledger) -> None:
    for name in ("a", "b", "c"):
        opened(ledger, name)
    ledger.arrivals.next_generation("b")
    ledger.arrivals.next_generation("c")

    assert ids(ledger.claims.claim({"c": 1, "b": 2, "a": 1}, ME, FOLDER)) == ["b", "a"]


def test_a_claimant_whose_ownership_has_ended_by_the_databases_clock_claims_nothing(
    ledger: Ledger,
) -> None:
    opened(ledger, "00")
    opened_at = row(ledger, "00")["created_at"]
    late = replace(ME, until=opened_at - timedelta(seconds=1))
    assert flight(ledger, claimant=late) == []
    assert row(ledger, "00")["starts"] == 0

    assert len(flight(ledger, claimant=replace(ME, until=opened_at + timedelta(hours=1)))) == 16


def test_files_of_a_lost_flight_are_claimed_by_who_is_alone_and_tell_its_size(
    ledger: Ledger,
) -> None:
    flight(ledger, NAMES[:4])
    ledger.claims.free("acme", OTHER)
    assert {each.crashed_with for each in ledger.queries.summaries(NAMES).values()} == {4}
    assert flight(ledger, NAMES[:4], OTHER) == []

    halved = flight(ledger, NAMES[:2], alone(OTHER))
    assert [claim.exclusive for claim in halved] == [True, True]
    ledger.claims.free("acme", replace(ME, epoch=2))
    assert row(ledger, "00")["lost"] == {"starts": 2, "alone": 0, "files": 2}, "one of the two"

    [single] = flight(ledger, ["00"], alone(LATER))
    ledger.claims.free("acme", replace(ME, epoch=2))
    assert single.exclusive
    assert row(ledger, "00")["lost"] == {"starts": 3, "alone": 1, "files": 1}
    assert {
        name: each.crashed_with for name, each in ledger.queries.summaries(NAMES[:3]).items()
    } == {
        "00": 1,
        "01": 2,
        "02": 4,
    }


def test_each_row_is_claimed_by_one_of_many_flights(ledger: Ledger) -> None:
    for name in NAMES:
        opened(ledger, name)
    claimants = [Claimant("worker", f"session-{number}", 1) for number in range(12)]
    turns = dict.fromkeys(NAMES, 1)
    with ThreadPoolExecutor(12) as pool:
        flights = [*pool.map(lambda each: ledger.claims.claim(turns, each, FOLDER), claimants)]

    assert sorted(claim.recording_id for claims in flights for claim in claims) == NAMES
    for claims in flights:
        for claim in claims:
            stored = row(ledger, claim.recording_id)
            assert stored["claim"]["flight"] == claim.flight
            assert (stored["starts"], stored["claim"]["session"]) == (1, claim.session)


def test_a_casualty_and_a_probe_are_flights_of_one(ledger: Ledger) -> None:
    dies(ledger, claimed(ledger, "dead"), outage_id=3)
    casualty = ledger.claims.claim_outage_dead_letter("acme", 3, ME, FOLDER)
    opened(ledger, "queued")
    probe = ledger.claims.claim_probe("acme", 0, ME, FOLDER, [])
    assert casualty is not None
    assert probe is not None

    assert casualty.flight != probe.flight
    assert {*deliver(ledger, [casualty, probe])} == {"dead", "queued"}
    stored = row(ledger, "dead")
    relief = {name: stored[name] for name in ("tries", "account_tries", "dead_at", "reason")}
    assert relief == {"tries": 0, "account_tries": 0, "dead_at": None, "reason": None}
    assert "casualty" not in stored


# --- intents --------------------------------------------------------------------------------


def test_the_intents_of_a_flight_reserve_its_paths(ledger: Ledger) -> None:
    claims = flight(ledger)

    assert intend(ledger, claims) == [True] * 16
    assert intend(ledger, claims) == [True] * 16, "its own again"
    stored = row(ledger, "05")
    assert stored["intent"] == {
        "part": f"{FOLDER}/{claims[5].part}",
        "final": path("05"),
        "size": 7,
        "sha256": HASH,
    }
    assert (stored["remote_path"], stored["wanted"], stored["copy"]) == (path("05"), path("05"), 1)


def test_a_path_that_another_recording_has_costs_the_others_nothing(ledger: Ledger) -> None:
    first = claimed(ledger, "first", file_name="07.wav")
    assert ledger.remote_paths.intend(first, intent(first, path("07")), FOLDER, 1)
    claims = flight(ledger)

    assert intend(ledger, claims) == [name != "07" for name in NAMES]
    assert "intent" not in row(ledger, "07")
    assert all(row(ledger, name)["remote_path"] == path(name) for name in NAMES if name != "07")


def test_of_two_files_of_a_flight_that_want_one_path_one_has_it(ledger: Ledger) -> None:
    claims = flight(ledger)
    same = [(claim, intent(claim, path("x")), FOLDER, 1) for claim in claims[:2]]
    rest = [(claim, intent(claim, path(claim.recording_id)), FOLDER, 1) for claim in claims[2:]]

    assert sorted(ledger.remote_paths.intend_flight([*same, *rest])[:2]) == [False, True]
    assert ledger.claims.holds(claims[0])
    assert ledger.claims.holds(claims[1])


def test_a_claim_that_was_taken_over_intends_nothing(ledger: Ledger) -> None:
    claims = flight(ledger)
    ledger.claims.free("acme", OTHER)
    taken = flight(ledger, ["04"], alone(OTHER))
    before = row(ledger, "04")

    assert intend(ledger, claims) == [False] * 16
    assert row(ledger, "04") == before
    assert intend(ledger, taken) == [True]


def test_an_earlier_start_of_the_same_session_intends_nothing(ledger: Ledger) -> None:
    claims = flight(ledger)
    waits(ledger, claims[3])
    [again] = flight(ledger, ["03"])
    assert again.start == 2

    assert intend(ledger, claims) == [name != "03" for name in NAMES]


# --- deliveries -----------------------------------------------------------------------------


def test_a_delivered_flight_is_final_and_tells_each_files_age(ledger: Ledger) -> None:
    began = time.monotonic()
    claims = flight(ledger)
    intend(ledger, claims)
    seconds = deliver(ledger, claims)

    assert [*seconds] == NAMES
    for name in NAMES:
        stored = row(ledger, name)
        assert (stored["status"], stored["claim"], stored["parts"]) == ("delivered", None, [])
        assert (stored["remote_path"], stored["size"], stored["sha256"]) == (path(name), 7, HASH)
        assert stored["verified"] == "size"
        assert not {"intent", "lost", "suspected", "casualty"} & {*stored}
        age = (stored["delivered_at"] - stored["created_at"]).total_seconds()
        assert seconds[name] < age + time.monotonic() - began
        assert 0 <= age <= seconds[name] + 0.001, "rather too many than too few"


def test_a_row_that_a_flight_has_delivered_is_as_by_one_alone(ledger: Ledger) -> None:
    [together] = flight(ledger, ["together"])
    [single] = flight(ledger, ["single"])
    for claim in (together, single):
        waits(ledger, claim, part_left=True, suspected=True)
    [together] = flight(ledger, ["together"])
    [single] = flight(ledger, ["single"])
    left = uploaded(path("together"))
    ledger.outcomes.delivered([(together, replace(left, left=together.leftovers))])
    deliver_one(ledger, single, replace(left, remote_path=path("single"), left=single.leftovers))

    one, other = row(ledger, "together"), row(ledger, "single")
    own = ("_id", "event", "file_name", "arrival", "remote_path")
    arrival = ("created_at", "recorded", "unrouted_at", "traceparent")
    times = ("delivered_at", "not_before", "routed_at", "last_error", *arrival)
    assert {*one} == {*other}
    for name in {*one} - {*own} - {*times, "events"}:
        assert one[name] == other[name], name
    assert _timeless(one["events"]) == _timeless(other["events"])
    assert one["parts"] == [{"start": 1, "folder": FOLDER}]


def _timeless(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    moments = {"at", "began", "until"}
    return [{name: value for name, value in each.items() if name not in moments} for each in events]


def test_each_file_of_a_flight_is_told_its_own(ledger: Ledger) -> None:
    claims = flight(ledger)
    told = [
        replace(uploaded(f"/in/$name {claim.recording_id}"), size=number, sha256=f"$${number}")
        for number, claim in enumerate(claims)
    ]
    assert len(ledger.outcomes.delivered([*zip(claims, told, strict=True)])) == 16

    for number, name in enumerate(NAMES):
        stored = row(ledger, name)
        assert (stored["size"], stored["sha256"]) == (number, f"$${number}")
        assert stored["remote_path"] == f"/in/$name {name}"


def test_the_row_that_was_taken_over_is_left_and_the_others_are_delivered(
    ledger: Ledger, database: Database[Document]
) -> None:
    claims = flight(ledger)
    database["deliveries"].update_one({"_id": "06"}, {"$set": {"epoch": 2, "starts": 2}})
    database["deliveries"].update_one({"_id": "06"}, {"$set": {"claim.session": "session-9"}})
    before = row(ledger, "06")

    assert [*deliver(ledger, claims)] == [name for name in NAMES if name != "06"]
    assert row(ledger, "06") == before


def test_what_another_session_has_delivered_is_not_this_flights(ledger: Ledger) -> None:
    claims = flight(ledger)
    ledger.claims.free("acme", OTHER)
    theirs = flight(ledger, ["02"], alone(LATER))
    assert deliver(ledger, theirs)
    before = row(ledger, "02")

    assert deliver(ledger, claims) == {}
    assert row(ledger, "02") == before


def test_deliveries_of_several_flights_and_starts_are_written_together(ledger: Ledger) -> None:
    first = flight(ledger, NAMES[:3])
    waits(ledger, first[1])
    claims = [first[0], *flight(ledger, ["01"]), first[2], *flight(ledger, NAMES[3:])]

    assert [claim.start for claim in claims[:3]] == [1, 2, 1]
    assert [*deliver(ledger, claims)] == NAMES


def test_a_delivery_that_is_repeated_is_told_again(ledger: Ledger) -> None:
    claims = flight(ledger)
    deliver(ledger, claims)
    before = [row(ledger, name) for name in NAMES]

    assert [*deliver(ledger, claims)] == NAMES, "each of these starts has delivered its file"
    assert [row(ledger, name) for name in NAMES] == before


def test_a_path_that_was_never_reserved_is_refused_by_name(ledger: Ledger) -> None:
    """It cannot be, but where it is, nothing is called delivered that is not."""
    claims = flight(ledger, NAMES[:2])
    intend(ledger, claims)
    with pytest.raises(BulkWriteError):
        ledger.outcomes.delivered([(claims[0], uploaded(path("01")))])
    assert row(ledger, "00")["status"] == "uploading"


# --- old rows, and what it costs ------------------------------------------------------------


def test_a_start_that_a_version_before_flights_has_lost_was_of_one_file(
    ledger: Ledger, database: Database[Document]
) -> None:
    opened(ledger, "00")
    database["deliveries"].update_one({"_id": "00"}, {"$set": {"lost": {"starts": 1, "alone": 0}}})

    assert ledger.queries.summaries(["00"])["00"].crashed_with == 1


def test_a_row_from_before_flights_is_claimed_freed_and_delivered(
    ledger: Ledger, database: Database[Document]
) -> None:
    """A worker of the version before has claimed it, and has died."""
    opened(ledger, "00", file_name="00.wav")
    old = {"worker": "w", "session": "s", "was": "queued", "alone": False, "at": None}
    change = {"status": "uploading", "starts": 1, "epoch": 1, "claim": old}
    database["deliveries"].update_one({"_id": "00"}, {"$set": change})
    assert flight(ledger, ["00"]) == []

    assert ledger.claims.free("acme", OTHER) == 1
    claims = flight(ledger, ["00"], alone(OTHER))
    assert intend(ledger, claims) == [True]
    assert [*deliver(ledger, claims)] == ["00"]


def test_a_flight_asks_the_database_four_times(mongodb_url: str) -> None:
    commands = Commands()
    with MongoClient[dict[str, Any]](mongodb_url, event_listeners=[commands]) as client:
        ledger = Ledger(client.get_default_database())
        ledger.ensure_indexes()
        for name in NAMES:
            opened(ledger, name, file_name=f"{name}.wav")
        commands.names.clear()
        claims = flight_of_all(ledger)
        assert intend(ledger, claims) == [True] * 16
        assert len(deliver(ledger, claims)) == 16
        asked = commands.names[:]

    assert asked == ["update", "find", "update", "update"]


def flight_of_all(ledger: Ledger) -> list[Claim]:
    return ledger.claims.claim(dict.fromkeys(NAMES, 1), ME, FOLDER)
