"""What the pipeline may publish, and what happens to everything else."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumers.intake import events
from consumers.intake.events import (
    CLOUD_EVENT,
    RecordingReady,
    decode,
    schema,
)
from consumers.intake.reasons import MAX_EVENT_BYTES, InvalidEvent

JSON = "application/json"
GOOD: dict[str, Any] = {
    "recording_id": "8f6c2f0e",
    "account_id": "acme",
    "file_url": "file:///recordings/8f6c.wav",
}
FULL = {
    **GOOD,
    "number": "+441632960001",
    "file_name": "20261123-140500_01632960001.wav",
    "size": 480044,
    "sha256": "0123456789abcdefABCDEF" + "0" * 42,
    "recorded_at": "2026-11-23T14:05:00Z",
}
ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/pipeline", "type": "recording.ready"}


def body(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def accepted(**fields: object) -> RecordingReady:
    return decode(body(**fields), JSON)


def reason(raw: bytes, content_type: str | None = JSON) -> str:
    with pytest.raises(InvalidEvent) as refused:
        decode(raw, content_type)
    return refused.value.reason


# --- good events ----------------------------------------------------------------------------


def test_the_contracts_example_is_taken() -> None:
    event = decode(json.dumps(FULL).encode(), JSON)

    assert event.model_dump() == FULL
    assert event.target_name == "20261123-140500_01632960001.wav"


def test_three_fields_are_enough() -> None:
    event = accepted()

    assert (event.number, event.size, event.sha256, event.recorded_at) == (None,) * 4
    assert event.target_name == "8f6c.wav"


def test_the_content_type_may_be_missing() -> None:
    assert decode(body(), None) == accepted()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recording_id", "x"),
        ("recording_id", "x" * 128),
        ("recording_id", " ~$.{}"),
        ("account_id", "A"),
        ("account_id", "9._-" + "a" * 60),
        ("number", "anonymous"),
        ("number", "1" * 64),
        ("size", 0),
        ("size", 2**63 - 1),
        ("sha256", "aB" * 32),
        ("recorded_at", "2026-11-23t14:05:00z"),
        ("recorded_at", "2026-11-23T14:05:00.123456789+05:30"),
        ("recorded_at", "2024-02-29T23:59:59-00:00"),
        ("file_url", "https://records.example:8443/a/b.wav?sig=1%2F2#top"),
        ("file_url", "https://[::1]/b.wav"),
        ("file_url", "file://localhost/b.wav"),
        ("file_url", "file:///ünï/☎.wav"),
    ],
)
def test_what_a_field_may_hold(field: str, value: object) -> None:
    assert getattr(accepted(**{field: value}), field) == value


def test_unknown_fields_are_kept() -> None:
    event = accepted(caller="anna", tags=["a", None, {"b": 1.5}], nothing=None)

    kept = json.loads(event.model_dump_json(exclude_unset=True))
    assert kept == {**GOOD, "caller": "anna", "tags": ["a", None, {"b": 1.5}], "nothing": None}


# --- fields that are not as they must be ----------------------------------------------------


@pytest.mark.parametrize("field", ["recording_id", "account_id", "file_url"])
def test_a_required_field_that_is_missing_is_named(field: str) -> None:
    raw = json.dumps({key: value for key, value in GOOD.items() if key != field}).encode()

    assert reason(raw) == f"malformed: {field}: field required"


@pytest.mark.parametrize("field", FULL)
def test_null_is_not_a_value(field: str) -> None:
    assert reason(body(**{field: None})) == f"malformed: {field}: leave it out instead of null"


@pytest.mark.parametrize("field", FULL)
@pytest.mark.parametrize("value", [True, False, 1.5, [], {}, ["a"], {"a": "b"}], ids=repr)
def test_a_value_of_another_type_makes_the_event_invalid(field: str, value: object) -> None:
    assert reason(body(**{field: value})).startswith(f"malformed: {field}: ")


@pytest.mark.parametrize("field", [field for field in FULL if field != "size"])
def test_a_number_is_not_a_text(field: str) -> None:
    assert reason(body(**{field: 1})).startswith(f"malformed: {field}: ")


@pytest.mark.parametrize("value", ["480044", -1, 2**63, 10**400, 480044.0, ""], ids=str)
def test_a_size_is_a_whole_number_of_bytes(value: object) -> None:
    assert reason(body(size=value)).startswith("malformed: size: ")


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity"])
def test_a_number_that_is_not_json_makes_the_event_invalid(literal: str) -> None:
    raw = body(size=1).replace(b'"size": 1', f'"size": {literal}'.encode())

    assert reason(raw) == f"malformed: not UTF-8 JSON: {literal} is not JSON"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recording_id", ""),
        ("recording_id", "x" * 129),
        ("recording_id", "a\n"),
        ("recording_id", "a\tb"),
        ("recording_id", "a\x00b"),
        ("recording_id", "é"),
        ("account_id", ""),
        ("account_id", "a" * 65),
        ("account_id", "-acme"),
        ("account_id", ".acme"),
        ("account_id", "ac me"),
        ("account_id", "ac/me"),
        ("account_id", "acme\n"),
        ("account_id", "acmé"),
        ("account_id", "acme*"),
        ("number", ""),
        ("number", "1" * 65),
        ("number", "+44\n"),
        ("number", "☎"),
        ("sha256", ""),
        ("sha256", "a" * 63),
        ("sha256", "a" * 65),
        ("sha256", "g" * 64),
        ("sha256", "a" * 64 + "\n"),
        ("recorded_at", ""),
        ("recorded_at", "yesterday"),
        ("recorded_at", "2026-11-23"),
        ("recorded_at", "2026-11-23T14:05:00"),
        ("recorded_at", "2026-11-23 14:05:00Z"),
        ("recorded_at", "2026-13-23T14:05:00Z"),
        ("recorded_at", "2026-02-29T14:05:00Z"),
        ("recorded_at", "2026-11-23T24:05:00Z"),
        ("recorded_at", "2026-11-23T14:05:00+24:00"),
        ("recorded_at", "2026-11-23T14:05:00Z\n"),
        ("recorded_at", "٢٠٢٦-11-23T14:05:00Z"),
        ("file_url", ""),
        ("file_url", "/recordings/a.wav"),
        ("file_url", "a.wav"),
        ("file_url", "http://records.example/a.wav"),
        ("file_url", "ftp://records.example/a.wav"),
        ("file_url", "file:/recordings/a.wav"),
        ("file_url", "file://elsewhere/a.wav"),
        ("file_url", "file:///"),
        ("file_url", "file://"),
        ("file_url", "https:///a.wav"),
        ("file_url", "https://records.example"),
        ("file_url", "https://records.example/"),
        ("file_url", "https://records.example:0/a.wav"),
        ("file_url", "https://records.example:99999/a.wav"),
        ("file_url", "https://[::1/a.wav"),
        ("file_url", "file:///a b.wav"),
        ("file_url", "file:///a.wav\r\nX: y"),
        ("file_url", "file:///a\x00.wav"),
        ("file_url", "file:///a%00.wav"),
        ("file_url", "file:///%00/a.wav"),
        ("file_url", "file://localhost:80/a.wav"),
        ("file_url", "file://user@localhost/a.wav"),
        ("file_url", "file://../a.wav"),
        ("file_url", "https://user:password@records.example/a.wav"),
        ("file_url", "https://user@records.example/a.wav"),
        ("file_url", "https://records.example@169.254.169.254/a.wav"),
        ("file_url", "https://@records.example/a.wav"),
        ("file_url", "https://records.example:-1/a.wav"),
        ("file_url", "https://records.example:x/a.wav"),
        ("file_url", "https://:443/a.wav"),
        ("file_url", "file:///" + "a" * 4096),
    ],
)
def test_a_value_of_another_format_makes_the_event_invalid(field: str, value: str) -> None:
    assert reason(body(**{field: value})).startswith(f"malformed: {field}: ")


def test_s3_is_refused_saying_so() -> None:
    refused = reason(body(file_url="s3://bucket/a.wav"))

    assert refused == "unsupported-source: s3:// sources are not supported yet"


def test_no_reason_adds_a_line_to_the_header() -> None:
    for field, value in (("account_id", "a\r\nb"), ("file_url", "x\r\ny"), ("number", "1\n2")):
        assert reason(body(**{field: value})).isprintable()


# --- the name at the customer ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("call.wav", "call.wav"),
        ("  call.wav ", "call.wav"),
        ("call. ", "call."),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("..\\..\\boot.ini", ".._.._boot.ini"),
        ("a/b\\c.wav", "a_b_c.wav"),
        ("a\r\nDELE b.wav", "a__DELE b.wav"),
        ("a\x00b\x1b\x7f.wav", "a_b__.wav"),
        ("a\x85b.wav", "a_b.wav"),
        ("...", "..."),
        ("☎ Ünï 通話.wav", "☎ Ünï 通話.wav"),
        ("$set", "$set"),
        ("", "8f6c.wav"),
        (" \t ", "8f6c.wav"),
        ("\u3000", "8f6c.wav"),
    ],
)
def test_a_name_is_never_a_path(given_name: str, name: str) -> None:
    assert accepted(file_name=given_name).target_name == name


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_for_a_folder_makes_the_event_invalid(name: str) -> None:
    assert reason(body(file_name=name)) == f"malformed: file_name: {name!r} is not a file name"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file:///r/a%20b.wav", "a b.wav"),
        ("file:///r/a%2Fb.wav", "a_b.wav"),
        ("file:///r/%2e%2e%2fx.wav", ".._x.wav"),
        ("file:///r/a%0D%0Ab.wav", "a__b.wav"),
        ("https://h/r/a%0D%0Ab%00.wav", "a__b_.wav"),
        ("file:///r/%E2%98%8E.wav", "☎.wav"),
        ("file:///r/%FF.wav", "\ufffd.wav"),
        ("https://h/r/a.wav?name=b.wav#c", "a.wav"),
    ],
)
def test_the_default_name_is_the_decoded_last_segment(url: str, name: str) -> None:
    assert accepted(file_url=url).target_name == name


@pytest.mark.parametrize("url", ["file:///r/%2e%2e", "file:///r/.", "https://h/r/"])
def test_a_url_whose_last_segment_is_no_name_needs_a_file_name(url: str) -> None:
    assert reason(body(file_url=url)).startswith("malformed: file_name: ")
    assert accepted(file_url=url, file_name="a.wav").target_name == "a.wav"


@pytest.mark.parametrize("letter", ["a", "é", "通", "😀"])
def test_a_long_name_is_cut_to_255_bytes_with_its_extension(letter: str) -> None:
    name = accepted(file_name=letter * 300 + ".wav").target_name

    assert 255 - len(letter.encode()) < len(name.encode()) <= 255
    assert name == letter * (len(name) - 4) + ".wav"


def test_255_bytes_are_not_too_long() -> None:
    name = "é" * 125 + "a.wav"

    assert accepted(file_name=name).target_name == name


# --- the body -------------------------------------------------------------------------------


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
        assert refused.reason.startswith(("malformed: ", "too-large: "))  # noqa: PT017
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
        assert refused.reason.encode()  # noqa: PT017
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


# --- the published schema -------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_model() -> None:
    generated = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RecordingReady.model_json_schema(),
    }
    written = Path(events.__file__).with_name("recording-ready.schema.json")

    assert written.read_text(encoding="utf-8") == json.dumps(generated, indent=2) + "\n"
    assert schema() == written.read_text(encoding="utf-8")
