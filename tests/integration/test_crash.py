"""The real program, killed and deprived of what it stands on: nothing is lost, nothing twice."""

import random
import secrets
import signal
import threading
from pathlib import Path

import pytest

from config.accounts import Protocol
from consumers.amqp import topology
from consumers.ledger import Document
from deploy.local.customers import AsyncSshServer, PyFtpServer
from deploy.local.processes import Child
from deploy.local.services import Services
from tests.integration.platform import MakeCourier, Platform, all_in_short, until
from tests.servers.misbehaving import Moment, Mood

MEGABYTE = bytes(range(256)) * 4096
KILLS = 5


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    made = make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))
    # The pipeline publishes whether or not the program runs.
    topology.declare_once(
        made.core.settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    return made


@pytest.fixture
def mood() -> Mood:
    return Mood(seconds_a_write=0.02)


def publish_large(courier: Platform, account_id: str, count: int) -> list[str]:
    """Recordings of a megabyte each, so that a kill meets an upload."""
    return [
        courier.publish(
            account_id,
            courier.recording(f"{account_id}-{number:02}.wav", MEGABYTE + bytes([number])),
            size=len(MEGABYTE) + 1,
        )
        for number in range(count)
    ]


def delivered(courier: Platform, account_id: str) -> int:
    return sum(row["status"] == "delivered" for row in courier.rows(account_id))


def wait_delivered(courier: Platform, *accounts: str) -> None:
    def rows() -> list[Document]:
        return [row for account_id in accounts for row in courier.rows(account_id)]

    def all_are() -> bool:
        found = rows()
        return len(found) == len(courier._published) and all(
            row["status"] == "delivered" for row in found
        )

    def what() -> str:
        missing = [row for row in rows() if row["status"] != "delivered"]
        return f"all {len(courier._published)} to be delivered; not yet {all_in_short(missing)}"

    until(all_are, what)


@pytest.mark.parametrize("moment", ["opened", "written", "uploaded", "renamed"])
def test_killed_at_this_moment_of_an_upload_the_file_stands_there_once(
    courier: Platform, customer: AsyncSshServer, mood: Mood, program: Child, moment: Moment
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, uploads=1)
    mood.when[moment] = program.kill
    program.start()
    ids = publish_large(courier, "acme", 3)
    until(lambda: program.pid is None, "the program to be killed")
    assert not mood.when
    program.start()
    wait_delivered(courier, "acme")
    courier.account_for("acme", customer.root)
    rows = [courier.row(recording_id) for recording_id in ids]
    assert [row["tries"] for row in rows] == [0, 0, 0]
    assert mood.renamed == [f"acme-{number:02}.wav" for number in range(3)]
    sent_again = 0 if moment == "renamed" else 1
    assert len(mood.uploads) == 3 + sent_again
    assert courier.run_state("acme").failures == 0
    story = [event for row in rows for event in row["events"]]
    died = [event["died"] for event in story if event["what"] == "lost"]
    assert died
    assert all(died)
    assert any(event.get("found", False) for event in story) == (moment == "renamed")


def test_killed_again_and_again_every_recording_arrives_whole_and_once(
    courier: Platform, customer: AsyncSshServer, mood: Mood, program: Child, tmp_path: Path
) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")  # noqa: T201 - shown with a failure
    moments = random.Random(seed)  # noqa: S311 - it spreads the kills, it guards nothing
    (tmp_path / "ftp").mkdir()
    with PyFtpServer(tmp_path / "ftp") as ftp:
        courier.account("acme", customer.customer, Protocol.SFTP, path="calls")
        courier.account("beta", ftp.customer, Protocol.FTP, path="calls")
        program.start()
        for number in range(KILLS):
            publish_large_batch(courier, number)
            wait_for_an_upload(mood)
            threading.Event().wait(moments.uniform(0, 0.5))
            program.kill()
            program.start()
        wait_delivered(courier, "acme", "beta")
        courier.account_for("acme", customer.root)
        courier.account_for("beta", ftp.customer.root)


def wait_for_an_upload(mood: Mood) -> None:
    seen = len(mood.uploads)
    until(lambda: len(mood.uploads) > seen, "an upload")


def wait_for_more_than(courier: Platform, rows: int) -> None:
    until(lambda: len(courier.rows("acme")) > rows, "events to be taken")


def publish_large_batch(courier: Platform, number: int) -> None:
    for account_id in ("acme", "beta"):
        for each in range(5):
            name = f"{account_id}-{number}-{each}.wav"
            courier.publish(account_id, courier.recording(name, MEGABYTE + name.encode()))


def test_killed_while_it_takes_events_each_is_taken_once(
    courier: Platform, customer: AsyncSshServer, program: Child
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    ids = courier.publish_many("acme", [f"call-{number:03}.wav" for number in range(60)])
    for share in (0, 15, 30):
        program.start()
        wait_for_more_than(courier, share)
        program.kill()
    program.start()
    wait_delivered(courier, "acme")
    courier.account_for("acme", customer.root)
    courier.wait_length("recordings.ready", 0)
    assert len(courier.rows("acme")) == len(ids)


def test_sigterm_ends_it_in_order_and_exit_code_0(
    courier: Platform, customer: AsyncSshServer, program: Child
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    program.start()
    publish_large(courier, "acme", 20)
    until(lambda: delivered(courier, "acme") >= 3, "some to be delivered")
    process = program._process
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    done = delivered(courier, "acme")
    queued = [row["_id"] for row in courier.rows("acme") if row["status"] == "queued"]
    assert done + len(queued) == len(courier.rows("acme"))
    program.start()
    wait_delivered(courier, "acme")
    courier.account_for("acme", customer.root)


@pytest.mark.parametrize("ends", ["restart", "kill"])
def test_everything_arrives_although_the_broker_goes_away(
    courier: Platform, customer: AsyncSshServer, program: Child, services: Services, ends: str
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    program.start()
    publish_large(courier, "acme", 30)
    until(lambda: delivered(courier, "acme") >= 3, "some to be delivered")
    if ends == "kill":
        services.rabbitmq.save_queue_list()
        services.rabbitmq.kill()
    services.rabbitmq.restart()
    courier.publish("acme", courier.recording("after.wav"))
    wait_delivered(courier, "acme")
    courier.account_for("acme", customer.root)


def test_everything_arrives_although_the_database_goes_away(
    courier: Platform, customer: AsyncSshServer, program: Child, services: Services
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    program.start()
    publish_large(courier, "acme", 30)
    until(lambda: delivered(courier, "acme") >= 3, "some to be delivered")
    services.mongodb.kill()
    services.mongodb.start()
    courier.publish("acme", courier.recording("after.wav"))
    wait_delivered(courier, "acme")
    courier.account_for("acme", customer.root)
