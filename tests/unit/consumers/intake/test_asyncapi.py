"""The AsyncAPI document: right by AsyncAPI's own schema, and by what the program does."""

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from consumers.amqp import topology
from consumers.intake import asyncapi, events
from deploy.local import npm

SOURCES = Path(asyncapi.__file__).parent
PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(asyncapi.asyncapi())
    return found


@pytest.fixture(scope="module")
def validator() -> Any:
    """Of the specification's own JSON Schema, draft 7, as npm's @asyncapi/specs has it."""
    if not npm.SCHEMAS.are_installed:
        pytest.fail("AsyncAPI's schemas are not on this machine: run `make test`.")
    path = npm.SCHEMAS.modules / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    return jsonschema_rs.Draft7Validator(json.loads(path.read_text()))


def test_the_document_is_one_of_asyncapi_3(document: dict[str, Any], validator: Any) -> None:
    assert [each.message for each in validator.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("asyncapi",), "2.6.0"),
        (("info", "title"), None),
        (("operations", "bury", "action"), "publish"),
        (("channels", "recordings", "bindings", "amqp", "is"), "stream"),
        (("components", "schemas", "recordingReady", "type"), "record"),
    ],
)
def test_what_would_not_be_one_is_seen(validator: Any, place: tuple[str, ...], value: Any) -> None:
    document = json.loads(asyncapi.asyncapi())
    *path, last = place
    inner = document
    for name in path:
        inner = inner[name]
    inner[last] = value
    assert list(validator.iter_errors(document))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def walk(node: Any) -> None:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name == "$ref":
                target = document
                for part in value.removeprefix("#/").split("/"):
                    target = target[part]
            elif isinstance(value, dict | list):
                walk(value)

    walk(document)


def test_the_places_are_those_that_the_program_declares(document: dict[str, Any]) -> None:
    channels = document["channels"]
    exchange = channels["recordings"]["bindings"]["amqp"]["exchange"]
    assert (exchange["name"], exchange["type"], exchange["durable"]) == (
        "recordings",
        "topic",
        True,
    )
    assert channels["recordings"]["address"] == "recording.ready"
    assert channels["invalid"]["address"] == topology.INVALID.name == "recordings.invalid"
    address = channels["deadLetters"]["address"]
    assert address.format(account_id="acme") == topology.dead_letter_queue("acme").name


def test_the_events_schema_is_the_published_one(document: dict[str, Any]) -> None:
    schema = {**json.loads(events.schema())}
    schema.pop("$schema")
    assert document["components"]["schemas"]["recordingReady"] == schema


def test_the_example_is_an_event_by_the_schema_and_by_the_program(
    document: dict[str, Any],
) -> None:
    jsonschema_rs.validate(json.loads(events.schema()), asyncapi.EXAMPLE)
    taken = events.decode(json.dumps(asyncapi.EXAMPLE).encode(), "application/json")
    assert taken.model_dump(exclude_unset=True) == asyncapi.EXAMPLE
    assert {*asyncapi.EXAMPLE} == {*events.RecordingReady.model_fields}
    [example] = document["components"]["messages"]["recordingReady"]["examples"]
    assert example["payload"] == asyncapi.EXAMPLE


def test_the_headers_take_a_traceparent_and_refuse_what_is_none(document: dict[str, Any]) -> None:
    headers = document["components"]["messages"]["recordingReady"]["headers"]
    jsonschema_rs.validate(headers, {"traceparent": PARENT, "tracestate": "vendor=1", "x": 1})
    jsonschema_rs.validate(headers, {})
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(headers, {"traceparent": "none"})
