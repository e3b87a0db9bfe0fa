"""What pika and py-amqp make of a refusal, in RabbitMQ's own words."""

import pytest
from amqp.exceptions import AccessRefused, ConsumerCancelled
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from pika.exceptions import ProbableAuthenticationError as LoginRefused

from consumers.amqp.connection import BrokerRefuses, away, in_words

WORDS = "access to exchange 'amq.default' in vhost '/' refused for user 'me'"


@pytest.mark.parametrize(
    "error",
    [
        ChannelClosedByBroker(403, f"ACCESS_REFUSED - {WORDS}"),
        ConnectionClosedByBroker(530, f"NOT_ALLOWED - {WORDS}"),
        AccessRefused(f"ACCESS_REFUSED - {WORDS}", (60, 40)),
        OSError(f"(403) ACCESS_REFUSED - {WORDS}"),
        LoginRefused(f'ConnectionClosedByBroker: (403) "ACCESS_REFUSED - {WORDS}"'),
    ],
)
def test_the_words_are_rabbitmqs_and_whole(error: Exception) -> None:
    assert in_words(error) == WORDS


def test_other_words_stay_as_they_are() -> None:
    assert in_words(OSError(111, "Connection refused")) == "Connection refused"
    assert in_words(OSError("TLS - odd")) == "TLS - odd"


def test_a_full_stop_is_left_to_whoever_tells_them() -> None:
    said = "Login was refused using authentication mechanism PLAIN. For details see the logfile"
    refused = LoginRefused(f"ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - {said}.'")
    assert in_words(refused) == said


def test_a_consumer_that_rabbitmq_ended_is_told_in_words_and_not_by_its_tag() -> None:
    assert "ended the consumer" in in_words(ConsumerCancelled("None1", (60, 30)))


def test_a_closed_channel_is_a_refusal_and_a_closed_connection_is_not() -> None:
    assert isinstance(away(ChannelClosedByBroker(403, "x")), BrokerRefuses)
    assert not isinstance(away(ConnectionClosedByBroker(320, "x")), BrokerRefuses)
