"""Each transition of a recording's row, on a real MongoDB."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from consumers.events import decode
from consumers.ledger import Arrival, Claim, Claimant, LastError, Opened, Selection, Status
from consumers.ledger.deliveries import Deliveries
from tests.integration.commands import Commands
from transports.upload import Intent, Uploaded, Verified

FOLDER = "/in"
ME = Claimant("worker-1", "session-1", 1)
OTHER = Claimant("worker-2", "session-2", 1)
LATER = Claimant("worker-3", "session-3", 2)
AWAY = LastError("account", "Connection refused", "Check the server.")
HOSTILE = ["$set", "$$ROOT", "$account_id", "a.b.$c", ".", "..a", "ünï ☎ 😀", "{'$gt': 1}", " $ "]
HASH = "a" * 64

Database_ = Database[dict[str, Any]]


@pytest.fixture
def database(mongodb_url: str) -> Iterator[Database_]:
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        yield client.get_default_database()


@pytest.fixture
def files(database: Database_) -> Deliveries:
    files = Deliveries(database)
    files.ensure_indexes()
    return files


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


def claimed(
    files: Deliveries, recording_id: str = "one", claimant: Claimant = ME, **fields: Any
) -> Claim:
    """A claim of a row that is made where there is none."""
    if files.row(recording_id) is None:
        opened(files, recording_id, **fields)
    claim = files.claim(recording_id, row(files, recording_id)["turn"], claimant, FOLDER)
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
    facts: dict[str, Any] = {
        "counted": True,
        "by_account": True,
        "error": AWAY,
        "part_left": False,
        **changes,
    }
    return files.waits(claim, delay=delay, **facts)


def dies(files: Deliveries, claim: Claim, casualty_of: int | None = None, **changes: Any) -> bool:
    facts: dict[str, Any] = {
        "counted": True,
        "by_account": True,
        "error": AWAY,
        "part_left": False,
        **changes,
    }
    return files.dead_lettered(claim, casualty_of=casualty_of, **facts)


def uploaded(path: str = "/in/a.wav") -> Uploaded:
    return Uploaded(path, 7, HASH, Verified.SIZE, sent=True)


def intent(claim: Claim, path: str = "/in/a.wav") -> Intent:
    return Intent(f"/in/{claim.part}", path, 7, HASH)


# --- arrival -------------------------------------------------------------------------------


def test_an_event_opens_a_row(files: Deliveries) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    new = opened(files, size=7, sha256="A" * 64, number="+44", recorded_at="2026-11-23T14:05:00Z")

    assert (new.outcome, new.routed, new.status) == ("new", False, Status.QUEUED)
    assert new.routing is not None
    assert (new.routing.recording_id, new.routing.turn) == ("one", 1)
    stored = row(files)
    assert stored["status"] == "queued"
    assert before < stored["created_at"] < datetime.now(UTC) + timedelta(seconds=1)
    assert (stored["account_id"], stored["file_name"], stored["size"]) == ("acme", "a.wav", 7)
    assert (stored["sha256"], stored["number"]) == ("a" * 64, "+44")
    assert (stored["tries"], stored["turn"], stored["epoch"]) == (0, 1, 0)
    assert {"turn", "epoch", "claim", "parts"} <= stored.keys()


def test_the_same_event_again_changes_nothing(files: Deliveries) -> None:
    opened(files)
    before = row(files)

    again = opened(files, file_name="other.wav")

    assert again == Opened("again", routed=False, status=Status.QUEUED)
    assert row(files) == before


def test_an_event_of_a_routed_row_says_so(files: Deliveries) -> None:
    opened(files)
    routing = files.next_turn("one")
    assert routing is not None
    files.routed([routing])

    assert opened(files) == Opened("again", routed=True, status=Status.QUEUED)


@pytest.mark.parametrize("changed", [{"account_id": "other"}, {"file_url": "file:///r/b.wav"}])
def test_another_account_or_url_is_a_conflict(files: Deliveries, changed: dict[str, Any]) -> None:
    opened(files)
    before = row(files)

    assert opened(files, **changed).outcome == "conflict"
    assert row(files) == before


def test_a_skipped_recording_is_final_from_the_start(files: Deliveries) -> None:
    assert opened(files, skipped=True).status is Status.SKIPPED
    assert opened(files, skipped=True) == Opened("again", routed=False, status=Status.SKIPPED)
    assert files.next_turn("one") is None
    assert files.claim("one", 1, ME, FOLDER) is None
    assert files.unrouted(timedelta(0), 10) == []


def test_one_of_many_that_open_at_once_is_new(files: Deliveries) -> None:
    with ThreadPoolExecutor(16) as pool:
        outcomes = [each.outcome for each in pool.map(lambda _: opened(files), range(64))]

    assert sorted(outcomes) == ["again"] * 63 + ["new"]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_is_taken_for_an_expression(files: Deliveries, text: str) -> None:
    recording_id = text if text.isascii() else "one"
    name = text if text not in {".", ".."} else "a.wav"
    more: dict[str, Any] = {"number": recording_id, "file_name": name, text: {text: text}}
    opened(files, recording_id, file_url="file:///$set/$$NOW.wav", **more)
    claimant = Claimant(text, text, 1)
    claim = files.claim(recording_id, 1, claimant, text)
    assert claim is not None
    assert (claim.file_name, claim.session) == (name, text)
    assert json.loads(claim.body)[text] == {text: text}

    reservation = Intent(text, text, 1, text)
    assert files.intend(claim, reservation, text, 1)
    assert waits(files, claim, error=LastError("account", text, text), part_left=True)
    stored = row(files, recording_id)
    assert stored["last_error"].items() >= {"words": text, "advice": text}.items()
    assert stored["parts"] == [{"start": 1, "folder": text}]

    again = files.claim(recording_id, 1, claimant, text)
    assert again is not None
    assert again.intent == reservation
    assert files.delivered(again, uploaded(text)) is not None
    assert row(files, recording_id)["remote_path"] == text


# --- routing -------------------------------------------------------------------------------


def test_each_publish_has_a_turn_of_its_own(files: Deliveries) -> None:
    opened(files)

    first, second = files.next_turn("one"), files.next_turn("one")

    assert first is not None
    assert second is not None
    assert (first.turn, second.turn) == (2, 3)
    assert (second.recording_id, second.account_id) == ("one", "acme")
    assert decode(second.body, None).recording_id == "one"


def test_only_the_turn_that_stands_is_noted_as_routed(files: Deliveries) -> None:
    opened(files)
    first, second = files.next_turn("one"), files.next_turn("one")
    assert first is not None
    assert second is not None

    files.routed([first])
    assert row(files)["routed_at"] is None
    files.routed([second])
    assert row(files)["routed_at"] is not None


def test_a_turn_is_raised_only_for_what_is_queued(files: Deliveries) -> None:
    claim = claimed(files)
    assert files.next_turn("one") is None
    files.delivered(claim, uploaded())
    assert files.next_turn("one") is None
    assert files.next_turn("unknown") is None


def test_what_was_never_routed_is_found_once_it_is_old_enough(files: Deliveries) -> None:
    for name in ("routed", "first", "second", "uploading"):
        opened(files, name)
    routing = files.next_turn("routed")
    assert routing is not None
    files.routed([routing])
    claimed(files, "uploading")

    assert files.unrouted(timedelta(minutes=1), 10) == []
    assert [each.recording_id for each in files.unrouted(timedelta(0), 10)] == ["first", "second"]
    assert [each.recording_id for each in files.unrouted(timedelta(0), 1)] == ["first"]


# --- claims --------------------------------------------------------------------------------


def test_a_claim_counts_its_start_before_the_upload(files: Deliveries) -> None:
    claim = claimed(files, size=7, sha256="a" * 64)

    stored = row(files)
    assert (stored["status"], stored["starts"], stored["epoch"]) == ("uploading", 1, 1)
    assert stored["claim"].items() >= {"worker": "worker-1", "session": "session-1"}.items()
    assert (claim.start, claim.tries, claim.casualty, claim.leftovers) == (1, 0, False, ())
    assert (claim.size, claim.sha256, claim.intent) == (7, "a" * 64, None)


def test_what_a_message_has_brought_was_routed(files: Deliveries) -> None:
    opened(files, "probed")
    probe = files.claim_probe("acme", 0, ME, FOLDER, [])
    assert probe is not None
    files.release(probe)
    assert [each.recording_id for each in files.unrouted(timedelta(0), 10)] == ["probed"]

    files.release(claimed(files, "probed"))
    assert files.unrouted(timedelta(0), 10) == []


def test_a_recording_is_claimed_once(files: Deliveries) -> None:
    opened(files)
    claimants = [Claimant("worker", f"session-{number}", 1) for number in range(32)]
    with ThreadPoolExecutor(16) as pool:
        claims = [*pool.map(lambda each: files.claim("one", 1, each, FOLDER), claimants)]

    assert len([claim for claim in claims if claim is not None]) == 1
    assert row(files)["starts"] == 1


def test_a_probe_is_claimed_once(files: Deliveries) -> None:
    opened(files)
    with ThreadPoolExecutor(16) as pool:
        claims = [
            *pool.map(lambda _: files.claim_probe("acme", 0, ME, FOLDER, []), range(32)),
        ]

    assert len([claim for claim in claims if claim is not None]) == 1


def test_a_message_of_an_older_turn_starts_nothing(files: Deliveries) -> None:
    opened(files)
    files.next_turn("one")
    files.next_turn("one")

    assert files.claim("one", 2, ME, FOLDER) is None
    assert files.claim("one", 3, ME, FOLDER) is not None


def test_a_file_is_not_claimed_before_its_delay_ends(files: Deliveries) -> None:
    waits(files, claimed(files), delay=0.3)
    assert files.claim("one", 1, ME, FOLDER) is None
    assert 0 < files.glance(["one"])["one"].wait <= 0.3

    waiting = row(files)["not_before"]
    while files.glance(["one"])["one"].wait > 0:
        pass
    assert files.claim("one", 1, ME, FOLDER) is not None
    assert row(files)["claim"]["at"] >= waiting


def test_a_claim_of_an_older_epoch_is_refused(files: Deliveries) -> None:
    waits(files, claimed(files, claimant=LATER))

    assert files.claim("one", 1, ME, FOLDER) is None
    assert files.claim_probe("acme", 0, ME, FOLDER, []) is None
    assert files.claim("one", 1, LATER, FOLDER) is not None


def test_parts_of_earlier_starts_are_told_to_the_next(files: Deliveries) -> None:
    first = claimed(files)
    waits(files, first, part_left=True)
    second = claimed(files)
    assert second.leftovers == (f"{FOLDER}/{first.part}",)
    assert second.part != first.part

    waits(files, second, part_left=False)
    third = claimed(files)
    assert third.leftovers == (f"{FOLDER}/{first.part}",)


def settlements(files: Deliveries) -> dict[str, Callable[[Claim], object]]:
    return {
        "intend": lambda claim: files.intend(claim, intent(claim), FOLDER, 1),
        "delivered": lambda claim: files.delivered(claim, uploaded()) is not None,
        "waits": lambda claim: waits(files, claim),
        "dead_lettered": lambda claim: dies(files, claim),
        "release": files.release,
    }


@pytest.mark.parametrize("name", ["intend", "delivered", "waits", "dead_lettered", "release"])
def test_a_claim_that_was_taken_over_settles_nothing(files: Deliveries, name: str) -> None:
    stale = claimed(files)
    files.free_claims("acme", OTHER)
    free = row(files)
    assert settlements(files)[name](stale) is False
    assert row(files) == free

    claimed(files, claimant=alone(OTHER))
    taken_over = row(files)
    assert settlements(files)[name](stale) is False
    assert row(files) == taken_over


@pytest.mark.parametrize("name", ["delivered", "waits", "dead_lettered", "release"])
def test_a_start_is_settled_once(files: Deliveries, name: str) -> None:
    claim = claimed(files)
    assert settlements(files)[name](claim)
    settled = row(files)

    assert not any(settle(claim) for settle in settlements(files).values())
    assert row(files) == settled


def test_the_same_sessions_earlier_start_settles_nothing(files: Deliveries) -> None:
    first = claimed(files)
    waits(files, first)
    claimed(files)

    assert not any(settle(first) for settle in settlements(files).values())


def test_claims_whose_session_has_ended_are_freed_as_they_were(files: Deliveries) -> None:
    queued = claimed(files, "queued")
    dies(files, claimed(files, "dead"), casualty_of=3)
    casualty = files.claim_casualty("acme", 3, ME, FOLDER)
    elsewhere = claimed(files, "elsewhere", account_id="other")
    mine = claimed(files, "mine", claimant=LATER)
    assert casualty is not None
    assert row(files, "dead")["status"] == "uploading"

    assert files.free_claims("acme", LATER) == 2
    statuses = {name: row(files, name)["status"] for name in ("queued", "dead", "mine")}
    assert statuses == {"queued": "queued", "dead": "dead_lettered", "mine": "uploading"}
    assert row(files, "queued")["claim"] is None
    assert row(files, "queued")["tries"] == queued.tries
    assert row(files, "dead")["casualty"] == 3
    assert row(files, "elsewhere")["status"] == "uploading"
    assert files.delivered(mine, uploaded("/in/mine.wav")) is not None
    assert files.delivered(elsewhere, uploaded()) is not None


def test_an_owner_of_the_past_frees_no_claim_of_its_successor(files: Deliveries) -> None:
    claimed(files, claimant=LATER)

    assert files.free_claims("acme", ME) == 0
    assert row(files)["status"] == "uploading"


# --- a worker dies of a file ---------------------------------------------------------------


def test_a_start_that_was_lost_is_followed_by_one_alone(files: Deliveries) -> None:
    turn = claimed(files).turn
    files.free_claims("acme", OTHER)

    assert row(files)["lost"] == {"starts": 1, "alone": 0}
    assert files.glance(["one"])["one"].lost_start
    assert files.claim("one", turn, OTHER, FOLDER) is None
    again = files.claim("one", turn, alone(OTHER), FOLDER)
    assert again is not None
    assert again.alone
    assert row(files)["claim"]["alone"] is True


def test_a_row_from_before_lost_starts_were_counted_is_claimed_and_freed(
    files: Deliveries, database: Database_
) -> None:
    claimed(files)
    database["deliveries"].update_one({"_id": "one"}, {"$unset": {"claim.alone": ""}})
    assert not files.glance(["one"])["one"].lost_start

    assert files.free_claims("acme", OTHER) == 1
    assert row(files)["lost"] == {"starts": 1, "alone": 0}


def test_a_session_that_could_only_not_write_its_end_down_has_lost_no_start(
    files: Deliveries,
) -> None:
    """Its worker lives: the database was away."""
    claimed(files)
    assert files.free_claims("acme", replace(ME, session="session-9")) == 1
    assert "lost" not in row(files)
    claimed(files)
    files.free_claims("acme", OTHER)
    claimed(files, claimant=alone(ME))

    files.free_claims("acme", replace(ME, session="session-9"))
    assert row(files)["lost"] == {"starts": 1, "alone": 0}, "and nothing is forgotten by it"


@pytest.mark.parametrize("end", ["waits", "dead_lettered", "delivered"])
def test_a_start_that_comes_to_its_end_forgets_those_that_were_lost(
    files: Deliveries, end: str
) -> None:
    crashed(files, 4)

    assert settlements(files)[end](claimed(files, claimant=alone(ME)))
    assert "lost" not in row(files)


def test_a_start_that_is_given_back_is_neither_lost_nor_forgets_what_was(
    files: Deliveries,
) -> None:
    crashed(files, 2)

    files.release(claimed(files, claimant=alone(ME)))
    assert row(files)["lost"] == {"starts": 2, "alone": 2}


def test_a_start_that_is_not_alone_any_more_is_not_counted_as_such(files: Deliveries) -> None:
    crashed(files, 4)
    files.shares_process(claimed(files, claimant=alone(OTHER)))
    files.free_claims("acme", ME)

    assert row(files)["lost"] == {"starts": 5, "alone": 4}
    assert files.crash_loops("acme") == []


def test_the_fifth_start_that_was_lost_alone_ends_the_file(files: Deliveries) -> None:
    claimed(files, "other")
    files.free_claims("acme", OTHER)
    opened(files, "elsewhere", account_id="other")
    crashed(files, 4)
    assert files.crash_loops("acme") == []
    crashed(files, 1)

    [loop] = files.crash_loops("acme")
    assert (loop.routing.recording_id, loop.tries, loop.casualty) == ("one", 0, False)
    assert not files.crash_loop_ends("other", 1)
    assert not files.crash_loop_ends("one", 0), "an owner of the past"
    assert files.crash_loop_ends("one", 1)
    assert not files.crash_loop_ends("one", 1)
    dead = row(files)
    assert (dead["status"], dead["reason"], dead["tries"]) == ("dead_lettered", "crash-loop", 0)
    assert dead["dead_at"] is not None
    assert files.crash_loops("acme") == []


def test_a_crash_loop_that_is_replayed_has_its_lost_starts_forgotten(files: Deliveries) -> None:
    crashed(files, 5)
    assert files.crash_loop_ends("one", 1)

    assert files.revive("one") is not None
    assert "lost" not in row(files)
    assert claimed(files).tries == 0


def test_a_casualty_of_which_workers_die_is_one_no_more(files: Deliveries) -> None:
    dies(files, claimed(files), casualty_of=3)
    for number in range(5):
        dead = Claimant(f"dead-{number}", "session", 1)
        assert files.claim_casualty("acme", 3, alone(dead), FOLDER) is not None
        files.free_claims("acme", ME)
    assert files.casualty_lost_start("acme", 3)

    [loop] = files.crash_loops("acme")
    assert loop.casualty
    assert files.crash_loop_ends("one", 1)
    assert not files.has_casualty("acme", 3)
    assert (row(files)["status"], row(files)["reason"]) == ("dead_lettered", "crash-loop")


def test_the_probe_with_a_lost_start_is_told_before_it_is_claimed(files: Deliveries) -> None:
    claimed(files, "oldest")
    opened(files, "next")
    assert not files.probe_lost_start("acme", 0, [])
    files.free_claims("acme", OTHER)

    assert files.probe_lost_start("acme", 0, [])
    assert not files.probe_lost_start("acme", 0, ["oldest"])
    probe = files.claim_probe("acme", 0, alone(OTHER), FOLDER, [])
    assert probe is not None
    assert probe.recording_id == "oldest"


# --- the place at the customer -------------------------------------------------------------


def test_an_intent_is_found_by_the_next_start(files: Deliveries) -> None:
    first = claimed(files)
    assert files.intend(first, intent(first), FOLDER, 1)
    files.free_claims("acme", OTHER)

    second = claimed(files, claimant=alone(OTHER))
    assert (second.intent, second.copy) == (intent(first), 1)


def test_a_path_belongs_to_one_recording_of_an_account(files: Deliveries) -> None:
    first, second = claimed(files, "first"), claimed(files, "second")
    elsewhere = claimed(files, "elsewhere", account_id="other")

    assert files.intend(first, intent(first), FOLDER, 1)
    assert files.intend(first, intent(first), FOLDER, 1), "its own again"
    assert not files.intend(second, intent(second), FOLDER, 1)
    assert files.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    assert files.intend(elsewhere, intent(elsewhere), FOLDER, 1)


def test_one_of_many_that_reserve_a_path_at_once_has_it(files: Deliveries) -> None:
    claims = [claimed(files, str(number)) for number in range(24)]
    with ThreadPoolExecutor(12) as pool:
        got = [*pool.map(lambda claim: files.intend(claim, intent(claim), FOLDER, 1), claims)]

    assert sorted(got) == [False] * 23 + [True]


def paths(files: Deliveries, claim: Claim, count: int = 2) -> list[tuple[int, str]]:
    return [*islice(files.copies(claim, FOLDER), count)]


def test_copies_are_numbered_from_those_there_are(files: Deliveries) -> None:
    first = claimed(files, "first")
    assert paths(files, first) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]
    files.intend(first, intent(first), FOLDER, 1)
    assert paths(files, first, 1) == [(1, "/in/a.wav")], "its own reservation is no other's"

    second = claimed(files, "second")
    assert paths(files, second, 3) == [
        *((1, "/in/a.wav"), (2, "/in/a (2).wav"), (3, "/in/a (3).wav"))
    ]
    files.intend(second, intent(second, "/in/a (2).wav"), FOLDER, 2)
    files.delivered(second, uploaded("/in/a (2).wav"))

    third = claimed(files, "third")
    assert paths(files, third) == [(1, "/in/a.wav"), (3, "/in/a (3).wav")]
    elsewhere = [*islice(files.copies(third, "/elsewhere"), 2)]
    assert elsewhere == [(1, "/elsewhere/a.wav"), (2, "/elsewhere/a (2).wav")]
    others = claimed(files, "elsewhere", account_id="other")
    assert paths(files, others) == [(1, "/in/a.wav"), (2, "/in/a (2).wav")]


def test_a_delivery_asks_the_database_three_times(mongodb_url: str) -> None:
    """For the claim, for the intent and for the end: nothing for a name that nobody has."""
    commands = Commands()
    with MongoClient[dict[str, Any]](mongodb_url, event_listeners=[commands]) as client:
        files = Deliveries(client.get_default_database())
        files.ensure_indexes()
        opened(files)
        commands.names.clear()

        claim = files.claim("one", 1, ME, FOLDER)
        assert claim is not None
        copy, path = next(files.copies(claim, FOLDER))
        assert files.intend(claim, intent(claim, path), FOLDER, copy)
        assert files.delivered(claim, uploaded(path)) is not None
        asked = commands.names[:]

    assert asked == ["findAndModify", "update", "findAndModify"]


def test_a_reservation_lapses_with_a_failure_that_left_nothing(files: Deliveries) -> None:
    first, second = claimed(files, "first"), claimed(files, "second")
    files.intend(first, intent(first), FOLDER, 1)
    waits(files, first, part_left=False)

    assert files.intend(second, intent(second), FOLDER, 1)
    assert claimed(files, "first").intent is None


@pytest.mark.parametrize("end", ["waits", "release", "freed"])
def test_a_reservation_stays_where_the_file_may_stand_there(files: Deliveries, end: str) -> None:
    first, second = claimed(files, "first"), claimed(files, "second", claimant=OTHER)
    files.intend(first, intent(first), FOLDER, 1)
    if end == "waits":
        waits(files, first, part_left=True)
    elif end == "release":
        files.release(first)
    else:
        files.free_claims("acme", OTHER)

    assert not files.intend(second, intent(second), FOLDER, 1)
    assert claimed(files, "first", alone(ME)).intent == intent(first)


# --- the end of a start --------------------------------------------------------------------


def test_a_delivered_file_is_final(files: Deliveries) -> None:
    claim = claimed(files)
    files.intend(claim, intent(claim), FOLDER, 1)

    seconds = files.delivered(claim, uploaded())

    assert seconds is not None
    assert 0 <= seconds < 10
    stored = row(files)
    assert stored["status"] == "delivered"
    assert (stored["remote_path"], stored["size"], stored["sha256"]) == ("/in/a.wav", 7, HASH)
    assert (stored["verified"], stored["claim"], stored["parts"]) == ("size", None, [])
    assert stored["delivered_at"] >= stored["created_at"]
    assert "intent" not in stored
    assert files.free_claims("acme", OTHER) == 0
    assert files.claim("one", 1, ME, FOLDER) is None


@pytest.mark.parametrize(
    ("counted", "by_account", "tries", "account_tries"),
    [(True, True, 1, 1), (True, False, 1, 0), (False, True, 0, 0), (False, False, 0, 0)],
)
def test_a_failed_try_is_counted_as_it_was_decided(
    files: Deliveries, *, counted: bool, by_account: bool, tries: int, account_tries: int
) -> None:
    assert waits(files, claimed(files), 60, counted=counted, by_account=by_account)

    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == (
        "queued",
        tries,
        account_tries,
    )
    wait = (stored["not_before"] - stored["last_error"]["at"]).total_seconds()
    assert wait == 60
    assert stored["last_error"]["words"] == "Connection refused"
    assert stored["claim"] is None


def test_a_released_file_is_as_it_was(files: Deliveries) -> None:
    waits(files, claimed(files))
    before = row(files)

    assert files.release(claimed(files))
    after = row(files)
    changed = {key for key in after if after[key] != before.get(key)}
    assert changed == {"starts", "parts"}, "the start is kept, and what it may have left"


def test_a_released_casualty_is_a_dead_letter_still(files: Deliveries) -> None:
    dies(files, claimed(files), casualty_of=0)
    claim = files.claim_casualty("acme", 0, ME, FOLDER)
    assert claim is not None
    assert claim.casualty

    assert files.release(claim)
    assert row(files)["status"] == "dead_lettered"
    assert files.has_casualty("acme", 0)


def test_a_dead_letter_tells_why_and_when(files: Deliveries) -> None:
    error = LastError("source", "No such file", "Check the pipeline.")
    assert dies(files, claimed(files), by_account=False, error=error)

    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("dead_lettered", 1, 0)
    assert (stored["reason"], stored["last_error"]["words"]) == ("source", "No such file")
    assert stored["dead_at"] >= stored["created_at"]
    assert "casualty" not in stored
    assert files.dead_letters() == 1


# --- probes and casualties -----------------------------------------------------------------


def test_the_probe_is_the_oldest_file_whatever_it_waits_for(files: Deliveries) -> None:
    for name in ("dead", "first", "second", "third"):
        opened(files, name)
    opened(files, "older-elsewhere", account_id="other")
    dies(files, claimed(files, "dead"))
    waits(files, claimed(files, "first"), delay=3600)

    def probe(*passed: str) -> str | None:
        claim = files.claim_probe("acme", 0, ME, FOLDER, passed)
        if claim is None:
            return None
        files.release(claim)
        return claim.recording_id

    assert probe() == "first"
    assert probe("first") == "second"
    assert probe("first", "second", "third") is None
    assert files.has_candidate("acme", 0)
    assert not files.has_candidate("acme", 0, ["first", "second", "third"])


def test_files_of_the_same_moment_are_probed_in_their_order(
    files: Deliveries, database: Database_
) -> None:
    for name in ("z", "a", "m"):
        opened(files, name)
    database["deliveries"].update_many({}, {"$set": {"created_at": datetime.now(UTC)}})

    claim = files.claim_probe("acme", 0, ME, FOLDER, [])
    assert claim is not None
    assert claim.recording_id == "z"


def test_an_outages_casualty_is_a_candidate_in_its_own_streak(files: Deliveries) -> None:
    opened(files, "dead")
    opened(files, "queued")
    dies(files, claimed(files, "dead"), casualty_of=4)

    other_streak = files.claim_probe("acme", 5, ME, FOLDER, [])
    assert other_streak is not None
    assert other_streak.recording_id == "queued"
    assert files.claim_casualty("acme", 5, ME, FOLDER) is None
    assert not files.has_casualty("acme", 5)

    probe = files.claim_probe("acme", 4, ME, FOLDER, [])
    assert probe is not None
    assert (probe.recording_id, probe.casualty) == ("dead", True)
    assert files.delivered(probe, uploaded()) is not None
    assert "casualty" not in row(files, "dead")


def test_casualties_of_outages_that_are_over_are_told_oldest_first(files: Deliveries) -> None:
    for number, streak in enumerate([1, 0, 2, None]):
        dies(files, claimed(files, str(number)), casualty_of=streak)

    assert files.casualties_before("acme", 0) == []
    assert files.casualties_before("acme", 2) == ["0", "1"]
    assert files.casualties_before("acme", 3) == ["0", "1", "2"]
    assert files.casualties_before("other", 3) == []


def test_a_revived_dead_letter_starts_anew(files: Deliveries) -> None:
    opened(files)
    routing = files.next_turn("one")
    assert routing is not None
    files.routed([routing])
    waits(files, claimed(files))
    dies(files, claimed(files), casualty_of=0)

    revived = files.revive("one")

    assert revived is not None
    assert (revived.recording_id, revived.account_id, revived.turn) == ("one", "acme", 3)
    stored = row(files)
    assert (stored["status"], stored["tries"], stored["account_tries"]) == ("queued", 0, 0)
    assert (stored["routed_at"], stored["not_before"], stored["reason"]) == (None, None, None)
    assert stored["dead_at"] is None
    assert "casualty" not in stored
    assert files.revive("one") is None, "once"
    assert files.casualties_before("acme", 9) == []
    assert files.claim("one", 2, ME, FOLDER) is None, "its earlier message is outdated"
    assert [each.turn for each in files.unrouted(timedelta(0), 10)] == [3]
    assert files.claim("one", 3, ME, FOLDER) is not None


def test_a_dead_letter_is_given_up_once(files: Deliveries) -> None:
    claim = claimed(files)
    assert not files.discard("one")
    dies(files, claim, casualty_of=0)

    assert files.discard("one")
    assert row(files)["status"] == "discarded"
    assert not files.discard("one")
    assert not files.has_candidate("acme", 0)
    assert files.casualties_before("acme", 9) == []
    assert files.revive("one") is None
    assert not files.discard("unknown")


def test_what_waits_for_a_removed_account_is_given_up(files: Deliveries) -> None:
    uploading = claimed(files, "uploading")
    opened(files, "queued")
    opened(files, "elsewhere", account_id="other")
    dies(files, claimed(files, "dead"))

    assert files.discard_queued("acme") == 2
    assert files.delivered(uploading, uploaded()) is None
    assert files.counts("acme").files == {
        **dict.fromkeys(Status, 0),
        Status.DISCARDED: 2,
        Status.DEAD_LETTERED: 1,
    }
    assert files.counts("other").files[Status.QUEUED] == 1


# --- looking -------------------------------------------------------------------------------


def test_a_glance_tells_what_stands(files: Deliveries) -> None:
    opened(files, "fresh")
    files.next_turn("fresh")
    waits(files, claimed(files, "waiting"), delay=60)
    files.delivered(claimed(files, "done"), uploaded())

    rows = files.glance(["fresh", "waiting", "done", "unknown"])

    assert rows.keys() == {"fresh", "waiting", "done"}
    assert (rows["fresh"].status, rows["fresh"].turn, rows["fresh"].wait) == (Status.QUEUED, 2, 0)
    assert (rows["waiting"].tries, rows["done"].status) == (1, Status.DELIVERED)
    assert 50 < rows["waiting"].wait <= 60
    assert files.glance([]) == {}


def test_the_next_retry_is_the_first_delay_to_end(files: Deliveries) -> None:
    assert files.next_retry("acme") is None
    for name, delay in (("late", 60), ("soon", 30)):
        waits(files, claimed(files, name), delay=delay)

    assert files.next_retry("acme") == row(files, "soon")["not_before"]
    opened(files, "now")
    assert files.next_retry("acme") is None


def test_what_waits_is_counted_with_the_oldest(files: Deliveries, database: Database_) -> None:
    assert files.waiting() == files.waiting("acme")
    assert (files.waiting().files, files.waiting().oldest) == (0, None)
    for name in ("oldest", "uploading", "done", "dead"):
        opened(files, name)
    opened(files, "elsewhere", account_id="other")
    claimed(files, "uploading")
    files.delivered(claimed(files, "done"), uploaded())
    dies(files, claimed(files, "dead"))
    hour_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    database["deliveries"].update_one({"_id": "oldest"}, {"$set": {"created_at": hour_ago}})

    waiting = files.waiting("acme")
    assert (waiting.files, waiting.oldest) == (2, hour_ago)
    assert 3590 < waiting.oldest_seconds < 3700
    assert files.waiting().files == 3
    assert (files.counts("acme").oldest, files.counts("nobody").oldest) == (hour_ago, None)
    counted = files.counts_by_account()
    assert counted["acme"].oldest == hour_ago
    assert counted["acme"].files == {
        **dict.fromkeys(Status, 0),
        Status.QUEUED: 1,
        Status.UPLOADING: 1,
        Status.DEAD_LETTERED: 1,
    }
    assert counted["other"].files[Status.QUEUED] == 1
    assert files.dead_letters() == 1


def test_rows_are_selected_by_what_is_asked(files: Deliveries, database: Database_) -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    for number, account in enumerate(["acme", "acme", "other", "acme"]):
        opened(files, str(number), account_id=account)
        when = start + timedelta(hours=number)
        database["deliveries"].update_one({"_id": str(number)}, {"$set": {"created_at": when}})
    dies(files, claimed(files, "1"))

    def found(limit: int = 0, **wanted: Any) -> list[str]:
        return [each["_id"] for each in files.select(Selection(**wanted), limit)]

    assert found() == ["3", "2", "1", "0"]
    assert found(limit=2) == ["3", "2"]
    assert found(account_id="acme") == ["3", "1", "0"]
    assert found(recording_id="2") == ["2"]
    assert found(status=Status.DEAD_LETTERED) == ["1"]
    assert found(reason="account") == ["1"]
    assert found(reason="file") == []
    assert found(since=start + timedelta(hours=1)) == ["3", "2", "1"]
    assert found(until=start + timedelta(hours=1)) == ["0"]
    assert found(since=start, until=start + timedelta(hours=3), account_id="other") == ["2"]


def stages(plan: Any) -> set[str]:
    """The names of all stages in an explained plan."""
    if isinstance(plan, dict):
        here = {plan["stage"]} if isinstance(plan.get("stage"), str) else set()
        return here.union(*(stages(each) for each in plan.values()))
    return set().union(*(stages(each) for each in plan)) if isinstance(plan, list) else set()


def test_a_probe_is_found_by_an_index_in_order(files: Deliveries, database: Database_) -> None:
    files.ensure_indexes()  # those that stand are left as they are
    for number in range(20):
        opened(files, str(number))
    rows = database["deliveries"]
    query = files._candidates("acme", 0, [])
    order = [("created_at", 1), ("arrival", 1)]

    plan = rows.find(query).sort(order).limit(1).explain()["queryPlanner"]["winningPlan"]
    assert "COLLSCAN" not in stages(plan)
    waiting = rows.find({"account_id": "acme", "status": {"$in": ["queued", "uploading"]}})
    plan = waiting.sort(order).limit(1).explain()["queryPlanner"]["winningPlan"]
    assert stages(plan).isdisjoint({"COLLSCAN", "SORT"})


def test_none_of_a_name_that_is_being_uploaded_overtakes(files: Deliveries) -> None:
    for name in ("one", "two", "three"):
        row = opened(files, name, file_name="other.wav" if name == "three" else "call.wav")
        assert row.routing is not None
        files.routed([row.routing])
    assert files.claim("one", 1, ME, FOLDER)
    claim = files.claim_overtaking("acme", 1, ME, FOLDER, ["call.wav"])
    assert claim is not None
    assert claim.recording_id == "three"
    assert files.claim_overtaking("acme", 1, ME, FOLDER, ["call.wav", "other.wav"]) is None
