"""The log: one event a line on stderr, structured, without secrets.

What happens to recordings and accounts arrives as observations; `LogObserver` gives each a stable
event name and the account, the recording and the try as fields. A recording that arrives at its
first try is one line, `file_ended`, with all that is known of the try. Each failed try is a line
of its own.
"""

import json
import logging
import os
import re
import sys
import time
from dataclasses import fields
from functools import lru_cache
from typing import Any, Literal, TextIO

import structlog
from pydantic import SecretStr
from structlog.typing import EventDict, Processor, WrappedLogger

from alerts.relay import AlertTried
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
from worker.lines import Lines

Format = Literal["json", "console"]

MASK = "***"
REPEAT_SECONDS = 60.0
"""How soon the same trouble is told again."""
_TROUBLES = 1000
"""Most that are known as told."""

_EVENT_NAMES: dict[type[Observation | AlertTried], str] = {
    EventTaken: "event_taken",
    TryEnded: "try_ended",
    FileEnded: "file_ended",
    LoggedIn: "logged_in",
    AccountChanged: "account_changed",
    RaceLost: "race_lost",
    FilesDiscarded: "files_discarded",
    CanaryEnded: "canary_ended",
    Trouble: "trouble",
    ProgramFailed: "program_failed",
    AlertTried: "alert_tried",
}
"""Stable: people's searches rely on them."""
_FIELD_NAMES: dict[tuple[type, str], str] = {
    (TryEnded, "number"): "try",
    (ProgramFailed, "fault"): "exc_info",
}
_FIELDS = {
    kind: [
        (field.name, _FIELD_NAMES.get((kind, field.name), field.name))
        for field in fields(kind)
        if field.name != "brought_by"
    ]
    for kind in _EVENT_NAMES
}
"""The fields of each observation, and their names in the log."""
_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|token|authorization|credential|private_?key|api_?key|cookie",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LIBRARIES = logging.WARNING
_ENCODER = json.JSONEncoder(default=repr)


