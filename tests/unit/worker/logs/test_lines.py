"""How an event is written, and what never gets into a line."""

import io
import logging
from datetime import datetime
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from config.accounts import Protocol
from consumers.observe import (
    EventTaken,
    FilesDiscarded,
    Trouble,
    TryEnded,
)
from tests.unit.worker.logs.written import events, fail, written
from transports.errors import Kind
from worker.logs import LogObserver, configure, mask_secrets


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


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


@pytest.mark.parametrize(
    "library", ["paramiko.transport", "azure.identity._credentials.chained", "google.auth.compute"]
)
def test_what_libraries_say_of_failed_logins_is_not_repeated(
    stream: io.StringIO, library: str
) -> None:
    logging.getLogger(library).error("Traceback (most recent call last):")
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


def test_trouble_that_goes_on_is_told_once_a_minute_and_other_trouble_at_once(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    observe = LogObserver()
    for _ in range(5):
        observe(Trouble("rabbitmq", "consuming: Connection refused"))
        observe(Trouble("rabbitmq", "publishing: Connection refused"))
        observe(FilesDiscarded("acme", 1))
    told = [line["words"] for line in events(stream) if line["event"] == "trouble"]
    assert told == ["consuming: Connection refused", "publishing: Connection refused"]
    assert len(events(stream)) == 2 + 5
    monkeypatch.setattr("worker.logs.REPEAT_SECONDS", 0.0)
    observe(Trouble("rabbitmq", "consuming: Connection refused"))
    assert len(events(stream)) == 2 + 5 + 1


def test_trouble_of_ever_new_words_is_told_and_not_kept_for_ever(stream: io.StringIO) -> None:
    observe = LogObserver()
    for number in range(2_500):
        observe(Trouble("mongodb", str(number)))
    assert len(events(stream)) == 2_500
    assert len(observe._troubles) <= 1_000


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
