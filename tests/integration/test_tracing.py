"""The way of a recording as a collector of spans sees it, and what a dead collector changes."""

import socket
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from consumers.delivery.policy import State
from consumers.ledger import trace_of
from deploy.local.customers import PyFtpServer
from deploy.local.processes import free_port
from tests.integration.console import tokens_of
from tests.integration.ledger.rows import claimed, dies
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.otlp import OtlpReceiver, Received, otlp_receiver
from worker.spans import CLOSE_SECONDS
from worker.supervisor import served_console

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"
CAME_WITH = {"traceparent": PARENT}
PRODUCER, CONSUMER, CLIENT, INTERNAL = 4, 5, 3, 1
SECRET = "hunter2-of-the-customer"


def ftp_server(folder: Path) -> PyFtpServer:
    folder.mkdir()
    return PyFtpServer(folder, handler=type("Quick", (FTPHandler,), {"auth_failed_timeout": 0}))


def delivered(courier: Platform, ftp: PyFtpServer) -> str:
    """A recording that was tried twice in vain, suspended its account, and arrived as its probe."""
    server = ftp.customer
    courier.account("acme", server, Protocol.FTP, password=SECRET)
    recording_id = courier.publish("acme", courier.recording("a.wav"), headers=CAME_WITH)
    courier.wait_state("acme", State.SUSPENDED)
    courier.save("acme", server, Protocol.FTP)
    courier.wait_status(recording_id, "delivered")
    return recording_id


def named(spans: list[Received], name: str) -> list[Received]:
    return [span for span in spans if span.name == name]


