"""What the metrics know of customers' servers and of the broker's queues, from real ones."""

from urllib.request import urlopen

import pika
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from config.accounts import Protocol
from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.connection import BrokerAway
from consumers.amqp.depths import Depths, read_depths
from deploy.local.customers import PyFtpServer
from deploy.local.processes import free_port
from deploy.local.services import Services
from tests.integration.platform import MakeCourier, running, until
from tests.servers.broker_users import NOTHING, LimitedUser
from worker.service import Service


def counted(service: Service, name: str) -> dict[str, float]:
    """The series of one metric, by its only label."""
    assert service.health_address is not None
    host, port = service.health_address
    with urlopen(f"http://{host}:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        next(iter(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_logins_are_counted_by_what_the_server_said(
    make_courier: MakeCourier, pyftpd_server: PyFtpServer
) -> None:
    courier = make_courier(retry_delays=(0,), max_tries=1)
    customer = pyftpd_server.customer
    courier.account("good", customer, Protocol.FTP)
    courier.account("refused", customer, Protocol.FTP, password="wrong")
    courier.account("gone", customer, Protocol.FTP, port=free_port())
    with running(courier) as service:
        for account in ("good", "refused", "gone"):
            courier.publish(account, courier.recording(f"{account}.wav"), recording_id=account)
        courier.wait_status("good", "delivered")
        for account in ("refused", "gone"):
            courier.wait_status(account, "dead_lettered")
        expected = {"accepted": 1.0, "refused": 1.0, "failed": 1.0}
        until(
            lambda: counted(service, "courier_logins_total") == expected,
            lambda: f"{expected}; it is {counted(service, 'courier_logins_total')}",
        )
        assert counted(service, "courier_dead_letters_total")["account"] == 2
        until(
            lambda: counted(service, "courier_upload_slots")["used"] == 0,
            "the slots to be given back",
        )


def endpoint(url: str) -> Endpoint:
    return Endpoint(SecretStr(url))


def test_queues_that_do_not_stand_yet_are_empty(amqp_url: str) -> None:
    assert read_depths(endpoint(amqp_url)) == Depths(0, 0)


def test_what_lies_in_the_queues_is_counted(amqp_url: str) -> None:
    topology.declare_once(endpoint(amqp_url), topology.INTAKE, topology.INVALID)
    with pika.BlockingConnection(pika.URLParameters(amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        for _ in range(3):
            channel.basic_publish("", topology.INTAKE.name, b"{}")
        channel.basic_publish("", topology.INVALID.name, b"no event")
    until(
        lambda: read_depths(endpoint(amqp_url)) == Depths(3, 1), "three events and an invalid one"
    )


def test_a_user_without_rights_learns_nothing_wrong(services: Services, amqp_url: str) -> None:
    topology.declare_once(endpoint(amqp_url), topology.INTAKE, topology.INVALID)
    user = LimitedUser.at(services.rabbitmq, amqp_url)
    user.may(configure=NOTHING, write=NOTHING, read=NOTHING)
    depths = read_depths(endpoint(user.url))
    assert depths in {Depths(0, 0), Depths(None, None)}  # releases of RabbitMQ differ


def test_a_broker_that_is_away_is_told_as_such() -> None:
    with pytest.raises(BrokerAway):
        read_depths(endpoint(f"amqp://guest:guest@127.0.0.1:{free_port()}/"))
