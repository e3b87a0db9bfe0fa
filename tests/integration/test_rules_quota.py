"""No room at the server: the account's failure, however well a small test file still fits."""

from typing import Any

from consumers.delivery.policy import State
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, Platform, in_short, running, until
from tests.servers.fake import Place
from transports.errors import QuotaExceeded


class Disk(dict[str, bytes]):
    """Files that are refused where they are larger than the room there is."""

    room = 1_000_000

    def __setitem__(self, path: str, content: bytes) -> None:
        if len(content) > self.room:
            raise QuotaExceeded("552 Quota exceeded")
        super().__setitem__(path, content)


def account(courier: Platform, places: Places) -> Disk:
    disk = Disk()
    places.account(courier, "acme", Place(files=disk))
    return disk


def impatient(make_courier: MakeCourier, **more: Any) -> Platform:
    return make_courier(retry_delays=(0.0,), suspend_after=1, suspend_seconds=0.3, **more)


def test_a_full_disk_dead_letters_nothing_however_long_it_lasts(
    make_courier: MakeCourier, places: Places
) -> None:
    courier = impatient(make_courier)
    disk = account(courier, places)
    with running(courier):
        (first,) = courier.publish_many("acme", ["first.wav"])
        courier.wait_status(first, "delivered")
        disk.room = 1000
        ids = courier.publish_many("acme", ["a.wav", "b.wav"])
        until(lambda: courier.run_state("acme").suspensions >= 8, "probes")
        for name in ids:
            row = courier.row(name)
            assert row["status"] in {"queued", "uploading"}, in_short(row)
            assert row["tries"] <= 1, in_short(row)
        disk.room = 1_000_000
        for name in ids:
            courier.wait_status(name, "delivered")


def test_a_file_larger_than_the_server_takes_dies_alone(
    make_courier: MakeCourier, places: Places
) -> None:
    courier = impatient(make_courier)
    disk = account(courier, places)
    disk.room = 50_000
    with running(courier):
        (first,) = courier.publish_many("acme", ["first.wav"])
        courier.wait_status(first, "delivered")
        huge = courier.publish("acme", courier.recording("huge.wav", bytes(60_000)))
        courier.wait_state("acme", State.SUSPENDED)
        (other,) = courier.publish_many("acme", ["other.wav"])
        courier.wait_status(other, "delivered")
        row = courier.wait_status(huge, "dead_lettered")
    assert (row["tries"], row["reason"]) == (5, "file"), in_short(row)