def test_a_recording_retried_suspended_probed_and_delivered_is_one_trace(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    ftp = ftp_server(tmp_path / "ftp")
    with otlp_receiver() as collector, ftp:
        courier = make_courier(
            otlp_endpoint=collector.url, suspend_after=2, retry_delays=(0.0,), suspend_seconds=600
        )
        with running(courier):
            recording_id = delivered(courier, ftp)
        spans = collector.of_trace(TRACE)
        requests = b"".join(collector.requests)

    assert sorted(span.name for span in spans) == [
        *("deliver recording", "probe ftp", "process recordings.ready", "resume account"),
        *("send deliveries:{account_id}", "suspend account", "upload ftp", "upload ftp"),
    ]
    (taken,) = named(spans, "process recordings.ready")
    assert (taken.parent_id, taken.kind, taken.error) == (SPAN, CONSUMER, False)
    assert taken.attributes["messaging.system"] == "rabbitmq"
    assert taken.attributes["messaging.operation.type"] == "process"
    assert {span.parent_id for span in spans if span is not taken} == {taken.span_id}
    trace = trace_of(courier.row(recording_id))
    assert trace is not None
    assert trace.span_id == taken.span_id

    (sent,) = named(spans, "send deliveries:{account_id}")
    assert sent.kind == PRODUCER
    assert sent.attributes["messaging.destination.name"] == "deliveries:acme"
    assert sent.attributes["messaging.message.id"] == recording_id

    failed = named(spans, "upload ftp")
    assert [span.attributes["courier.try"] for span in failed] == [1, 2]
    for span in failed:
        assert (span.kind, span.error) == (CLIENT, True)
        assert span.attributes["error.type"] == "account"
    (probe,) = named(spans, "probe ftp")
    assert not probe.error
    assert probe.attributes["courier.purpose"] == "probe"
    assert probe.attributes["courier.bytes"] == len(b"a.wav" * 1000)
    assert probe.attributes["network.protocol.name"] == "ftp"
    assert probe.attributes["server.address"] == ftp.customer.host
    assert probe.attributes["server.port"] == ftp.customer.port

    (suspended,) = named(spans, "suspend account")
    assert suspended.error
    assert suspended.attributes["courier.failures"] == 2
    assert len(named(spans, "resume account")) == 1
    (whole,) = named(spans, "deliver recording")
    assert whole.kind == INTERNAL
    assert whole.seconds >= sum(span.seconds for span in failed)

    assert {span.attributes["courier.account.id"] for span in spans} == {"acme"}
    resource = spans[0].resource
    assert resource["service.name"] == "courier"
    assert resource["service.instance.id"]
    hidden = (SECRET, ftp.customer.password, ftp.customer.username, "a.wav", "530")
    assert not [each for each in hidden if each.encode() in requests]


def test_a_batch_is_linked_to_the_traces_of_its_recordings_and_not_nested(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    numbers = range(1, 21)
    parents = [f"00-{number:032x}-{number:016x}-01" for number in numbers]
    ftp = ftp_server(tmp_path / "ftp")
    with otlp_receiver() as collector, ftp:
        courier = make_courier(otlp_endpoint=collector.url)
        with running(courier):
            pass  # the queue stands
        courier.account("acme", ftp.customer, Protocol.FTP)
        recording = courier.recording("a.wav")
        ids = [
            courier.publish("acme", recording, headers={"traceparent": each}) for each in parents
        ]
        with running(courier):
            for recording_id in ids:
                courier.wait_status(recording_id, "delivered")
        spans = collector.spans

    traces = {f"{number:032x}" for number in numbers}
    for name in ("receive recordings.ready", "send deliveries"):
        batches = named(spans, name)
        linked = {trace for span in batches for trace in span.links}
        assert linked  # what comes a moment later, alone, is no batch
        assert linked <= traces
        for span in batches:
            assert span.trace_id not in traces
            assert span.parent_id == ""
            assert span.attributes["messaging.batch.message_count"] == len(span.links)
    for trace in traces:
        names = [span.name for span in spans if span.trace_id == trace]
        assert sorted(names) == [
            *("create deliveries:{account_id}", "deliver recording"),
            *("process recordings.ready", "upload ftp"),
        ]


def test_an_event_without_a_trace_begins_one_and_one_that_is_not_sampled_has_no_spans(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    ftp = ftp_server(tmp_path / "ftp")
    with otlp_receiver() as collector, ftp:
        courier = make_courier(otlp_endpoint=collector.url)
        courier.account("acme", ftp.customer, Protocol.FTP)
        with running(courier):
            begun = courier.publish("acme", courier.recording("a.wav"))
            courier.wait_status(begun, "delivered")
            unsampled = courier.publish(
                "acme", courier.recording("b.wav"), headers={"traceparent": f"{PARENT[:-1]}0"}
            )
            courier.wait_status(unsampled, "delivered")
            courier.publish_raw(b"no event")
            until(lambda: courier.queue_length("recordings.invalid"), "the event to be kept")
        spans = collector.spans
        trace = trace_of(courier.row(begun))

    assert trace is not None
    (first,) = [span for span in spans if span.span_id == trace.span_id]
    assert (first.name, first.trace_id) == ("process recordings.ready", trace.trace_id)
    assert first.parent_id == ""
    assert courier.row(unsampled)["traceparent"].startswith(f"00-{TRACE}-")
    assert not [span for span in spans if span.trace_id == TRACE]
    (refused,) = [span for span in spans if span.attributes.get("courier.outcome") == "invalid"]
    assert (refused.error, refused.attributes["error.type"]) == (True, "malformed")


@pytest.mark.parametrize("dead", ["refused", "silent", "500"])
def test_a_dead_collector_neither_fails_nor_holds_up_a_delivery_or_the_end(
    make_courier: MakeCourier, tmp_path: Path, dead: str
) -> None:
    ftp = ftp_server(tmp_path / "ftp")
    with closing(socket.socket()) as silent, otlp_receiver(status=500) as broken, ftp:
        silent.bind(("127.0.0.1", 0))
        if dead == "silent":
            silent.listen()  # it takes connections, and never answers
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        courier = make_courier(otlp_endpoint=broken.url if dead == "500" else nobody)
        courier.account("acme", ftp.customer, Protocol.FTP)
        with running(courier) as service:
            for number in range(3):
                name = courier.publish("acme", courier.recording(f"{number}.wav"))
                courier.wait_status(name, "delivered")
            assert service._spans is not None
            began = time.monotonic()
            service._spans.close()
            assert time.monotonic() - began < 10 * CLOSE_SECONDS
        courier.account_for("acme", ftp.customer.root)


def test_a_collector_that_comes_back_is_sent_what_happens_then(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    ftp = ftp_server(tmp_path / "ftp")
    collector: OtlpReceiver
    with otlp_receiver(status=503) as collector, ftp:
        courier = make_courier(otlp_endpoint=collector.url)
        courier.account("acme", ftp.customer, Protocol.FTP)
        with running(courier):
            lost = courier.publish("acme", courier.recording("a.wav"))
            courier.wait_status(lost, "delivered")
            until(lambda: collector.requests, "the collector to refuse")
            until(lambda: "deliver recording" in {span.name for span in collector.spans}, "all")
            collector.status = 200
            collector.requests.clear()
            courier.publish("acme", courier.recording("b.wav"), headers=CAME_WITH)
            until(lambda: named(collector.of_trace(TRACE), "deliver recording"), "its spans")


def test_a_replay_at_the_console_of_several_workers_stays_in_its_trace(
    make_courier: MakeCourier,
) -> None:
    address = f"127.0.0.1:{free_port()}"
    with otlp_receiver() as collector:
        courier = make_courier(otlp_endpoint=collector.url, console_bind=address)
        courier.core.directory.create("acme", ftp_access=True)
        ledger = courier.core.ledger
        assert dies(ledger, claimed(ledger))
        trace = trace_of(courier.row("one"))
        assert trace is not None
        token = tokens_of(courier).create("test", None)[1].get_secret_value()
        with served_console(courier.core):
            answer = httpx.post(
                f"http://{address}/api/v1/accounts/acme/dead-letters/replay",
                headers={"Authorization": f"Bearer {token}"},
                json={},
                timeout=60,
            )
            assert answer.json() == {"count": 1}, answer.text
        spans = collector.of_trace(trace.trace_id)

    assert sorted(span.name for span in spans) == [
        *("replay recording", "send deliveries:{account_id}"),
    ]
    assert {span.parent_id for span in spans} == {trace.span_id}
