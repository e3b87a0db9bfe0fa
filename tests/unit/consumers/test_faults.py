"""What is told of an error in a part of the program that goes on all the same."""

import pytest
from pymongo.errors import AutoReconnect

from consumers.amqp.connection import BrokerAway, NotRouted
from consumers.faults import observed
from consumers.observe import ProgramFailed, Trouble


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (AutoReconnect("no primary"), "mongodb"),
        (BrokerAway("no primary"), "rabbitmq"),
        (NotRouted("no primary"), "rabbitmq"),
    ],
    ids=["the database is away", "the broker is away", "no queue"],
)
def test_what_passes_by_itself_is_trouble_of_the_service_that_it_came_from(
    error: Exception, where: str
) -> None:
    assert observed(error, "leases") == Trouble(where, "leases: no primary")


def test_anything_else_is_a_fault_of_the_program() -> None:
    error = KeyError("epoch")
    assert observed(error, "leases") == ProgramFailed("leases", error)
