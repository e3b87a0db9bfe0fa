"""A RabbitMQ cluster on this machine: several nodes that know each other by one cookie."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.processes import ServiceError
from deploy.local.rabbitmq import RabbitMQ, installed, node_name, private_nodes


@contextmanager
def cluster(folder: Path, size: int) -> Iterator[Sequence[RabbitMQ]]:
    """So many nodes, joined and ready; ended on exit. Raises `ServiceError` where none can be had.

    A quorum queue that is declared has a member on each of the nodes that then run, up to five.
    """
    programs = installed()
    if programs is None:
        raise ServiceError("RabbitMQ is not on this machine: run `make setup-tests`.")
    names = [f"courier-{chr(ord('a') + number)}" for number in range(size)]
    with private_nodes(folder, programs, names) as nodes:
        first, *others = nodes
        first.wait_ready()
        for node in others:
            node.wait_ready()
            _join(node, node_name(names[0]))
        yield nodes


def _join(node: RabbitMQ, first: str) -> None:
    """Clustering guide, "Creating a Cluster": a node joins empty."""
    node.administer("stop_app")
    node.administer("reset")
    node.administer("join_cluster", first)
    node.administer("start_app")
    node.wait_ready()
