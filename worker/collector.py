"""OTLP over HTTP: a batch of spans is one POST of protobuf to the collector.

OpenTelemetry's own exporter trusts the authorities that come with one of its libraries, and tries
again while a process wants to end. Here the platform's trust holds, and each batch is tried once.
"""

from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import SpanExportResult

from config.tls import Trust
from consumers.amqp.connection import in_words
from consumers.observe import Observer, Trouble

PATH = "/v1/traces"
ANSWER_SECONDS = 3.0
"""Longest wait for a connection, and for each part of the answer."""
MAX_ANSWER = 64 * 1024


class Collector:
    """A span exporter, for the one thread of the processor that calls it."""

    def __init__(self, endpoint: str, trust: Trust, observe: Observer) -> None:
        self._parts = urlsplit(endpoint)
        self._trust = trust
        self._observe = observe
        self._trouble: str | None = None

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        """Send the spans, or drop them where that fails; each reason is told once."""
        try:
            trouble = self._post(encode_spans(spans).SerializeToString())
        except (OSError, HTTPException, ValueError) as error:
            trouble = in_words(error)
        if trouble not in {None, self._trouble}:
            self._observe(Trouble("otlp", f"spans are dropped: {trouble}"))
        self._trouble = trouble
        return SpanExportResult.FAILURE if trouble else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is kept between two batches."""

    def force_flush(self, timeout_millis: int = 0) -> bool:  # noqa: ARG002 - OpenTelemetry's
        """Nothing is held back here."""
        return True

    def _post(self, body: bytes) -> str | None:
        """Why the collector refused the spans; None where it took them."""
        connection = self._connection()
        try:
            headers = {"Content-Type": "application/x-protobuf", "User-Agent": "courier"}
            connection.request("POST", f"{self._parts.path}{PATH}", body, headers)
            answer = connection.getresponse()
            answer.read(MAX_ANSWER)
            taken = answer.status // 100 == 2  # noqa: PLR2004 - RFC 9110: successful
            return None if taken else f"the collector answers {answer.status}"
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        host, port = self._parts.hostname or "", self._parts.port
        if self._parts.scheme == "https":
            context = self._trust.context()
            return HTTPSConnection(host, port or 443, timeout=ANSWER_SECONDS, context=context)
        return HTTPConnection(host, port or 80, timeout=ANSWER_SECONDS)
