"""Files that go to their server together, while something befalls them."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from config.accounts import Capabilities, Look
from tests.faults.history import Flown
from tests.faults.launcher import Point
from tests.faults.scene import Scene, Worker

CLAIM = "consumers.ledger.claims:Claims.claim"
INTEND = "consumers.ledger.remote_paths:RemotePaths.intend_flight"
DELIVERED = "consumers.ledger.outcomes:Outcomes.delivered"
"""What a flight writes to the ledger, in this order."""
QUEUES = Capabilities(at_once=4, pipelines=True, queues=True, look=Look.SIZE)
"""What the test on save finds of vsftpd."""
FILES = 33
"""The first one logs in; of the others half share the second flight: 16, the most there may be."""
AMID = 9
"""One that is in the middle of that flight."""
FLIES = {
    "consumers.delivery.connection_pool:FLIGHT_SECONDS": 3600.0,
    "consumers.delivery.connection_pool:ROUND_TRIP_FOR_ONE_MORE": 3600.0,
}
"""Flights are as large as what waits allows, and three at once, however slow this machine is."""


def wait_aloft(ground: Scene, worker: Worker, account_id: str = "acme") -> list[str]:
    """All wait in the account's queue when its first session begins; their ids."""
    accounts = ground.platform.core.ledger.accounts
    accounts.pause(account_id)
    worker.start()
    ids = ground.publish(account_id, FILES)
    ground.platform.wait_routed(ids)
    accounts.resume(account_id)
    return ids


def amid(account_id: str = "acme") -> str:
    """The id that a file in the middle of the large flight is going to have."""
    return f"{account_id}-{1 + AMID:05}.wav"


def flier(ground: Scene, *points: Point, **changes: Any) -> Worker:
    """A worker of large flights, not started yet."""
    return ground.worker(*points, constants=FLIES, **changes)


def flights_of(ground: Scene, recording_id: str) -> list[Flown]:
    """Those that the file has flown in, in their order."""
    return [flown for flown in ground.history.flights.values() if recording_id in flown.files]


def sizes(ground: Scene) -> list[int]:
    """Files of each flight, in their order."""
    return [len(flown.files) for flown in ground.history.flights.values()]


def assert_halved(ground: Scene, ids: Sequence[str]) -> list[list[int]]:
    """Files that were lost together went again in flights of half as many, by themselves.

    The sizes of the flights of each file that was lost.
    """
    found = []
    for name in ids:
        flights = flights_of(ground, name)
        for lost, again in pairwise(flights):
            assert len(again.files) <= max(1, len(lost.files) // 2), (name, flights)
        if len(flights) > 1:
            found.append([len(flown.files) for flown in flights])
    return found
