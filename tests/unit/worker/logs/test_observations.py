"""What is logged of each observation: the event, its level, its fields."""

import io
from dataclasses import replace
from typing import Any, get_args

import pytest

from alerts.relay import AlertTried
from config.accounts import Protocol
from consumers.ledger import Result
from consumers.observe import (
    AccountChanged,
    CanaryEnded,
    EventTaken,
    FileEnded,
    FilesDiscarded,
    LoggedIn,
    Observation,
    ProgramFailed,
    RaceLost,
    Trouble,
    TryEnded,
)
from consumers.trace import TraceContext
from tests.unit.worker.logs.written import events, fail
from tests.unit.worker.test_metrics import Nothing
from transports.errors import Kind
from worker.logs import LogObserver
from worker.metrics import Metrics
from worker.observers import Observers

DELIVERED = TryEnded("acme", "r1", Protocol.SFTP, 2, 1.5, 480_044, "/in/a.wav", "size")
FAILED = TryEnded(
    "acme",
    "r1",
    Protocol.FTP,
    1,
    0.2,
    kind=Kind.ACCOUNT,
    cause="login-refused",
    words="530 No.",
    advice="Check.",
)

ONE_OF_EACH = (
    EventTaken("duplicate", "acme", "r1"),
    LoggedIn("acme", "refused"),
    FAILED,
    FileEnded("delivered", "acme", "r1", 3.5),
    AccountChanged("acme", "active", 0),
    RaceLost("failed_try", "acme", "r1"),
    FilesDiscarded("acme", 3),
    CanaryEnded("canary", "canary-canary-1", Result.OK, 3.5),
    Trouble("mongodb", "away"),
    ProgramFailed("writing", KeyError("227"), "acme", "r1"),
    AlertTried("sent", "acme:3"),
)


