"""A broker that reads a test's files, and listens where a test says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.local.containers import Container
from deploy.local.processes import ServiceError
from deploy.local.rabbitmq import RabbitMQ, installed, private_nodes


@contextmanager
def own_broker(broker: RabbitMQ, folder: Path) -> Iterator[RabbitMQ]:
    """The broker of all tests; where that is in a container, a node of this machine beside it.

    A container publishes one port alone, and sees no file of ours. Raises `ServiceError` where this
    machine has no RabbitMQ.
    """
    if not isinstance(broker.process, Container):
        yield broker
        return
    programs = installed()
    if programs is None:
        raise ServiceError("RabbitMQ is not on this machine: run `make setup-tests`.")
    with private_nodes(folder, programs, ["own"]) as (node,):
        node.wait_ready()
        yield node
