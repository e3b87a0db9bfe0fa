"""The services Courier needs, started together and ended together."""

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from deploy.local.cluster import cluster
from deploy.local.folders import run_folder
from deploy.local.mongodb import MongoDB, database
from deploy.local.rabbitmq import RabbitMQ, broker


@dataclass(frozen=True)
class Services:
    """A broker and a database that are ready, and what a fault test may do to them."""

    rabbitmq: RabbitMQ
    mongodb: MongoDB
    nodes: Sequence[RabbitMQ]
    """All nodes of the broker; `rabbitmq` is the first of them."""

    @property
    def amqp_url(self) -> str:
        """`COURIER_AMQP_URL` for these services."""
        return ";".join(node.url for node in self.nodes)

    @property
    def mongodb_url(self) -> str:
        """`COURIER_MONGODB_URL` for these services; the database is `courier`."""
        return self.mongodb.url


@contextmanager
def services(nodes: int = 1) -> Iterator[Services]:
    """Start RabbitMQ and MongoDB on free loopback ports, or use those of the environment.

    A broker of several `nodes` is always a cluster of our own.
    Both are ready inside the block; after it, none of their processes is left. Until then
    SIGTERM ends the program as Ctrl-C does, so that they are stopped in order.
    Raises `ServiceError` where one is missing or does not become ready.
    """
    with (
        _sigterm_as_interrupt(),
        run_folder() as folder,
        _broker(folder / "rabbitmq", nodes) as brokers,
        database(folder / "mongodb") as mongodb,
    ):
        mongodb.wait_ready()
        for node in brokers:
            node.wait_ready()
        yield Services(brokers[0], mongodb, brokers)


@contextmanager
def _broker(folder: Path, nodes: int) -> Iterator[Sequence[RabbitMQ]]:
    if nodes > 1:
        with cluster(folder, nodes) as brokers:
            yield brokers
    else:
        with broker(folder) as single:
            yield [single]


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
