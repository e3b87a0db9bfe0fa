"""Spans of what happened to recordings, by OpenTelemetry's conventions for messaging.

They are made from the same observations as the log and the metrics, after the fact. An observation
carries its trace context from the row, so no thread has to. The way of one recording is one trace,
across workers and days:

    process recordings.ready            the event was taken; all that follows is beneath it
      create deliveries:{account_id}    it was brought into its account's queue
      upload sftp, probe sftp           a try, with the kind of its failure
      suspend account, resume account   what that try did to its account
      dead-letter, replay, deliver recording

A batch that was received or sent is a span in a trace of its own, which links to the recordings'
traces. No recording's trace is nested in another.

No span has the words of a customer's server, a file's name, a path or a login: a collector is often
somebody else's. The log and the ledger have them, under the same trace id.
"""

import threading
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from alerts.relay import AlertTried
from config.tls import Trust
from consumers.observe import (
    AccountChanged,
    EventTaken,
    FileEnded,
    Observation,
    Observer,
    Received,
    Sent,
    TryEnded,
)
from consumers.trace import SAMPLED, TraceContext
from worker.collector import Collector

QUEUE = 8192
"""Spans that wait to be sent; while a collector is away the oldest are dropped."""
BATCH = 512
DELAY_SECONDS = 2.0
CLOSE_SECONDS = 3.0
"""Longest wait at the end of the process for spans that are left to be sent."""
_INTAKE = "recordings.ready"
_INTAKE_PLACE = f"recordings:{_INTAKE}"
_ACCOUNTS = "deliveries:{account_id}"
_FILE_SPANS = {
    "delivered": "deliver recording",
    "dead_lettered": "dead-letter recording",
    "replayed": "replay recording",
}
_ACCOUNT_SPANS = {"suspended": "suspend account", "active": "resume account"}

Attributes = Mapping[str, str | int | None]
"""A value of None is left out."""


