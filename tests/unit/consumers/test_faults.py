"""What is told of an error in a part of the program that goes on all the same, and what a recording
raises."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pymongo.errors import AutoReconnect, ServerSelectionTimeoutError

from consumers.amqp.connection import BrokerAway, NotRouted
from consumers.faults import GuardedSource, observed
from consumers.observe import ProgramFailed, Trouble
from consumers.sharding.revocation import Revocation
from transports.errors import Interrupted, SourceMissing
from transports.phases import SourceFault
from transports.sources.source import OpenSource


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


def test_of_a_database_that_is_away_its_last_words_are_told_without_the_drivers_own() -> None:
    """Nothing in them changes from one try to the next, so that the log tells it once a minute."""
    error = ServerSelectionTimeoutError(
        "127.0.0.1:9: [Errno 111] Connection refused (configured timeouts: connectTimeoutMS: "
        "10000.0ms), Timeout: 19.9999s, Topology Description: <TopologyDescription id: 6b0c>"
    )
    assert observed(error, "leases") == Trouble(
        "mongodb", "leases: 127.0.0.1:9: Connection refused"
    )


def test_anything_else_is_a_fault_of_the_program() -> None:
    error = KeyError("epoch")
    assert observed(error, "leases") == ProgramFailed("leases", error)


class Recording:
    """Of two blocks; `steps` tells what was done with it."""

    size = 2

    def __init__(self) -> None:
        self.steps: list[str] = []

    def __iter__(self) -> Iterator[bytes]:
        yield from (b"a", b"b")

    def cut(self) -> None:
        self.steps.append("cut")

    @contextmanager
    def opened(self, error: Exception | None = None) -> Iterator[OpenSource]:
        if error is not None:
            raise error
        try:
            yield self
        finally:
            self.steps.append("closed")


def test_a_recording_is_read_cut_while_it_is_open_and_closed() -> None:
    recording, revocation = Recording(), Revocation()
    with GuardedSource(recording.opened(), revocation) as source:
        assert (source.size, [*source]) == (2, [b"a", b"b"])
        revocation.cut()
    revocation.cut()
    assert recording.steps == ["cut", "closed"]


def test_its_reading_ends_once_its_account_is_revoked() -> None:
    recording, revocation = Recording(), Revocation()
    with GuardedSource(recording.opened(), revocation) as source:
        blocks = iter(source)
        assert next(blocks) == b"a"
        revocation.revoke()
        with pytest.raises(Interrupted):
            next(blocks)


@pytest.mark.parametrize(
    ("raised", "told"), [(SourceMissing("No"), SourceMissing), (KeyError("url"), SourceFault)]
)
def test_what_nobody_foresaw_at_its_opening_is_the_sources_fault(
    raised: Exception, told: type[Exception]
) -> None:
    recording, revocation = Recording(), Revocation()
    with pytest.raises(told), GuardedSource(recording.opened(raised), revocation):
        pass
    revocation.cut()
    assert recording.steps == []
