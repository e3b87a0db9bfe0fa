"""`courier schema` against the intake: an author who checks events by it is told the same."""

import json
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.intake.events import decode, schema
from consumers.intake.reasons import InvalidEvent
from tests.unit.consumers.intake.example import (
    DOES_NOT_FIT,
    FITS,
    FULL,
    GOOD,
    JSON,
    UNSUPPORTED,
)

SCHEMA: dict[str, Any] = json.loads(schema())
BY_ECMA = jsonschema_rs.validator_for(SCHEMA)
BY_PYTHON = jsonschema.Draft202012Validator(SCHEMA)
NOT_TOLD = [
    {"size": 480044.0},
    {"recorded_at": "2026-02-29T14:05:00Z"},
    {"file_url": "https://[records]/a.wav"},
    {"file_url": "s3://recordings/%FF.wav"},
    {"file_url": "s3://recordings/" + "a" * 1025},
]
"""What the intake refuses, and no pattern can: docs/pipeline.md names each."""
NAMES = ["", " ", "\t", "\u3000", ".", "..", " .. ", ".. .", "...", "a", "/", "\\", "a/..", "..\t"]
URLS = [
    "file:///r/%2e%2e",
    "file:///r/.",
    "file:///r/..?x",
    "https://h/r/",
    "https://h/r/%20.%20",
    "https://h/r/%2f..",
    "https://h/r?a=/..",
    "https://h/r/a.wav?x=/..",
]
PIECES = [
    *("file://", "https://", "s3://", "gs://", "az://", "ftp://"),
    *("localhost", "bucket", "h", "@", ":", "80", "0", "65535", "65536", "[::1]"),
    *("/", "//", "?", "#", "\\", "%5C", "%5c", "%2F", "%2f", ".", "..", "%2e", "%20", "%00"),
    *("a.wav", "é", "%C3%A9", "%zz", "-", "_"),
]


def is_taken(event: object) -> bool:
    try:
        decode(json.dumps(event).encode(), JSON)
    except InvalidEvent:
        return False
    return True


def passes(event: object) -> bool:
    by_ecma, by_python = BY_ECMA.is_valid(event), BY_PYTHON.is_valid(event)
    assert by_ecma == by_python
    return by_ecma


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_no_pattern_looks_ahead_or_behind() -> None:
    """Regular expressions of Go and Rust cannot."""
    assert "(?=" not in schema()
    assert "(?!" not in schema()
    assert "(?<" not in schema()


def test_what_may_be_left_out_is_not_null_by_default() -> None:
    assert not [
        name for name, each in SCHEMA["properties"].items() if each.get("default", "") is None
    ]


@pytest.mark.parametrize("event", [GOOD, FULL, {**GOOD, "x": None, "y": [1, {"z": 1.5}]}])
def test_a_good_event_passes(event: dict[str, Any]) -> None:
    assert is_taken(event)
    assert passes(event)


@pytest.mark.parametrize(("field", "value"), FITS)
def test_what_a_field_may_hold_passes(field: str, value: object) -> None:
    assert is_taken({**GOOD, field: value})
    assert passes({**GOOD, field: value})


@pytest.mark.parametrize(("field", "value"), DOES_NOT_FIT)
def test_what_the_intake_refuses_does_not_pass(field: str, value: str) -> None:
    event = {**GOOD, field: value}
    assert not is_taken(event)
    told = {field: value} in NOT_TOLD
    assert BY_ECMA.is_valid(event) == told
    if not value.endswith("\n"):  # Python's $ stands before a last line break as well
        assert BY_PYTHON.is_valid(event) == told


@pytest.mark.parametrize("url", [*UNSUPPORTED, "gcs://bucket/a.wav", "canary://acme/7.wav"])
def test_a_url_of_a_kind_that_is_not_supported_does_not_pass(url: str) -> None:
    assert not passes({**GOOD, "file_url": url})


@pytest.mark.parametrize("changes", NOT_TOLD, ids=str)
def test_what_the_schema_cannot_tell_passes_and_is_refused(changes: dict[str, Any]) -> None:
    assert passes({**GOOD, **changes})
    assert not is_taken({**GOOD, **changes})


@pytest.mark.parametrize("field", FULL)
@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, 1, "", "x" * 5000], ids=str)
def test_a_value_of_any_type_is_told_as_the_intake_does(field: str, value: object) -> None:
    event = {**GOOD, field: value}
    assert passes(event) == is_taken(event)


@pytest.mark.parametrize("missing", GOOD)
def test_a_required_field_that_is_missing_is_told(missing: str) -> None:
    assert not passes({name: value for name, value in GOOD.items() if name != missing})


@pytest.mark.parametrize("event", [[], "x", 1, None, True], ids=str)
def test_what_is_no_object_does_not_pass(event: object) -> None:
    assert not passes(event)


@pytest.mark.parametrize("name", [None, *NAMES], ids=repr)
@pytest.mark.parametrize("url", [GOOD["file_url"], *URLS])
def test_names_are_told_as_the_intake_does(name: str | None, url: str) -> None:
    event = {**GOOD, "file_url": url, **({} if name is None else {"file_name": name})}
    assert passes(event) == is_taken(event)


@given(
    scheme=st.sampled_from(PIECES[:6]),
    rest=st.lists(st.sampled_from(PIECES), max_size=7),
    has_name=st.booleans(),
)
def test_urls_are_told_as_the_intake_does(scheme: str, rest: list[str], *, has_name: bool) -> None:
    event = {**GOOD, "file_url": scheme + "".join(rest)}
    if has_name:
        event["file_name"] = "a.wav"
    assert passes(event) == is_taken(event)
