"""The recording-ready event: decoded and checked before anything else sees it."""

import json
from datetime import datetime
from importlib.resources import files
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, unquote_to_bytes, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError, PydanticSerializationError

from config.accounts import ACCOUNT_ID
from config.models import FROZEN
from consumers.intake import shapes
from consumers.intake.reasons import MAX_EVENT_BYTES, InvalidEvent, Reason
from transports.names import safe_name
from transports.sources.generated import SCHEME, parts_of
from transports.sources.object_urls import SCHEMES
from transports.sources.object_urls import parts_of as parts_of_object

CLOUD_EVENT = "application/cloudevents+json"
_MAX_SIZE = 2**63 - 1
_SUPPORTED = "file://, https://, s3://, gs:// or az://"
_NOT_SUPPORTED = {
    "gcs": "gs://",
    "abfs": "az://",
    "abfss": "az://",
    "wasb": "az://",
    "wasbs": "az://",
    "adl": "az://",
}
"""Other schemes by which clouds' stores are known, and the one that is."""
_SHAPES = {
    "recording_id": "must have 1 to 128 printable ASCII characters",
    "account_id": (
        "must have up to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit"
    ),
    "file_url": f"must begin with {_SUPPORTED} and name a file; a blank is %20",
    "number": "must have 1 to 64 printable ASCII characters",
    "sha256": "must have 64 hexadecimal digits",
    "recorded_at": (
        "must be an RFC 3339 time that there is, with its offset, such as 2026-11-23T14:05:00Z"
    ),
}
"""What the pattern of a field means."""


def _timestamp(value: str) -> str:
    datetime.fromisoformat(value.upper())
    return value


def _file_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - looked at here so that a wrong one is told
    except ValueError:
        raise ValueError("must be a URL") from None
    if parts.scheme in {"file", "https", *SCHEMES}:
        _check_place(value, parts)
    elif parts.scheme != SCHEME or parts_of(value) is None:
        # Whether the canary has such a recording, the admission knows.
        raise PydanticCustomError(
            "source",
            "{scheme}:// sources are not supported: use {known}",
            {"scheme": parts.scheme, "known": _NOT_SUPPORTED.get(parts.scheme, _SUPPORTED)},
        )
    return value


def _check_place(value: str, parts: SplitResult) -> None:
    """Raises ValueError where a URL of a kind that is supported names no file or object."""
    if not value.startswith(parts.scheme):
        raise ValueError(f"must begin with {_SUPPORTED}, in small letters")
    if parts.scheme in SCHEMES:
        parts_of_object(value)
        return
    if parts.scheme == "file" and parts.netloc not in {"", "localhost"}:
        raise ValueError("must be file:///absolute/path")
    if parts.scheme == "file" and b"\0" in unquote_to_bytes(value):
        raise ValueError("must not have a NUL in its path")
    if parts.scheme == "https" and "@" in parts.netloc:  # they would be stored, shown and logged
        raise ValueError("must not have a user or a password in it")
    if parts.scheme == "https" and not shapes.AUTHORITY.fullmatch(parts.netloc):
        raise ValueError("must name a host")
    if not parts.path.strip("/"):
        raise ValueError("must name a file")


