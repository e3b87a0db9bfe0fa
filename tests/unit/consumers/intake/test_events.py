"""What the pipeline may publish, and what happens to everything else."""

import json
from pathlib import Path

import pytest

from consumers.intake import events
from consumers.intake.events import (
    RecordingReady,
    decode,
    schema,
)
from tests.unit.consumers.intake.example import (
    DOES_NOT_FIT,
    FITS,
    FULL,
    GOOD,
    JSON,
    UNSUPPORTED,
    accepted,
    body,
    reason,
)

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
    FITS,
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
    DOES_NOT_FIT,
)
def test_a_value_of_another_format_makes_the_event_invalid(field: str, value: str) -> None:
    told = reason(body(**{field: value}))
    assert told.startswith(f"malformed: {field}: ")
    assert "pattern" not in told


@pytest.mark.parametrize(("scheme", "known"), [("gcs", "gs"), ("abfss", "az"), ("wasbs", "az")])
def test_other_names_of_clouds_are_refused_with_the_one_that_is_known(
    scheme: str, known: str
) -> None:
    refused = reason(body(file_url=f"{scheme}://bucket/a.wav"))

    assert refused == f"unsupported-source: {scheme}:// sources are not supported: use {known}://"


@pytest.mark.parametrize("url", UNSUPPORTED)
def test_a_url_of_another_kind_is_refused_with_those_that_are_supported(url: str) -> None:
    scheme = url.partition(":")[0].lower()
    assert reason(body(file_url=url)) == (
        f"unsupported-source: {scheme}:// sources are not supported: "
        "use file://, https://, s3://, gs:// or az://"
    )


def test_each_pattern_of_a_field_has_words() -> None:
    with_pattern = {
        name
        for name, each in RecordingReady.model_json_schema()["properties"].items()
        if "pattern" in each
    }
    assert with_pattern == {*events._SHAPES}


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


# --- the published schema -------------------------------------------------------------------


def test_the_published_schema_is_that_of_the_model() -> None:
    generated = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RecordingReady.model_json_schema(),
    }
    written = Path(events.__file__).with_name("recording-ready.schema.json")

    assert written.read_text(encoding="utf-8") == json.dumps(generated, indent=2) + "\n"
    assert schema() == written.read_text(encoding="utf-8")
