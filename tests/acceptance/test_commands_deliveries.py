"""`courier deliveries`, `dead-letters` and `invalid`."""

import csv
import io
import json
import time
from datetime import UTC, datetime
from typing import Any

import pika
import pytest

from config.audit import Audit, Entry
from consumers.amqp import names, topology
from consumers.amqp.browser import Message, browse
from consumers.ledger import trace_of
from tests.acceptance.program import Program, ended
from tests.acceptance.stage import ERROR, Stage, queue_lengths
from tests.acceptance.terminal import on_terminal
from tests.integration.invalid_events import invalid as arrives
from tests.integration.ledger.rows import claimed, deliver_one, opened, uploaded
from tests.integration.platform import until

# --- deliveries, dead letters -----------------------------------------------------------------


def test_recordings_are_listed_by_account_status_and_time(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("other")
    stage.queued("a1")
    stage.dead("a2")
    stage.queued("o1", "other")

    def ids(*filters: str) -> list[str]:
        listed = courier.inside("deliveries", "list", "--json", *filters).json
        return [each["recording_id"] for each in listed]

    assert [each["recording_id"] for each in courier.ok("deliveries", "list", "--json").json] == [
        *("o1", "a2", "a1"),
    ]
    assert ids("--account", "acme", "--limit", "1") == ["a2"]
    assert ids("--status", "queued", "--since", "1h") == ["o1", "a1"]
    assert ids("--until", "2020-01-01") == []
    assert "'nobody'" in courier.refuses("deliveries", "list", "--account", "nobody")
    shown = courier.ok("deliveries", "show", "a2", "--json").json
    wanted = {
        "recording_id": "a2",
        "account_id": "acme",
        "status": "dead_lettered",
        "tries": 1,
        "remote_path": None,
        "size": None,
        "last_error": "530 Login incorrect.",
        "delivered_at": None,
    }
    assert wanted.items() <= shown.items()
    assert shown["created_at"].endswith("Z")
    assert "530 Login incorrect." in courier.inside("deliveries", "show", "a2").out
    assert "no recording 'nope'" in courier.refuses("deliveries", "show", "nope")


def test_the_call_of_a_minute_from_a_number_is_found_by_one_command(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    told: dict[str, Any] = {"number": "+441632960001", "recorded_at": "2026-11-23T14:05:31Z"}
    opened(stage.core.ledger, "wanted", **told, file_name="20261123-140531.wav")
    opened(stage.core.ledger, "later", **{**told, "recorded_at": "2026-11-23T14:06:00Z"})

    def ids(*filters: str) -> list[str]:
        listed = courier.inside("deliveries", "list", "--json", *filters).json
        return [each["recording_id"] for each in listed]

    minute = ("--by", "recorded", "--since", "2026-11-23T14:05", "--until", "2026-11-23T14:06")
    assert ids("--number", "01632 960001", *minute) == ["wanted"]
    assert ids("--number", "01632 960001", "--order", "oldest") == ["wanted", "later"]
    assert ids("--name", "20261123-1405") == ids("--name", "*140531.WAV") == ["wanted"]
    assert ids("--whose", "customer") == []
    told_wrong = courier.inside("deliveries", "list", "--number", "1")
    assert told_wrong.code == 2
    assert "at least 4 digits" in told_wrong.err
    wrong_way = courier.inside("deliveries", "export", "--since", "1h", "--until", "2h")
    assert wrong_way.code == 2
    assert "later than --since" in wrong_way.err


def test_a_recording_is_shown_with_its_trace_which_a_replay_keeps(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.dead("a1")
    row = stage.core.ledger.queries.row("a1")
    assert row is not None
    trace = trace_of(row)
    assert trace is not None

    assert courier.inside("deliveries", "show", "a1", "--json").json["trace_id"] == trace.trace_id
    assert trace.trace_id in courier.inside("deliveries", "show", "a1").out
    assert _traceparent(courier, "dead-letters.acme") == trace.traceparent

    courier.inside("dead-letters", "replay", "--account", "acme")
    assert courier.inside("deliveries", "show", "a1", "--json").json["trace_id"] == trace.trace_id
    assert _traceparent(courier, "deliveries.acme") == trace.traceparent


def test_recordings_of_the_version_before_traces_are_still_shown(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.queued("a1")
    rows = stage.core.database["deliveries"]
    rows.update_one({"_id": "a1"}, {"$unset": {"traceparent": "", "tracestate": ""}})

    assert courier.inside("deliveries", "show", "a1", "--json").json["trace_id"] is None
    assert "trace" not in courier.inside("deliveries", "show", "a1").out


def _traceparent(courier: Program, queue: str) -> object:
    """Of the newest message there, which is left as it is."""
    found: list[object] = []

    def look(message: Message) -> bool:
        found.append(message.headers.get("traceparent"))
        return False

    browse(courier.core_settings().rabbitmq, queue, look)
    return found[-1]


def test_recordings_are_exported_as_csv_and_as_lines_of_json(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("other")
    stage.queued("=1+1")
    stage.dead("a2")
    stage.queued("o1", "other")
    opened(stage.core.ledger, "mailed", skipped=True)
    rows = stage.core.database["deliveries"]
    rows.update_one({"_id": "a2"}, {"$set": {"number": "+441632960001", "size": 7}})
    rows.update_one({"_id": "o1"}, {"$set": {"file_name": ' @x, "y".wav', "number": "-1"}})

    text = courier.ok("deliveries", "export").out
    cells = list(csv.DictReader(io.StringIO(text)))
    assert cells.pop(0)["status"] == "left to e-mail", "as the tables say"
    assert [each["recording_id"] for each in cells] == ["o1", "a2", "'=1+1"]
    assert (cells[0]["file_name"], cells[0]["number"]) == ('\' @x, "y".wav', "'-1")
    assert (cells[1]["number"], cells[1]["size"]) == ("'+441632960001", "7")
    assert (cells[1]["status"], cells[1]["last_error"]) == ("dead letter", ERROR.words)

    lines = courier.inside("deliveries", "export", "--json").out.splitlines()
    assert json.loads(lines[0])["status"] == "skipped", "as programs read"
    assert [json.loads(line) for line in lines] == courier.inside(
        "deliveries", "list", "--json"
    ).json

    def count(*filters: str) -> int:
        return len(courier.inside("deliveries", "export", "--json", *filters).out.splitlines())

    assert count("--account", "acme") == 3
    assert count("--account", "acme", "--status", "queued", "--since", "1h") == 1
    assert count("--until", "2020-01-01") == 0
    nothing = courier.inside("deliveries", "export", "--until", "2020-01-01")
    assert nothing.out.splitlines() == [",".join(cells[0])]
    assert "'nobody'" in courier.refuses("deliveries", "export", "--account", "nobody")


def noted(stage: Stage) -> list[Entry]:
    return list(Audit(stage.core.database).list())


def test_dead_letters_are_replayed_by_filter_oldest_first(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    for number in range(3):
        stage.dead(f"r{number}")
    stage.dead("broken", reason="source")
    listed = courier.ok("dead-letters", "list", "--reason", "source", "--json").json
    assert [(each["recording_id"], each["reason"]) for each in listed] == [("broken", "source")]
    one = courier.ok("dead-letters", "replay", "--recording", "r1")
    assert one.out == "1 dead letter replayed.\n"
    again = courier.refuses("dead-letters", "replay", "--recording", "r1")
    assert again == "The recording 'r1' is queued: it is no dead letter."
    two = courier.inside("dead-letters", "replay", "--account", "acme", "--reason", "account")
    assert two.out == "2 dead letters replayed.\n"
    assert [stage.status(each) for each in ("r0", "r2", "broken")] == [
        *("queued", "queued"),
        "dead_lettered",
    ]
    assert queue_lengths(courier, "dead-letters.acme") == [1]
    told = [(each.action, each.account_id, each.after) for each in noted(stage)]
    assert told[0][0:2] == ("dead-letters.replayed", "acme")
    begun = {"act": "replay dead-letters", "of": 2, "recordings": "r0, r2"}
    assert told[1] == ("bulk.begun", "acme", begun)
    assert len(told) == 4


def test_a_command_that_dies_in_its_midst_stands_in_the_audit(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    for number in range(200):
        stage.dead(f"r{number}")
    command = courier.start("dead-letters", "replay")
    with ended(command):
        until(lambda: noted(stage), "the line of its begin")
        command.kill()
        command.wait()
    assert noted(stage)[-1].action == "bulk.begun"
    assert noted(stage)[-1].after["of"] == 200


def test_dead_letters_are_given_up(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    stage.dead("old")
    assert courier.inside("dead-letters", "discard", "--until", "1h").out == (
        "0 dead letters discarded.\n"
    )
    courier.ok("dead-letters", "discard", "--account", "acme")
    assert stage.status("old") == "discarded"
    assert queue_lengths(courier, "dead-letters.acme") == [0]


@pytest.mark.parametrize("whose", [["--account", "acme"], ["--reason", "account"], []])
def test_who_gives_dead_letters_up_on_a_terminal_is_told_how_many_and_asked(
    courier: Program, stage: Stage, whose: list[str]
) -> None:
    stage.core.directory.create("acme")
    for number in range(3):
        stage.dead(f"r{number}")
    of = "acme" if "acme" in whose else "all accounts"
    with on_terminal(courier, "dead-letters", "discard", *whose) as terminal:
        terminal.until(f"Give up 3 dead letters of {of}?")
        terminal.type("n")
        assert terminal.end() == 1
    assert stage.status("r0") == "dead_lettered"
    with on_terminal(courier, "dead-letters", "discard", *whose) as terminal:
        terminal.until("Give up 3 dead letters")
        terminal.type("y")
        assert terminal.end() == 0
    assert [stage.status(f"r{number}") for number in range(3)] == ["discarded"] * 3


# --- invalid ----------------------------------------------------------------------------------


def invalid(stage: Stage, reason: str, body: bytes, message_id: str | None = None) -> None:
    rabbitmq = stage.core.settings.rabbitmq
    topology.declare_once(rabbitmq, topology.RECORDINGS, topology.INTAKE, topology.INVALID)
    headers = {names.REASON_HEADER: reason}
    content_type = "application/cloudevents+json"
    stage.messaging.publisher.publish(
        "", "recordings.invalid", body, headers, message_id=message_id, content_type=content_type
    )


@pytest.mark.parametrize("which", [[], ["--reason", "malformed"]])
def test_who_gives_invalid_events_up_on_a_terminal_is_told_how_many_and_asked(
    courier: Program, stage: Stage, which: list[str]
) -> None:
    for number in range(2):
        invalid(stage, "malformed: not UTF-8 JSON", b"\xff%d" % number)
    for answer, code, left in (("n", 1, 2), ("y", 0, 0)):
        with on_terminal(courier, "invalid", "discard", *which) as terminal:
            terminal.until("Give up 2 events?")
            terminal.type(answer)
            assert terminal.end() == code
        assert queue_lengths(courier, "recordings.invalid") == [left]


def test_invalid_events_are_listed_replayed_and_discarded_by_reason(
    courier: Program, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = b'{"data": {"recording_id": "r1", "account_id": "acme"}}'
    invalid(stage, "unknown-account: there is no account 'acme'", body, "m1")
    invalid(stage, "malformed: not UTF-8 JSON", b"\xff\x1b[31m")
    first, second = courier.ok("invalid", "list", "--json").json
    oldest = courier.ok("invalid", "list", "--limit", "1", "--json")
    assert (oldest.json, oldest.err) == ([first], "These are the oldest 1; --limit 0 lists all.\n")
    with monkeypatch.context() as patch:
        patch.setattr("consumers.intake.invalid_queue.PART", 1)
        part = courier.inside("invalid", "list", "--json")
    assert part.json == [first]
    assert part.err.startswith("Only the oldest 1 of 2 were looked at: replay or discard some")
    assert first == {
        "reason": "unknown-account: there is no account 'acme'",
        "recording_id": "r1",
        "account_id": "acme",
        "size": len(body),
        "begins": body.decode(),
    }
    assert (second["recording_id"], second["size"]) == (None, 6)
    assert "\x1b" not in courier.inside("invalid", "list").out
    replayed = courier.ok("invalid", "replay", "--reason", "unknown-account")
    assert replayed.out == "1 event published again.\n"
    assert queue_lengths(courier, "recordings.ready", "recordings.invalid") == [1, 1]
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    _, properties, again = connection.channel().basic_get("recordings.ready", auto_ack=True)
    connection.close()
    assert (again, properties.message_id) == (body, "m1")
    assert properties.content_type == "application/cloudevents+json"
    arrives(stage.messaging.publisher, "malformed: no JSON", b"later", since=int(time.time()) + 900)
    discarded = courier.ok("invalid", "discard")
    assert discarded.out.startswith("1 event discarded. 1 event of later stays: ")
    assert queue_lengths(courier, "recordings.invalid") == [1]
    discarding, began, replaying, first = noted(stage)
    assert (began.action, began.after) == (
        "bulk.begun",
        {"act": "discard invalid-events", "of": 1},
    )
    assert first.after == {
        "act": "replay invalid-events",
        "of": 1,
        "reason": "unknown-account",
    }
    assert (replaying.action, replaying.after) == (
        "invalid.replayed",
        {"count": 1, "recordings": "r1"},
    )
    assert (discarding.action, discarding.after["count"]) == ("invalid.discarded", 1)
    assert replaying.actor.startswith("cli:")


def test_a_recording_that_a_later_one_has_overwritten_says_so_in_lists(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    ledger = stage.core.ledger
    opened(ledger, "old")
    deliver_one(ledger, claimed(ledger, "old"), uploaded())
    replaced = {"path": "call.wav", "by": "new", "at": datetime.now(UTC)}
    stage.core.database["deliveries"].update_one(
        {"_id": "old"}, {"$unset": {"remote_path": ""}, "$set": {"replaced": replaced}}
    )
    assert "replaced by new" in courier.ok("deliveries", "list").out
    assert "replaced by new" in courier.ok("accounts", "show", "acme").out
