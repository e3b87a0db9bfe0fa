"""A broker of several nodes: whoever connects goes to one that answers."""

from pydantic import SecretStr

from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.connection import Broker, Publisher
from consumers.intake.invalid_queue import InvalidFilter, look_at_invalid
from consumers.observe import Observation
from deploy.local.processes import free_port
from tests.integration.platform import until


def unheard(_observation: Observation) -> None:
    """Which node is down is not the test's concern."""


def several(amqp_url: str) -> Endpoint:
    """The broker among nodes of which nothing listens."""
    down = [f"amqp://guest:guest@127.0.0.1:{free_port()}/" for _ in range(3)]
    return Endpoint(SecretStr(" ; ".join([*down, amqp_url])))


def test_each_connection_finds_the_node_that_is_up(amqp_url: str) -> None:
    nodes = several(amqp_url)
    topology.declare_once(nodes, topology.INVALID)
    broker = Broker(nodes, "test", unheard)
    broker.start()
    try:
        broker.wait_ready(20)
        Publisher(broker).publish("", topology.INVALID.name, b"{}")
    finally:
        broker.stop()
    assert [message.size for message in look_at_invalid(nodes, InvalidFilter(), 0, 2).events] == [2]


def test_a_lost_connection_is_replaced_by_one_to_any_node(amqp_url: str) -> None:
    broker = Broker(several(amqp_url), "test", unheard)
    broker.start()
    try:
        broker.wait_ready(20)
        broker.call(lambda connection: connection.close())
        until(lambda: broker.ready, "another connection")
        assert broker.call(lambda connection: connection.channel().is_open)
    finally:
        broker.stop()