class RecordingReady(BaseModel):
    """A call recording is ready to be delivered to its account's server."""

    model_config = ConfigDict(
        **FROZEN,
        strict=True,
        extra="allow",
        title="recording.ready",
        json_schema_extra=shapes.complete,
    )

    recording_id: Annotated[
        str,
        Field(
            pattern=r"^[\x20-\x7e]{1,128}$",
            description="Unique; the idempotency key. 1 to 128 printable ASCII characters.",
        ),
    ]
    account_id: Annotated[str, Field(pattern=rf"^{ACCOUNT_ID.pattern}$")]
    file_url: Annotated[
        str,
        Field(
            pattern=shapes.URL,
            max_length=4096,
            json_schema_extra=shapes.FILE_URL,
            description="file://, https://, s3://BUCKET/KEY, gs://BUCKET/OBJECT or az://CONTAINER/BLOB",
        ),
        AfterValidator(_file_url),
    ]
    number: (
        Annotated[
            str,
            Field(
                pattern=r"^[\x20-\x7e]{1,64}$",
                description="The telephone number that was recorded.",
            ),
        ]
        | SkipJsonSchema[None]
    ) = None
    file_name: Annotated[
        str,
        Field(
            description="The name at the customer; the last segment of file_url where it is "
            "empty or blank. A name, never a path.",
            json_schema_extra=shapes.FILE_NAME,
        ),
    ] = ""
    size: (
        Annotated[int, Field(ge=0, le=_MAX_SIZE, description="Bytes; checked when given.")]
        | SkipJsonSchema[None]
    ) = None
    sha256: (
        Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$", description="Checked when given.")]
        | SkipJsonSchema[None]
    ) = None
    recorded_at: (
        Annotated[
            str,
            Field(pattern=shapes.TIMESTAMP, json_schema_extra=shapes.RECORDED_AT),
            AfterValidator(_timestamp),
        ]
        | SkipJsonSchema[None]
    ) = None

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, data: Any) -> Any:
        for name in cls.model_fields:
            if isinstance(data, dict) and name in data and data[name] is None:
                raise PydanticCustomError(
                    "null", "{name}: leave it out instead of null", {"name": name}
                )
        return data

    @property
    def target_name(self) -> str:
        """The file's name at the customer. Raises ValueError where there is no usable one."""
        given = self.file_name.strip() and self.file_name
        return safe_name(given or unquote(urlsplit(self.file_url).path.rpartition("/")[2]))


def decode(body: bytes, content_type: str | None) -> RecordingReady:
    """The event in a message's body. Raises InvalidEvent."""
    if len(body) > MAX_EVENT_BYTES:
        raise InvalidEvent(Reason.TOO_LARGE, f"an event has at most {MAX_EVENT_BYTES} bytes")
    content = _json_object(body)
    if (content_type or "").split(";")[0].strip().lower() == CLOUD_EVENT:
        content = _cloud_event_data(content)
    try:
        event = RecordingReady.model_validate(content)
    except ValidationError as error:
        raise _invalid(error) from None
    try:
        event.target_name  # noqa: B018 - asked for here so that a bad name is told with the event
    except ValueError as error:
        raise InvalidEvent(Reason.MALFORMED, f"file_name: {error}") from None
    _check_kept(event)
    return event


def schema() -> str:
    """The JSON Schema of the event, for the pipeline's authors."""
    return (
        files("consumers.intake")
        .joinpath("recording-ready.schema.json")
        .read_text(encoding="utf-8")
    )


def _json_object(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidEvent(Reason.MALFORMED, f"not UTF-8 JSON: {error}") from None
    if not isinstance(content, dict):
        raise InvalidEvent(Reason.MALFORMED, "the event must be a JSON object")
    return content


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _cloud_event_data(envelope: dict[str, Any]) -> dict[str, Any]:
    """CloudEvents 1.0, JSON format, section 3: required attributes and `data`."""
    if envelope.get("specversion") != "1.0":
        raise InvalidEvent(Reason.MALFORMED, "specversion: must be 1.0")
    for name in ("id", "source", "type"):
        if not isinstance(envelope.get(name), str) or not envelope[name]:
            raise InvalidEvent(Reason.MALFORMED, f"{name}: required in a CloudEvents envelope")
    data = envelope.get("data")
    if not isinstance(data, dict):
        raise InvalidEvent(Reason.MALFORMED, "data: must be the event as a JSON object")
    return data


def _check_kept(event: RecordingReady) -> None:
    """Unknown fields are kept, so they too must be something that can be written again."""
    try:
        event.model_dump_json()
    except PydanticSerializationError:
        raise InvalidEvent(
            Reason.MALFORMED, "an unknown field is not valid Unicode text or is nested too deeply"
        ) from None


def _invalid(error: ValidationError) -> InvalidEvent:
    problem = error.errors(include_url=False, include_input=False)[0]
    field = str(problem["loc"][0]) if problem["loc"] else "event"
    if problem["type"] == "source":
        return InvalidEvent(Reason.UNSUPPORTED_SOURCE, problem["msg"])
    if problem["type"] == "null":
        return InvalidEvent(Reason.MALFORMED, problem["msg"])
    if problem["type"] == "string_pattern_mismatch":
        return InvalidEvent(Reason.MALFORMED, f"{field}: {_SHAPES[field]}")
    message = problem["msg"].removeprefix("Value error, ")
    return InvalidEvent(Reason.MALFORMED, f"{field}: {message[0].lower()}{message[1:]}")
