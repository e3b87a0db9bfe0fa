"""The log: one event a line on stderr, structured, without secrets.

What happens to recordings and accounts arrives as observations; `LogObserver` gives each a stable
event name and the account, the recording and the try as fields.
"""

import logging
import re
import sys
from dataclasses import fields
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
    Trouble,
    TryEnded,
)
from consumers.trace import TraceContext

Format = Literal["json", "console"]

MASK = "***"

_EVENT_NAMES: dict[type[Observation | AlertTried], str] = {
    EventTaken: "event_taken",
    TryEnded: "try_ended",
    FileEnded: "file_ended",
    LoggedIn: "logged_in",
    AccountChanged: "account_changed",
    FilesDiscarded: "files_discarded",
    CanaryEnded: "canary_ended",
    Trouble: "trouble",
    ProgramFailed: "program_failed",
    AlertTried: "alert_tried",
}
"""Stable: whoever searches the log relies on them."""
_FIELD_NAMES: dict[tuple[type, str], str] = {
    (TryEnded, "number"): "try",
    (ProgramFailed, "fault"): "exc_info",
}
_SECRET_KEY = re.compile(
    r"passw(or)?d|passphrase|secret|token|authorization|credential|private_?key|api_?key|cookie",
    re.IGNORECASE,
)
_USERINFO = re.compile(r"(?<=://)[^\s/?#\"'<>]*@")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_LIBRARIES = logging.WARNING


class _Handler(logging.StreamHandler[TextIO]):
    """Ours on the root logger, told from those of others."""


def configure(log_format: Format | None = None, stream: TextIO | None = None) -> None:
    """Send everything logged in this process to the stream, stderr by default.

    Without a format it is `console` on a terminal and `json` elsewhere. Libraries are heard from
    WARNING on. Calling it again replaces what was configured.
    """
    stream = sys.stderr if stream is None else stream
    is_console = log_format == "console" or (log_format is None and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *(_console(stream) if is_console else _json()),
            ],
        )
    )
    _install(handler)


def mask_secrets(_logger: WrappedLogger, _method: str, event_dict: EventDict) -> EventDict:
    """Hide secrets by their type, by their key's name, and in URLs; however deep they lie."""
    return {key: _masked(key, value) for key, value in event_dict.items()}


class LogObserver:
    """Writes each observation as one event. Callable from any thread."""

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger("courier")

    def __call__(self, observation: Observation | AlertTried) -> None:
        """Log it at the level of its meaning, with those of its fields that are known."""
        self._log.log(_level(observation), _EVENT_NAMES[type(observation)], **_known(observation))


def _level(observation: Observation | AlertTried) -> int:
    match observation:
        case ProgramFailed():
            return logging.ERROR
        case (
            Trouble()
            | FilesDiscarded()
            | EventTaken(outcome="invalid")
            | FileEnded(outcome="dead_lettered")
            | AccountChanged(state="suspended")
            | AlertTried(outcome="failed")
        ):
            return logging.WARNING
        case TryEnded(kind=kind) if kind is not None:
            return logging.WARNING
        case CanaryEnded(result=result) if result is not Result.OK:
            return logging.WARNING
        case _:
            return logging.INFO


def _known(observation: Observation | AlertTried) -> dict[str, Any]:
    kind = type(observation)
    named = {
        _FIELD_NAMES.get((kind, field.name), field.name): getattr(observation, field.name)
        for field in fields(observation)
    }
    trace = named.pop("trace", None)
    named["trace_id"] = trace.trace_id if isinstance(trace, TraceContext) else None
    return {name: value for name, value in named.items() if value is not None}


def _install(handler: logging.Handler) -> None:
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _Handler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(_LIBRARIES)
    logging.getLogger("courier").setLevel(logging.INFO)
    # paramiko writes the traceback of every failed login here, a line an event; each of these
    # errors reaches us as an exception too, and is told in words as the try's failure.
    logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)
    # pika tells of every channel that the broker closed, an account's missing queue among them;
    # what it means is told by whoever opened the channel.
    logging.getLogger("pika.channel").setLevel(logging.ERROR)


def _json() -> list[Processor]:
    transform = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [
        structlog.processors.ExceptionRenderer(transform),
        mask_secrets,
        structlog.processors.JSONRenderer(),
    ]


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


def _masked(key: object, value: Any) -> Any:
    if isinstance(value, SecretStr) or (isinstance(key, str) and _SECRET_KEY.search(key)):
        return MASK
    if isinstance(value, str):
        return _USERINFO.sub(f"{MASK}@", value)
    if isinstance(value, dict):
        return {name: _masked(name, item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, item) for item in value]
    if value is None or isinstance(value, int | float):
        return value
    return _USERINFO.sub(f"{MASK}@", repr(value))
