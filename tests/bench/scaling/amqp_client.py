"""A client of RabbitMQ that does one thing as fast as it is allowed to, in a process of its own.

`python -m tests.bench.scaling.amqp_client publish|consume URL QUEUE MESSAGES AT_ONCE`: publishes
with so many confirms outstanding, or consumes and acknowledges so many at once. Prints the seconds
from the open channel to the last confirm or acknowledgement, and its processor seconds, as JSON.
"""

import json
import sys
import time
from abc import ABC, abstractmethod
from typing import Any

import pika

BODY = b"x" * 300
"""As large as an event."""


class Client(ABC):
    """One connection with one channel, until all messages are done."""

    def __init__(self, url: str, queue: str, messages: int, at_once: int) -> None:
        self.queue, self.messages, self.at_once = queue, messages, at_once
        self.channel: Any = None
        self.began = self.ended = 0.0
        self._connection = pika.SelectConnection(
            pika.URLParameters(url),
            on_open_callback=lambda it: it.channel(on_open_callback=self._open),
        )

    def run(self) -> float:
        """The seconds that it took."""
        self._connection.ioloop.start()
        return self.ended - self.began

    def _open(self, channel: Any) -> None:
        self.channel, self.began = channel, time.monotonic()
        self.begin()

    @abstractmethod
    def begin(self) -> None:
        """The channel is open."""

    def end(self) -> None:
        """All is done."""
        self.ended = time.monotonic()
        self._connection.add_on_close_callback(lambda *_: self._connection.ioloop.stop())
        self._connection.close()


class Publisher(Client):
    """Publishes with confirms."""

    sent = confirmed = 0

    def begin(self) -> None:
        self.channel.confirm_delivery(self._confirm)
        self._publish()

    def _publish(self) -> None:
        properties = pika.BasicProperties(delivery_mode=2)
        while self.sent < self.messages and self.sent - self.confirmed < self.at_once:
            self.channel.basic_publish("", self.queue, BODY, properties)
            self.sent += 1

    def _confirm(self, frame: Any) -> None:
        tag = frame.method.delivery_tag
        self.confirmed = tag if frame.method.multiple else self.confirmed + 1
        if self.confirmed == self.messages:
            self.end()
        else:
            self._publish()


class Consumer(Client):
    """Consumes, and acknowledges so many with one frame."""

    seen = 0

    def begin(self) -> None:
        self.channel.basic_qos(prefetch_count=max(64, 4 * self.at_once))
        self.channel.basic_consume(self.queue, self._take)

    def _take(self, channel: Any, method: Any, _properties: Any, _body: bytes) -> None:
        self.seen += 1
        if self.seen % self.at_once == 0 or self.seen == self.messages:
            channel.basic_ack(method.delivery_tag, multiple=self.at_once > 1)
        if self.seen == self.messages:
            self.end()


def main() -> None:
    """Do what is asked for, and print what it took."""
    kind, url, queue, messages, at_once = sys.argv[1:]
    client = {"publish": Publisher, "consume": Consumer}[kind](
        url, queue, int(messages), int(at_once)
    )
    used = time.process_time()
    print(json.dumps([client.run(), time.process_time() - used]))


if __name__ == "__main__":
    main()