class Spans:
    """Callable from any thread. Never waits for the collector."""

    def __init__(self, endpoint: str, trust: Trust, worker: str, observe: Observer) -> None:
        facts = {"service.name": "courier", "service.instance.id": worker}
        self._resource = Resource.create({**facts, "service.version": version("courier")})
        self._scope = InstrumentationScope("courier", version("courier"))
        self._processor = BatchSpanProcessor(
            Collector(endpoint, trust, observe),
            max_queue_size=QUEUE,
            schedule_delay_millis=1000 * DELAY_SECONDS,
            max_export_batch_size=BATCH,
        )

    def observe(self, observation: Observation | AlertTried) -> None:
        """The span of what has ended, where a recording's trace is known and sampled."""
        match observation:
            case EventTaken(trace=TraceContext(is_sampled=True) as trace):
                self._event(observation, trace)
            case TryEnded(trace=TraceContext(is_sampled=True) as trace):
                self._try(observation, trace)
            case FileEnded(trace=TraceContext(is_sampled=True) as trace):
                self._file(observation, trace)
            case AccountChanged(trace=TraceContext(is_sampled=True) as trace):
                self._account(observation, trace)
            case _:
                pass  # nothing that belongs to one recording

    def batch(self, batch: Received | Sent) -> None:
        """What was received or sent together."""
        match batch:
            case Received():
                self._together("receive", _INTAKE, _INTAKE_PLACE, batch.seconds, batch.traces)
            case Sent():
                self._sent(batch)

    def close(self) -> None:
        """Send what is left, for CLOSE_SECONDS at most. Harmless where it was done."""
        ending = threading.Thread(target=self._processor.shutdown, name="spans", daemon=True)
        ending.start()
        ending.join(CLOSE_SECONDS)

    def _event(self, taken: EventTaken, trace: TraceContext) -> None:
        """An event's span is the row's own point of the trace; a duplicate adds a child."""
        point = trace.child() if taken.outcome == "duplicate" else trace
        failed = (taken.reason or "").partition(":")[0] if taken.outcome == "invalid" else None
        facts: Attributes = {
            **_messaging("process", _INTAKE_PLACE),
            "courier.account.id": taken.account_id,
            "courier.recording.id": taken.recording_id,
            "courier.outcome": taken.outcome,
        }
        seconds = taken.seconds or 0.0
        self._end(f"process {_INTAKE}", point, SpanKind.CONSUMER, seconds, facts, failed=failed)

    def _try(self, ended: TryEnded, trace: TraceContext) -> None:
        verb = "probe" if ended.purpose == "probe" else "upload"
        facts: Attributes = {
            "courier.account.id": ended.account_id,
            "courier.recording.id": ended.recording_id,
            "courier.try": ended.number,
            "courier.purpose": ended.purpose,
            "courier.bytes": ended.size,
            "courier.verified": ended.verified,
            "network.protocol.name": ended.protocol.value,
            "server.address": ended.host,
            "server.port": ended.port,
        }
        name, failed = f"{verb} {ended.protocol}", ended.kind
        self._end(name, trace.child(), SpanKind.CLIENT, ended.seconds, facts, failed=failed)

    def _file(self, ended: FileEnded, trace: TraceContext) -> None:
        """The span of a recording's end; a delivered one's begins with its event's arrival."""
        self._end(
            _FILE_SPANS[ended.outcome],
            trace.child(),
            SpanKind.INTERNAL,
            ended.delivery_seconds or 0.0,
            {"courier.account.id": ended.account_id, "courier.recording.id": ended.recording_id},
            failed=ended.reason if ended.outcome == "dead_lettered" else None,
        )

    def _account(self, changed: AccountChanged, trace: TraceContext) -> None:
        name = _ACCOUNT_SPANS.get(changed.state)
        if name is not None:
            facts: Attributes = {
                "courier.account.id": changed.account_id,
                "courier.failures": changed.failures,
            }
            failed = changed.kind
            self._end(name, trace.child(), SpanKind.INTERNAL, 0.0, facts, failed=failed)

    def _sent(self, sent: Sent) -> None:
        """One message is sent; of several each is created, and they are sent together."""
        verb = "send" if len(sent.routings) == 1 else "create"
        traces = []
        for routing in sent.routings:
            if routing.trace is None or not routing.trace.is_sampled:
                continue
            point = routing.trace.child()
            traces.append(point)
            facts: Attributes = {
                **_messaging(verb, f"deliveries:{routing.account_id}"),
                "messaging.destination.template": _ACCOUNTS,
                "messaging.message.id": routing.recording_id,
                "messaging.rabbitmq.destination.routing_key": routing.account_id,
                "courier.account.id": routing.account_id,
                "courier.recording.id": routing.recording_id,
                "courier.turn": routing.generation,
            }
            self._end(f"{verb} {_ACCOUNTS}", point, SpanKind.PRODUCER, sent.seconds, facts)
        if len(sent.routings) > 1:
            self._together("send", "deliveries", "deliveries", sent.seconds, traces)

    def _together(
        self,
        verb: str,
        name: str,
        place: str,
        seconds: float,
        traces: Iterable[TraceContext],
    ) -> None:
        """A span in a trace of its own, which links to those of the recordings."""
        links = [Link(_context(each)) for each in traces if each.is_sampled]
        if links:
            count = {"messaging.batch.message_count": len(links)}
            facts: Attributes = {**_messaging(verb, place), **count}
            point = TraceContext.begun()
            self._end(f"{verb} {name}", point, SpanKind.CLIENT, seconds, facts, links=links)

    def _end(
        self,
        name: str,
        point: TraceContext,
        kind: SpanKind,
        seconds: float,
        attributes: Attributes,
        *,
        failed: str | None = None,
        links: Iterable[Link] = (),
    ) -> None:
        """Send a span that ends now and lasted `seconds`; `failed` is the kind of its failure."""
        now = time.time_ns()
        facts = {**attributes, "error.type": None if failed is None else str(failed)}
        span = ReadableSpan(
            name=name,
            context=_context(point),
            parent=_parent(point),
            resource=self._resource,
            attributes={key: value for key, value in facts.items() if value is not None},
            links=tuple(links),
            kind=kind,
            instrumentation_scope=self._scope,
            status=Status(StatusCode.ERROR if failed else StatusCode.UNSET),
            start_time=now - round(seconds * 1e9),
            end_time=now,
        )
        self._processor.on_end(span)


def _messaging(verb: str, place: str) -> dict[str, str]:
    return {
        "messaging.system": "rabbitmq",
        "messaging.operation.name": verb,
        "messaging.operation.type": verb,
        "messaging.destination.name": place,
    }


def _context(point: TraceContext) -> SpanContext:
    return SpanContext(
        int(point.trace_id, 16),
        int(point.span_id, 16),
        is_remote=False,
        trace_flags=TraceFlags(point.flags & SAMPLED),
        trace_state=TraceState.from_header([point.state]) if point.state else None,
    )


def _parent(point: TraceContext) -> SpanContext | None:
    if point.parent_id is None:
        return None
    flags = TraceFlags(point.flags & SAMPLED)
    return SpanContext(
        int(point.trace_id, 16), int(point.parent_id, 16), is_remote=True, trace_flags=flags
    )
