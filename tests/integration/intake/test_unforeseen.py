"""An event that makes the program fail is kept with the unusable ones, and stops no other."""

from collections.abc import Collection

import pytest

from consumers.amqp import topology
from consumers.ledger import Arrival, Opened
from consumers.ledger.arrivals import Arrivals
from consumers.observe import ProgramFailed
from tests.integration.platform import MakeCourier, running, until


def test_an_event_of_which_the_program_fails_stops_no_other(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch
) -> None:
    courier = make_courier()
    seen: list[ProgramFailed] = []

    def told(observation: object) -> None:
        if isinstance(observation, ProgramFailed):
            seen.append(observation)

    monkeypatch.setattr("worker.service.LogObserver", lambda: told)
    opened = Arrivals.open

    def fails(arrivals: Arrivals, batch: Collection[Arrival]) -> list[Opened]:
        if any("poison" in each.event.file_url for each in batch):
            raise OverflowError("MongoDB can only handle up to 8-byte ints")
        return opened(arrivals, list(batch))

    monkeypatch.setattr(Arrivals, "open", fails)
    courier.core.directory.create("acme", ftp_access=True)
    topology.declare_once(
        courier.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    ids = courier.publish_many("acme", ["a.wav", "poison.wav", "b.wav"])
    with running(courier):
        courier.wait_routed([ids[0], ids[2]])
        until(lambda: courier.queue_length("recordings.invalid") == 1, "the unusable event")
        courier.wait_length("recordings.ready", 0)
    ((headers, body),) = courier.messages("recordings.invalid")
    assert headers["x-courier-reason"] == "program-fault: OverflowError"
    assert ids[1].encode() in body
    assert [(one.where, type(one.fault)) for one in seen] == [("intake", OverflowError)]
