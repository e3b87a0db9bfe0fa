"""The AsyncAPI document: which messages travel where, for the pipeline's authors and their tools.

It describes the events that come in, and the queues of events that could not be used or delivered.
The address of RabbitMQ and its logins belong to each platform, and are left out.
"""

import json
from importlib.metadata import version
from typing import Any

from consumers.amqp import names, topology
from consumers.intake import events
from consumers.intake.reasons import Reason

Document = dict[str, Any]

EXAMPLE: Document = {
    "recording_id": "8f6c2f0e-9d43-4c1e-8a27-5b0f6a3d9c11",
    "account_id": "acme",
    "number": "+441632960001",
    "file_url": "file:///recordings/8f6c2f0e.wav",
    "file_name": "20261123-140500_01632960001.wav",
    "size": 480044,
    "sha256": "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
    "recorded_at": "2026-11-23T14:05:00Z",
}
"""An event with every field that is known."""
_BINDING = {"bindingVersion": "0.3.0"}
_TRACE: Document = {
    "traceparent": {
        "type": "string",
        "pattern": "^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}",
        "description": "W3C Trace Context: the trace that the recording belongs to. Courier "
        "begins one where there is none.",
        "examples": ["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
    },
    "tracestate": {
        "type": "string",
        "description": "W3C Trace Context: passed on, up to 512 characters.",
    },
}
_REASON = {"type": "string", "description": "Why, as a code; a sentence after a colon."}


def asyncapi() -> str:
    """The document, AsyncAPI 3.0 in JSON."""
    return json.dumps(_document(), indent=2) + "\n"


def _document() -> Document:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Courier",
            "version": version("courier"),
            "description": "Brings call recordings to customers' own FTP and SFTP servers.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "recordings": _recordings(),
            "invalid": _queue(
                topology.INVALID.name,
                "Events that could not be used, as they came. 'courier invalid list' shows them.",
                "unusable",
            ),
            "deadLetters": {
                **_queue(
                    topology.dead_letter_queue_name("{account_id}"),
                    "Events whose files were not delivered after their last try: one queue for "
                    "each account. The list that counts is 'courier dead-letters list'.",
                    "deadLetter",
                ),
                "parameters": {"account_id": {"description": "The account's id."}},
            },
        },
        "operations": {
            "takeRecordings": {
                "action": "receive",
                "channel": _ref("channels/recordings"),
                "summary": "Courier takes each event, once its row is written.",
                "bindings": {"amqp": {"ack": True, **_BINDING}},
            },
            "keepInvalid": _sends("invalid", "Courier keeps what it cannot use."),
            "bury": _sends("deadLetters", "Courier gives a file up for now."),
        },
        "components": {"messages": _messages(), "schemas": {"recordingReady": _schema()}},
    }


def _recordings() -> Document:
    exchange = topology.RECORDINGS
    return {
        "address": names.READY_KEY,
        "description": "Publish here: persistent, mandatory, and wait for the confirm. The "
        f"routing key is {names.READY_KEY}, or begins with {names.READY_KEY}. and goes on.",
        "messages": {
            "recordingReady": _ref("components/messages/recordingReady"),
            "recordingReadyCloudEvent": _ref("components/messages/recordingReadyCloudEvent"),
        },
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {
                    "name": exchange.name,
                    "type": exchange.type,
                    "durable": exchange.durable,
                    "autoDelete": exchange.auto_delete,
                },
                **_BINDING,
            }
        },
    }


def _queue(name: str, description: str, message: str) -> Document:
    queue = {"name": name, "durable": True, "exclusive": False, "autoDelete": False}
    return {
        "address": name,
        "description": description,
        "messages": {message: _ref(f"components/messages/{message}")},
        "bindings": {"amqp": {"is": "queue", "queue": queue, **_BINDING}},
    }


def _sends(channel: str, summary: str) -> Document:
    return {
        "action": "send",
        "channel": _ref(f"channels/{channel}"),
        "summary": summary,
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True, **_BINDING}},
    }


def _messages() -> Document:
    payload = _ref("components/schemas/recordingReady")
    reasons = {**_REASON, "examples": [str(each) for each in Reason]}
    return {
        "recordingReady": {
            "name": "recording.ready",
            "title": "A call recording is ready",
            "summary": "recording_id is the idempotency key: the same event again is taken, and "
            "delivered once.",
            "contentType": "application/json",
            "headers": _headers({}),
            "payload": payload,
            "examples": [{"name": "all fields", "payload": EXAMPLE}],
        },
        "recordingReadyCloudEvent": {
            "name": "recording.ready in a CloudEvents envelope",
            "contentType": events.CLOUD_EVENT,
            "headers": _headers({}),
            "payload": _envelope(payload),
        },
        "unusable": {
            "name": "unusable event",
            "summary": "Any content at all: as it was published.",
            "headers": _headers({names.REASON_HEADER: reasons}, names.REASON_HEADER),
        },
        "deadLetter": {
            "name": "dead letter",
            "contentType": "application/json",
            "headers": _headers(
                {
                    names.REASON_HEADER: _REASON,
                    names.TRIES_HEADER: {"type": "integer", "description": "Failed tries."},
                },
                names.REASON_HEADER,
                names.TRIES_HEADER,
            ),
            "payload": payload,
        },
    }


def _envelope(payload: Document) -> Document:
    """CloudEvents 1.0, JSON format, as far as Courier looks at it."""
    text = {"type": "string", "minLength": 1}
    attributes = {"specversion": {"const": "1.0"}, "id": text, "source": text, "type": text}
    properties = {**attributes, "data": payload}
    return {"type": "object", "required": [*properties], "properties": properties}


def _headers(properties: Document, *required: str) -> Document:
    return {
        "type": "object",
        "properties": {**properties, **_TRACE},
        **({"required": [*required]} if required else {}),
    }


def _schema() -> Document:
    schema: Document = json.loads(events.schema())
    del schema["$schema"]  # within a document AsyncAPI's own dialect holds, which has all of it
    return schema


def _ref(path: str) -> Document:
    return {"$ref": f"#/{path}"}