class _Handler(logging.Handler):
    """Our handler on the root logger: what libraries log goes the same way."""

    def __init__(self, lines: Lines, formatter: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Have the record written."""
        try:
            self._lines.add(self.format(record))
        except Exception:  # noqa: BLE001 - as every handler does: what cannot be logged fails nobody
            self.handleError(record)

    def flush(self) -> None:
        """Wait a short while until all that was logged is written."""
        self._lines.flush()

    def close(self) -> None:
        """Write what waits; the end of the process calls it."""
        self._lines.close()
        super().close()


class _Written:
    """What structlog calls with a finished line, by the name of its level."""

    def __init__(self, lines: Lines) -> None:
        self.info = self.warning = self.error = self.critical = lines.add


def configure(log_format: Format | None = None, stream: TextIO | None = None) -> None:
    """Send everything logged in this process to the stream, stderr by default.

    Without a format it is `console` on a terminal and `json` elsewhere. Libraries are heard from
    WARNING on. Calling it again replaces what was configured.
    """
    if sys.stderr is None:  # the process was started with a closed one
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    stream = sys.stderr if stream is None else stream
    is_console = log_format == "console" or (log_format is None and stream.isatty())
    rendered = _console(stream) if is_console else _json()
    stamped: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    lines = Lines(stream, _tell_lost)
    structlog.configure(
        processors=[*stamped, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_names: _Written(lines),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*stamped, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
    )
    _install(_Handler(lines, formatter))


def _tell_lost(lines: int) -> None:
    structlog.get_logger().warning("log_lines_lost", lines=lines)


def mask_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Hide secrets by their type, by their key's name, and in URLs; however deep they lie."""
    return {key: _masked(key, value) for key, value in event_dict.items()}


class LogObserver:
    """Writes each observation as one event. Callable from any thread."""

    def __init__(self) -> None:
        self._log = structlog.get_logger().bind()
        self._troubles: dict[Trouble, float] = {}

    def __call__(self, observation: Observation | AlertTried) -> None:
        """Log it at the level of its meaning, with those of its fields that are known.

        Trouble that is met again and again is told once a minute: a service that is away is asked
        every second, by each part that needs it.
        """
        if isinstance(observation, Trouble) and self._was_just_told(observation):
            return
        level = _level(observation)
        if level is not None:
            self._log.log(level, _EVENT_NAMES[type(observation)], **_told(observation))

    def _was_just_told(self, trouble: Trouble) -> bool:
        now = time.monotonic()
        told = self._troubles.get(trouble)
        if told is not None and now - told < REPEAT_SECONDS:
            return True
        if len(self._troubles) >= _TROUBLES:
            self._troubles = {}
        self._troubles[trouble] = now
        return False


def _level(observation: Observation | AlertTried) -> int | None:
    """None where the line of the file's end tells it."""
    match observation:
        case EventTaken(outcome="routed") | TryEnded(kind=None):
            return None
        case ProgramFailed():
            return logging.ERROR
        case (
            Trouble()
            | RaceLost()
            | FilesDiscarded()
            | EventTaken(outcome="invalid")
            | TryEnded()
            | FileEnded(outcome="dead_lettered")
            | AccountChanged(state="suspended")
            | AlertTried(outcome="failed")
        ):
            return logging.WARNING
        case CanaryEnded(result=result) if result is not Result.OK:
            return logging.WARNING
        case _:
            return logging.INFO


def _told(observation: Observation | AlertTried) -> dict[str, Any]:
    """The fields of the observation's line. A delivered file's line has those of its try too."""
    if isinstance(observation, FileEnded) and observation.brought_by is not None:
        return _known(observation.brought_by) | _known(observation)
    return _known(observation)


def _known(observation: Observation | AlertTried) -> dict[str, Any]:
    told = {
        shown: value
        for name, shown in _FIELDS[type(observation)]
        if (value := getattr(observation, name)) is not None
    }
    trace = told.pop("trace", None)
    if isinstance(trace, TraceContext):
        told["trace_id"] = trace.trace_id
    return told


def _install(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(_LIBRARIES)
    # paramiko writes the traceback of every failed login here, a line an event; each of these
    # errors reaches us as an exception too, and is told in words as the try's failure.
    logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)
    # pika writes half a dozen errors for each try to connect, and for a connection that is lost:
    # all of them reach us as an exception, and are told in words as trouble.
    for name in ("pika.adapters", "pika.connection"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    # pika tells of every channel that the broker closed, an account's missing queue among them;
    # what it means is told by whoever opened the channel.
    logging.getLogger("pika.channel").setLevel(logging.ERROR)
    # The clouds' libraries write a page for a login that fails, with what a server has answered; it
    # is told in words as the failure of what wanted to read.
    for name in ("azure", "google.auth"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _json() -> list[Processor]:
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transform),
        mask_secrets,
        structlog.processors.JSONRenderer(_written),
    ]


def _written(told: EventDict, **_options: Any) -> str:
    return _ENCODER.encode(told)


def _console(stream: TextIO) -> list[Processor]:
    return [
        structlog.processors.format_exc_info,
        mask_secrets,
        _escape_control,
        structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        ),
    ]


def _escape_control(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Servers' words must not break a line, or speak to the terminal."""
    return {
        key: _escaped(value, keep="\n\t" if key == "exception" else "")
        for key, value in event_dict.items()
    }


def _escaped(value: Any, keep: str) -> Any:
    if not isinstance(value, str):
        return value
    return _CONTROL.sub(
        lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1], str(value)
    )


@lru_cache
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def _masked(key: object, value: Any) -> Any:
    if isinstance(value, SecretStr) or (isinstance(key, str) and _is_secret(key)):
        return MASK
    if isinstance(value, str):
        return _USERINFO.sub(f"{MASK}@", value) if "://" in value else value
    if isinstance(value, dict):
        return {name: _masked(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return _USERINFO.sub(f"{MASK}@", repr(value))