@pytest.mark.parametrize(
    ("observation", "level", "expected"),
    [
        (
            EventTaken("skipped", "acme", "r1"),
            "info",
            {"event": "event_taken", "outcome": "skipped", "account_id": "acme"},
        ),
        (
            EventTaken("invalid", None, None, "not JSON"),
            "warning",
            {"event": "event_taken", "outcome": "invalid", "reason": "not JSON"},
        ),
        (
            FAILED,
            "warning",
            {"event": "try_ended", "kind": "account", "cause": "login-refused", "words": "530 No."},
        ),
        (
            FileEnded("delivered", "acme", "r1", 3.5),
            "info",
            {"event": "file_ended", "outcome": "delivered", "delivery_seconds": 3.5},
        ),
        (
            FileEnded("dead_lettered", "acme", "r1", reason="account"),
            "warning",
            {"event": "file_ended", "outcome": "dead_lettered", "reason": "account"},
        ),
        (
            AccountChanged("acme", "suspended", 10, Kind.ACCOUNT, "login-refused", "530 No."),
            "warning",
            {"event": "account_changed", "kind": "account", "cause": "login-refused"},
        ),
        (
            AccountChanged("acme", "active", 0),
            "info",
            {"event": "account_changed", "state": "active", "failures": 0},
        ),
        (
            RaceLost("failed_try", "acme", "r1"),
            "warning",
            {"event": "race_lost", "change": "failed_try", "recording_id": "r1"},
        ),
        (
            FilesDiscarded("acme", 3),
            "warning",
            {"event": "files_discarded", "account_id": "acme", "files": 3},
        ),
        (
            CanaryEnded("canary", "c1", Result.WRONG, 3.5, "1000 bytes of 16044"),
            "warning",
            {"event": "canary_ended", "result": "wrong", "words": "1000 bytes of 16044"},
        ),
        (
            Trouble("rabbitmq", "Connection refused"),
            "warning",
            {"event": "trouble", "where": "rabbitmq", "words": "Connection refused"},
        ),
        (
            ProgramFailed("writing", KeyError("227"), "acme", "r1"),
            "error",
            {"event": "program_failed", "where": "writing", "recording_id": "r1"},
        ),
        (AlertTried("sent", "acme:3"), "info", {"event": "alert_tried", "alert_id": "acme:3"}),
        (
            AlertTried("failed", "acme:3", "451 later"),
            "warning",
            {"event": "alert_tried", "outcome": "failed", "words": "451 later"},
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str | dict) else "",
)
def test_each_observation_is_one_event_at_the_level_of_its_meaning(
    stream: io.StringIO,
    observation: Observation | AlertTried,
    level: str,
    expected: dict[str, Any],
) -> None:
    LogObserver()(observation)
    [event] = events(stream)
    assert expected.items() <= event.items()
    assert event["level"] == level


def test_a_fault_of_the_program_has_its_traceback_in_the_log(stream: io.StringIO) -> None:
    try:
        fail(OverflowError("port must be 0-65535"))
    except OverflowError as error:
        LogObserver()(ProgramFailed("connecting", error, "acme", "r1"))
    [event] = events(stream)
    (raised,) = event["exception"]
    assert (raised["exc_type"], raised["exc_value"]) == ("OverflowError", "port must be 0-65535")
    assert raised["frames"][-1]["name"] == "fail"


def test_the_log_and_the_metrics_know_every_observation(stream: io.StringIO) -> None:
    assert {type(each) for each in ONE_OF_EACH} == {*get_args(Observation), AlertTried}
    for observation in ONE_OF_EACH:
        LogObserver()(observation)
        Metrics(Nothing()).observe(observation)
    assert len({event["event"] for event in events(stream)}) == len(ONE_OF_EACH)


def test_a_delivered_file_is_one_line_with_all_that_is_known_of_it(stream: io.StringIO) -> None:
    trace = TraceContext.begun()
    tried = replace(DELIVERED, host="ftp.acme.example", port=22, left="/in/.a.part", trace=trace)
    log = LogObserver()
    log(EventTaken("routed", "acme", "r1", seconds=0.01, trace=trace))
    log(tried)
    log(FileEnded("delivered", "acme", "r1", 3.5, trace=trace, was_well=True, brought_by=tried))
    [event] = events(stream)
    del event["timestamp"]
    assert event == {
        "event": "file_ended",
        "level": "info",
        "outcome": "delivered",
        "account_id": "acme",
        "recording_id": "r1",
        "protocol": "sftp",
        "host": "ftp.acme.example",
        "port": 22,
        "try": 2,
        "seconds": 1.5,
        "size": 480_044,
        "remote_path": "/in/a.wav",
        "verified": "size",
        "left": "/in/.a.part",
        "delivery_seconds": 3.5,
        "was_well": True,
        "came_back": False,
        "trace_id": trace.trace_id,
    }


def test_each_failed_try_and_a_dead_letter_are_lines_of_their_own(stream: io.StringIO) -> None:
    log = LogObserver()
    for number in range(1, 6):
        log(replace(FAILED, number=number))
    log(FileEnded("dead_lettered", "acme", "r1", reason="account"))
    told = [(event["event"], event.get("try")) for event in events(stream)]
    assert told == [*(("try_ended", number) for number in range(1, 6)), ("file_ended", None)]


def test_of_events_only_those_that_lead_to_no_file_are_told(stream: io.StringIO) -> None:
    for outcome in ("routed", "duplicate", "skipped", "invalid"):
        LogObserver()(EventTaken(outcome, "acme", "r1"))
    assert [event["outcome"] for event in events(stream)] == ["duplicate", "skipped", "invalid"]


def test_an_observer_that_fails_fails_nobody_and_is_a_line_in_the_log(stream: io.StringIO) -> None:
    heard: list[object] = []

    def fails(_observation: object) -> None:
        raise KeyError("unknown")

    Observers(fails, heard.append)(DELIVERED)
    [event] = events(stream)
    assert (event["event"], event["observation"]) == ("observer_failed", "TryEnded")
    assert heard == [DELIVERED]


def test_what_is_told_of_a_recording_carries_its_trace_id(stream: io.StringIO) -> None:
    trace = TraceContext.begun()
    for told in (
        EventTaken("skipped", "acme", "r1", trace=trace),
        replace(FAILED, trace=trace),
        FileEnded("delivered", "acme", "r1", 3.5, trace=trace),
        AccountChanged("acme", "suspended", 10, trace=trace),
        ProgramFailed("writing", KeyError("227"), "acme", "r1", trace),
    ):
        LogObserver()(told)

    assert {line["trace_id"] for line in events(stream)} == {trace.trace_id}
    assert not any("trace" in line for line in events(stream))
