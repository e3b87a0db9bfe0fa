"""A pika connection that lives in one thread; the others hand it their calls.

Heartbeats are sent only while the connection's own loop runs, and nothing of pika may be touched
from another thread (pika, "Connection FAQs"). So an upload never holds the loop: it runs in a
thread of its own, and hands over its acknowledgements.
"""

import queue
import re
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

import pika
from amqp.exceptions import ConsumerCancelled
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPError, ChannelClosedByBroker

from config import tls
from config.tls import Endpoint
from consumers.amqp.confirms import ConfirmChannel, Outgoing
from consumers.amqp.nodes import parameters
from consumers.observe import Observer, ProgramFailed, Trouble

T = TypeVar("T")

HEARTBEAT = 20
CALL_LIMIT = 30.0
_BACKOFF = (0.2, 0.5, 1, 2, 5)
_REPLY = re.compile(r"(?:^|\(\d{3}\) )(['\"]?)[A-Z]+_[A-Z_]+ - (.*?)\1$", re.DOTALL)
"""RabbitMQ's own words in pika's and py-amqp's texts: `(403) ACCESS_REFUSED - ...`."""
_TLS_ALERT = re.compile(r"SSL\w*Error\(\d+, '(.*?)'\)")
"""How pika reports a TLS refusal that comes after the handshake, as with TLS 1.3."""
AWAY = (AMQPError, AMQPConnectorException, OSError)
"""What pika raises where RabbitMQ is away; a handshake that timed out is no AMQPError."""


class BrokerAway(Exception):
    """RabbitMQ is not reachable, or did not answer in time. Nothing may be taken as done."""


class BrokerRefuses(BrokerAway):
    """RabbitMQ is there and refuses: a right is missing, or a queue is not as declared.

    Its text has RabbitMQ's own words. Somebody has to mend it.
    """


class NotRouted(Exception):
    """The broker took the message and had no queue for it, or refused it."""


class Broker:
    """One connection, kept up for as long as the thread runs."""

    def __init__(self, rabbitmq: Endpoint, name: str, observe: Observer) -> None:
        self._rabbitmq = rabbitmq
        self._name = name
        self._observe = observe
        self._connection: BlockingConnection | None = None
        self._calls: queue.SimpleQueue[tuple[Callable[[Any], Any], Future[Any]]] = (
            queue.SimpleQueue()
        )
        self._connected = threading.Event()
        self._last_words = ""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"broker-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Close the connection; what is still handed over fails."""
        self._stopping.set()
        self._wake()
        self._thread.join(CALL_LIMIT)

    @property
    def alive(self) -> bool:
        """Whether its thread runs, connected or not."""
        return self._thread.is_alive()

    def wait_ready(self, limit: float) -> None:
        """Wait for the connection. Raises BrokerAway after `limit` seconds without one."""
        if not self._connected.wait(limit):
            raise BrokerAway(self._last_words or f"no answer within {limit:.0f} seconds")

    @property
    def ready(self) -> bool:
        """Whether the connection stands."""
        connection = self._connection
        return connection is not None and bool(connection.is_open)

    @property
    def trouble(self) -> str | None:
        """Why the connection does not stand, in a sentence; None where it does."""
        if self.ready:
            return None
        why = self._last_words
        return f"RabbitMQ is not connected: {why}." if why else "RabbitMQ is not connected."

    def call(
        self,
        work: Callable[[BlockingConnection], T],
        undo: Callable[[T], object] | None = None,
    ) -> T:
        """Run the work in the connection's thread. Raises BrokerAway, or what the work raises.

        Work that ends after its caller has stopped waiting is undone.
        """
        future = self.post(work)
        try:
            return future.result(CALL_LIMIT)
        except FutureTimeout:
            if not future.cancel() and undo is not None:
                future.add_done_callback(lambda late: _undo(late, undo))
            raise BrokerAway(f"RabbitMQ did not answer in {CALL_LIMIT:.0f} seconds") from None

    def post(self, work: Callable[[BlockingConnection], T]) -> "Future[T]":
        """The same without waiting for it."""
        future: Future[T] = Future()
        if not self.ready or self._stopping.is_set():
            future.set_exception(BrokerAway("RabbitMQ is not connected"))
            return future
        self._calls.put((work, future))
        self._wake()
        return future

    def _wake(self) -> None:
        connection = self._connection
        try:
            if connection is not None:
                connection.add_callback_threadsafe(lambda: None)
        except AWAY:
            pass  # the loop has seen it too, and fails the calls itself

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                self._serve()
            except AWAY as error:
                self._last_words = in_words(error)
                self._observe(Trouble("rabbitmq", f"{self._name}: {self._last_words}"))
            except Exception as error:  # noqa: BLE001 - nothing is delivered without this thread
                self._observe(ProgramFailed(self._name, error))
            self._fail_calls()
            failures = 0 if time.monotonic() - began > HEARTBEAT else failures + 1
            self._stopping.wait(_BACKOFF[min(failures, len(_BACKOFF)) - 1])

    def _serve(self) -> None:
        connection = BlockingConnection(self._parameters())
        self._connection = connection
        self._last_words = ""
        self._connected.set()
        try:
            while not self._stopping.is_set():
                connection.process_data_events(time_limit=1)
                self._work_off(connection)
        finally:
            self._connected.clear()
            self._connection = None
            _close(connection)

    def _parameters(self) -> Sequence[pika.URLParameters]:
        found = parameters(self._rabbitmq, blocked_timeout=300)
        for each in found:
            each.heartbeat = HEARTBEAT
            each.stack_timeout = 15
            each.client_properties = {"connection_name": f"courier {self._name}"}
        return found

    def _work_off(self, connection: BlockingConnection) -> None:
        while True:
            try:
                work, future = self._calls.get_nowait()
            except queue.Empty:
                return
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(work(connection))
            except AWAY as error:
                future.set_exception(away(error))
                if not connection.is_open:
                    raise
            except Exception as error:  # noqa: BLE001 - it belongs to the caller
                future.set_exception(error)

    def _fail_calls(self) -> None:
        while True:
            try:
                _, future = self._calls.get_nowait()
            except queue.Empty:
                return
            if future.set_running_or_notify_cancel():
                future.set_exception(BrokerAway("the connection to RabbitMQ was lost"))


