"""A collector of spans: OTLP over HTTP on loopback, as its protocol buffers have it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Received:
    """One span as it came."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    error: bool
    seconds: float
    attributes: dict[str, Any]
    links: tuple[str, ...]
    """The traces that it links to."""
    resource: dict[str, Any]


@dataclass
class OtlpReceiver:
    """Takes what is sent to `url`, or answers with `status`."""

    status: int = 200
    requests: list[bytes] = field(default_factory=list)
    """The bodies, as they came."""
    url: str = ""

    @property
    def spans(self) -> list[Received]:
        """All that has come, in the order of their ends."""
        messages = [ExportTraceServiceRequest.FromString(body) for body in self.requests]
        return [
            _received(span, _plain(each.resource.attributes))
            for message in messages
            for each in message.resource_spans
            for scope in each.scope_spans
            for span in scope.spans
        ]

    def of_trace(self, trace_id: str) -> list[Received]:
        """The spans of one trace."""
        return [span for span in self.spans if span.trace_id == trace_id]


@contextmanager
def otlp_receiver(status: int = 200) -> Iterator[OtlpReceiver]:
    """The collector, from its start to its end."""
    receiver = OtlpReceiver(status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            receiver.requests.append(body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(receiver.status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
        serving = threading.Thread(target=server.serve_forever, daemon=True)
        serving.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            serving.join()


def _received(span: Any, resource: dict[str, Any]) -> Received:
    return Received(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.kind,
        span.status.code == span.status.STATUS_CODE_ERROR,
        (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        _plain(span.attributes),
        tuple(link.trace_id.hex() for link in span.links),
        resource,
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
