"""The log's events, levels and fields; what never gets into it."""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

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
from tests.unit.worker.test_metrics import Nothing
from transports.errors import Kind
from worker.logs import LogObserver, configure, mask_secrets
from worker.metrics import Metrics
from worker.observers import Observers

DELIVERED = TryEnded("acme", "r1", Protocol.SFTP, 2, 1.5, 480_044, "/in/a.wav", "size")
FAILED = TryEnded(
    "acme", "r1", Protocol.FTP, 1, 0.2, kind=Kind.ACCOUNT, words="530 No.", advice="Check."
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


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root, transport = logging.getLogger(), logging.getLogger("paramiko.transport")
    handlers, level, transport_level = list(root.handlers), root.level, transport.level
    configured = structlog.get_config()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    transport.setLevel(transport_level)
    structlog.configure(**configured)


@pytest.fixture
def stream() -> io.StringIO:
    stream = io.StringIO()
    configure("json", stream)
    return stream


def fail(error: Exception) -> None:
    raise error


def written(stream: io.StringIO) -> str:
    for handler in logging.getLogger().handlers:
        handler.flush()
    return stream.getvalue()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written(stream).splitlines()]


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
            {"event": "try_ended", "try": 1, "kind": "account", "words": "530 No."},
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
            AccountChanged("acme", "suspended", 10, Kind.ACCOUNT, "530 No."),
            "warning",
            {"event": "account_changed", "state": "suspended", "failures": 10, "cause": "account"},
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


def test_an_event_has_a_time_in_utc_and_no_empty_fields(stream: io.StringIO) -> None:
    LogObserver()(EventTaken("skipped", "acme", "r1"))
    [event] = events(stream)
    assert set(event) == {"event", "level", "timestamp", "outcome", "account_id", "recording_id"}
    assert event["timestamp"].endswith("Z")
    offset = datetime.fromisoformat(event["timestamp"]).utcoffset()
    assert offset is not None
    assert not offset


@pytest.mark.parametrize("log_format", ["json", "console"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(st.characters(codec=None)) | st.just("a\r\nb\x1b[2J\u2028\x85\x9b"))
def test_a_servers_words_cannot_break_a_line(log_format: Any, words: str) -> None:
    stream = io.StringIO()
    configure(log_format, stream)
    LogObserver()(TryEnded("acme", "r1", Protocol.FTP, 1, 0.2, kind=Kind.ACCOUNT, words=words))
    told = written(stream)
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told
    assert "\x9b" not in told


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_are_masked_wherever_they_are(log_format: Any) -> None:
    stream = io.StringIO()
    configure(log_format, stream)
    url = "amqp://courier:hunter2@host:5672/v"
    structlog.stdlib.get_logger("courier").info(
        f"connecting to {url}",
        password="hunter2",
        smtp_password="hunter2",
        Authorization="Basic hunter2",
        api_token="hunter2",
        secret=SecretStr("hunter2"),
        value=SecretStr("hunter2"),
        nested={"password": "hunter2", "urls": [url, (url,)], "deep": [{"token": "hunter2"}]},
        error=OSError(f"no route to {url}"),
        tricky="sftp://us@er:hunter2@host/path",
    )
    logging.getLogger("pika").warning("lost %s", url)
    try:
        fail(OSError(url))
    except OSError:
        structlog.stdlib.get_logger("courier").exception("unexpected", password="hunter2")
        logging.getLogger("pymongo").exception("unexpected")
    told = written(stream)
    assert "hunter2" not in told
    assert "amqp://***@host:5672/v" in told
    assert "sftp://***@host/path" in told


def test_what_is_no_secret_stays() -> None:
    told = {"account_id": "acme", "words": "530 a@b: no", "try": 1, "ok": True, "none": None}
    assert mask_secrets(None, "info", dict(told)) == told
    mail = "see https://host/path?to=a@b"
    assert mask_secrets(None, "info", {"event": mail}) == {"event": mail}


def test_libraries_are_heard_from_warning_on(stream: io.StringIO) -> None:
    for name in ("pika", "kombu", "pymongo", "paramiko"):
        logging.getLogger(name).info("chatter")
        logging.getLogger(name).warning("attention %s", name)
    told = [(event["logger"], event["event"], event["level"]) for event in events(stream)]
    assert told == [
        (name, f"attention {name}", "warning") for name in ("pika", "kombu", "pymongo", "paramiko")
    ]


def test_paramikos_tracebacks_of_failed_logins_are_not_repeated(stream: io.StringIO) -> None:
    logging.getLogger("paramiko.transport").error("Traceback (most recent call last):")
    assert events(stream) == []


def test_an_unexpected_error_is_a_structured_field_without_local_values(
    stream: io.StringIO,
) -> None:
    local_value = "a recording's name"
    try:
        fail(ValueError(f"{len(local_value)} is odd"))
    except ValueError:
        structlog.stdlib.get_logger("courier").exception("unexpected")
    [event] = events(stream)
    assert event["exception"][0]["exc_type"] == "ValueError"
    assert event["exception"][0]["exc_value"] == "18 is odd"
    assert local_value not in written(stream)


def test_an_unexpected_error_on_a_terminal_is_a_plain_traceback() -> None:
    stream = io.StringIO()
    configure("console", stream)
    try:
        fail(ValueError("a\x1b[2J"))
    except ValueError:
        structlog.stdlib.get_logger("courier").exception("unexpected")
    told = written(stream)
    assert "Traceback (most recent call last):\n" in told
    assert "\x1b" not in told


def test_without_a_format_it_is_for_eyes_on_a_terminal_and_json_elsewhere() -> None:
    terminal, file = Terminal(), io.StringIO()
    configure(None, terminal)
    LogObserver()(Trouble("mongodb", "away"))
    configure(None, file)
    LogObserver()(Trouble("mongodb", "away"))
    assert not written(terminal).startswith("{")
    assert "trouble" in terminal.getvalue()
    assert len(events(file)) == 1


def test_configuring_again_writes_each_event_once() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("json", first)
    configure("json", second)
    LogObserver()(Trouble("mongodb", "away"))
    assert written(first) == ""
    assert len(events(second)) == 1


def test_what_was_bound_to_the_thread_is_in_every_event(stream: io.StringIO) -> None:
    with structlog.contextvars.bound_contextvars(worker="w1"):
        LogObserver()(Trouble("mongodb", "away"))
    [event] = events(stream)
    assert event["worker"] == "w1"


def test_what_is_told_of_a_recording_carries_its_trace_id() -> None:
    stream = io.StringIO()
    configure("json", stream)
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
