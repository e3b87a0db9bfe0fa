"""What a message may hold as a whole: JSON, CloudEvents, anything at all."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.intake.events import (
    CLOUD_EVENT,
    decode,
)
from consumers.intake.reasons import MAX_EVENT_BYTES, InvalidEvent
from tests.unit.consumers.intake.example import ENVELOPE, FULL, GOOD, JSON, accepted, body, reason


def padded(size: int) -> bytes:
    return body(padding="x" * (size - len(body(padding=""))))


def test_an_event_has_64_kib_at_most() -> None:
    assert decode(padded(MAX_EVENT_BYTES), JSON).recording_id == "8f6c2f0e"
    assert reason(padded(MAX_EVENT_BYTES + 1)) == "too-large: an event has at most 65536 bytes"


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b" ",
        b"{",
        b"\x80",
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        json.dumps(GOOD).encode("utf-16"),
        '{"recording_id": "é"}'.encode("latin-1"),
        body() + b"x",
        b"{'recording_id': 'x'}",
        b'{"size": ' + b"1" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
    ],
    ids=range(13),
)
def test_what_is_not_utf8_json_is_said_to_be_that(raw: bytes) -> None:
    assert reason(raw).startswith("malformed: not UTF-8 JSON: ")


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"event"', b"1", b"true"])
def test_an_event_is_an_object(raw: bytes) -> None:
    assert reason(raw) == "malformed: the event must be a JSON object"


@pytest.mark.parametrize("field", [*FULL, "unknown"])
def test_half_a_surrogate_pair_is_no_text(field: str) -> None:
    """Nothing could store it or send it on, in whichever field it stands."""
    assert reason(body(**{field: "a\ud800b.wav"})).startswith("malformed: ")


def test_half_a_surrogate_pair_is_no_name_of_a_field_either() -> None:
    assert reason(body(**{"\udfff": 1})).startswith("malformed: ")


@pytest.mark.parametrize("depth", [100, 250, 300, 500, 900, 2000, 30_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":[', "]}")])
def test_unknown_fields_of_any_depth_are_kept_or_refused(
    depth: int, opening: str, closing: str
) -> None:
    nested = f"{opening * depth}{closing * depth}"
    raw = body(deep=0).replace(b'"deep": 0', f'"deep": {nested}'.encode())
    try:
        event = decode(raw, JSON)
    except InvalidEvent as refused:
        assert refused.reason.startswith(("malformed: ", "too-large: "))  # noqa: PT017 - if so
        assert depth > 100
    else:
        assert json.loads(event.model_dump_json(exclude_unset=True)) == json.loads(raw)


# --- CloudEvents ----------------------------------------------------------------------------


def enveloped(**attributes: object) -> bytes:
    return json.dumps({**ENVELOPE, "data": GOOD, **attributes}).encode()


@pytest.mark.parametrize(
    "content_type",
    [
        CLOUD_EVENT,
        "application/cloudevents+json; charset=utf-8",
        "Application/CloudEvents+JSON;charset=UTF-8",
    ],
)
def test_an_event_in_a_cloudevents_envelope_is_taken(content_type: str) -> None:
    assert decode(enveloped(time="2026-11-23T14:05:00Z"), content_type) == accepted()


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"specversion": "0.3"}, "specversion: must be 1.0"),
        ({"specversion": None}, "specversion: must be 1.0"),
        ({"specversion": 1.0}, "specversion: must be 1.0"),
        ({"id": ""}, "id: required in a CloudEvents envelope"),
        ({"id": 7}, "id: required in a CloudEvents envelope"),
        ({"source": None}, "source: required in a CloudEvents envelope"),
        ({"type": None}, "type: required in a CloudEvents envelope"),
        ({"data": None}, "data: must be the event as a JSON object"),
        ({"data": json.dumps(GOOD)}, "data: must be the event as a JSON object"),
        ({"data": [GOOD]}, "data: must be the event as a JSON object"),
        ({"data": {}}, "recording_id: field required"),
        ({"data": {**GOOD, "size": None}}, "size: leave it out instead of null"),
        ({"data": {**ENVELOPE, "data": GOOD}}, "recording_id: field required"),
    ],
)
def test_an_envelope_that_cannot_be_used_is_told(attributes: dict[str, Any], told: str) -> None:
    assert reason(enveloped(**attributes), CLOUD_EVENT) == f"malformed: {told}"


@pytest.mark.parametrize("missing", [*ENVELOPE, "data"])
def test_an_envelope_needs_its_required_attributes(missing: str) -> None:
    envelope = {**ENVELOPE, "data": GOOD}
    del envelope[missing]

    assert reason(json.dumps(envelope).encode(), CLOUD_EVENT).startswith(f"malformed: {missing}: ")


def test_a_bare_event_is_no_envelope() -> None:
    assert reason(body(), CLOUD_EVENT) == "malformed: specversion: must be 1.0"


def test_an_envelope_is_no_bare_event() -> None:
    assert reason(enveloped(), JSON) == "malformed: recording_id: field required"


# --- anything at all ------------------------------------------------------------------------

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs", "Cc", "L"]))
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
EVENTS = st.fixed_dictionaries(
    {}, optional={field: SCALARS | st.just(FULL[field]) for field in FULL}
)
CONTENT_TYPES = st.sampled_from([None, "", ";", JSON, CLOUD_EVENT])


def usable_or_refused(raw: bytes, content_type: str | None) -> None:
    """An event that is taken can be named, stored and published."""
    try:
        event = decode(raw, content_type)
    except InvalidEvent as refused:
        assert refused.reason.encode()  # noqa: PT017 - most events of these are refused
    else:
        assert 0 < len(event.target_name.encode()) <= 255
        assert event.model_dump_json(exclude_unset=True).encode()


@given(raw=st.binary(), content_type=CONTENT_TYPES)
@example(raw=b'"\xed\xa0\x80"', content_type=JSON)
def test_any_bytes_are_an_event_or_are_refused(raw: bytes, content_type: str | None) -> None:
    usable_or_refused(raw, content_type)


@given(value=VALUES, content_type=CONTENT_TYPES)
def test_any_json_is_an_event_or_is_refused(value: object, content_type: str | None) -> None:
    usable_or_refused(json.dumps(value).encode(), content_type)


@given(event=EVENTS, more=st.dictionaries(st.text(), VALUES, max_size=2), wrapped=st.booleans())
def test_any_fields_are_an_event_or_are_refused(
    event: dict[str, Any], more: dict[str, Any], *, wrapped: bool
) -> None:
    content = {**GOOD, **more, **event}
    if wrapped:
        usable_or_refused(enveloped(data=content), CLOUD_EVENT)
    else:
        usable_or_refused(json.dumps(content).encode(), JSON)