class Publisher:
    """Publishes persistent messages, each confirmed and routed, over a connection of its own.

    Consuming stays possible while an alarm of the broker blocks what publishes (RabbitMQ,
    "Alarms": use separate connections).
    """

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._channel: ConfirmChannel | None = None

    def wait_ready(self, limit: float) -> None:
        """Wait for the connection. Raises BrokerAway after `limit` seconds without one."""
        self._broker.wait_ready(limit)

    def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        headers: dict[str, Any] | None = None,
        *,
        message_id: str | None = None,
        content_type: str = "application/json",
        timestamp: int | None = None,
    ) -> None:
        """Returns once the broker has it durably in a queue. Raises NotRouted, BrokerAway.

        `timestamp`: seconds since 1970 that the message says; None: it says none.
        """
        message = Outgoing(
            exchange, routing_key, body, headers, message_id, content_type, timestamp
        )
        if self.publish_all([message]):
            raise NotRouted(f"{exchange or 'the default exchange'}: {routing_key}")

    def publish_all(self, messages: Sequence[Outgoing]) -> set[int]:
        """Publish in this order and await the confirms together.

        Returns the positions of those that reached no queue; all others are durably in one.
        Raises BrokerAway.
        """
        if not messages:
            return set()
        return self._broker.call(lambda connection: self._confirming(connection).publish(messages))

    def _confirming(self, connection: BlockingConnection) -> ConfirmChannel:
        channel = self._channel
        if channel is None or not channel.is_open or channel.connection is not connection:
            channel = ConfirmChannel(connection)
            self._channel = channel
        return channel


def _undo(late: "Future[T]", undo: Callable[[T], object]) -> None:
    if not late.cancelled() and late.exception() is None:
        undo(late.result())


def close_in_order(channel: BlockingChannel) -> None:
    """Close the channel so that all its messages go back in the queue's order.

    pika's own close rejects the messages that it has not handed out yet, one by one. These would
    then stand before the messages that the session holds. RabbitMQ returns all messages of a closed
    channel in order, so the channel underneath pika's is closed.
    """
    if channel.is_open:
        channel._impl.close()  # noqa: SLF001 - pika's own close rejects
        channel._flush_output(lambda: channel.is_closed)  # noqa: SLF001 - as its own close does


def stop_consuming(channel: BlockingChannel, consumer_tag: str) -> None:
    """Have RabbitMQ send nothing more; what it has sent stays the channel's.

    pika's own way rejects, one by one, what it has not handed out yet. Without this an
    acknowledgement makes room for a further message, which pika rejects while the channel closes:
    it would then stand before all that the channel gives back.
    """
    answers: list[object] = []
    channel._impl.basic_cancel(consumer_tag, callback=answers.append)  # noqa: SLF001 - as pika does
    channel._flush_output(lambda: bool(answers) or channel.is_closed)  # noqa: SLF001 - as pika does


def away(error: BaseException) -> BrokerAway:
    """The error of ours for one of pika's."""
    refused = isinstance(error, ChannelClosedByBroker)
    return (BrokerRefuses if refused else BrokerAway)(in_words(error))


def in_words(error: BaseException) -> str:
    """The last words of a broker's error, without a full stop: whoever tells them sets it.

    pika wraps those of the operating system.
    """
    while not isinstance(error, OSError):
        wrapped = (*error.args, getattr(error, "exception", None), error.__cause__)
        inner = next((part for part in wrapped if isinstance(part, BaseException)), None)
        if inner is None:
            break
        error = inner
    if isinstance(error, ssl.SSLError):
        return tls.in_words(error)
    if isinstance(error, ConsumerCancelled):  # its text is the consumer's tag
        return "RabbitMQ ended the consumer, as when its queue is deleted"
    said = getattr(error, "reply_text", None) or getattr(error, "strerror", None)
    words = said or str(error) or type(error).__name__
    if alert := _TLS_ALERT.search(words):
        return tls.failure(alert[1])
    reply = _REPLY.search(words)
    return (reply[2] if reply else words).rstrip(".")


def _close(connection: BlockingConnection) -> None:
    try:
        if connection.is_open:
            connection.close()
    except AWAY:
        pass  # it is gone already
