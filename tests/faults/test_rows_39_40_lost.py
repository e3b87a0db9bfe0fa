"""RabbitMQ is lost with all its queues, MongoDB is brought back from a backup."""

import subprocess
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import pika
import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pika.exceptions import ChannelClosedByBroker

from config.accounts import Protocol
from consumers.amqp.nodes import parameters
from deploy.local.customers import AsyncSshServer
from tests.faults.accounting import files_below
from tests.faults.conftest import Tell
from tests.faults.scene import CALM, ROOT, Scene, environment
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

INTEND = "consumers.ledger.remote_paths:RemotePaths.intend_flight"
RAW = CodecOptions(document_class=RawBSONDocument)
Dump = dict[str, list[RawBSONDocument]]


def test_row_39_a_broker_lost_with_all_its_queues_is_filled_again_from_the_ledger(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    for account_id in ("acme", "rests"):
        ground.customer(account_id, customer.customer, Protocol.SFTP)
    ground.platform.core.ledger.accounts.pause("rests")
    ground.start()
    dead = ground.platform.publish("acme", ground.platform.folder / "late", recording_id="late")
    ground.platform.wait_status(dead, "dead_lettered")
    mood.held = True
    ids = [*ground.publish("acme", 15), *ground.publish("rests", 5)]
    ground.platform.wait_routed(ids)
    until(lambda: mood.uploads, "an upload")
    lose_broker(ground)
    began = time.monotonic()
    mood.held = False
    ground.wait_delivered(*ids[:15])
    seconds = time.monotonic() - began
    wait_taken(ground)
    ground.platform.core.ledger.accounts.resume("rests")
    ids += ground.publish("acme", 3)  # to the exchange that the worker has declared anew
    for name in ids:
        publish_again(ground, name)
    ground.accounts["acme"].published[dead] = ground.platform.recording("late").read_bytes()
    command(ground, "dead-letters", "replay", "--recording", dead)
    ground.wait_delivered()
    ground.account_for_all()
    assert sorted(mood.renamed) == sorted([*ids, dead])
    tell(f"20 files published again by the ledger, 15 of them delivered within {seconds:.0f} s")


@pytest.mark.parametrize("broker", ["kept", "lost too"])
def test_row_40_a_database_restored_to_an_earlier_state_loses_nothing(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, broker: str
) -> None:
    story = Story(ground, mood)
    for account_id in ("acme", "idle", "rests"):
        ground.customer(account_id, customer.customer, Protocol.SFTP)
    dump = story.until_the_restore()
    restore(ground, dump)
    if broker == "lost too":
        lose_broker(ground)
    ground.start()
    command(ground, "accounts", "resume", "rests")
    ground.wait_delivered(*story.waited, *story.rested)
    kept = broker == "kept"
    doubled = story.bring_in_from_queues() if kept else story.publish_since_the_dump()
    names = [path.name for path in files_below(customer.root)]
    assert {name for name in names if "(" in name} == {
        name.replace(".wav", " (2).wav") for name in doubled
    }
    stands = {path.read_bytes() for path in files_below(customer.root)}
    assert {*ground.published.values()} <= stands
    assert len(names) == len(ground.published) + len(doubled)
    tell(f"broker {broker}: none of {len(ground.published)} lost, {len(doubled)} twice")


def test_row_40_a_rename_that_the_dump_knows_of_is_recognised(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    worker = ground.start(ground.point(INTEND, "after", frozen=True), lease_seconds=CALM)
    (recording,) = ground.publish("acme")
    worker.wait_frozen()
    dump = dumped(ground)
    worker.wake()
    ground.wait_delivered(recording)
    stop(ground)
    restore(ground, dump)
    ground.start()
    ground.wait_delivered(recording)
    assert len(mood.uploads) == len(files_below(customer.root)) == 1
    tell("a rename under way in the dump: nothing sent again")


@dataclass
class Story:
    """Recordings by when they arrived and were delivered, before and after the dump."""

    ground: Scene
    mood: Mood
    rested: list[str] = field(default_factory=list)
    """They waited at the dump, and at the restore."""
    waited: list[str] = field(default_factory=list)
    """They waited at the dump, and were delivered after it."""
    came: list[str] = field(default_factory=list)
    """They arrived after the dump, and were delivered."""
    routed: list[str] = field(default_factory=list)
    """They arrived after the dump, and waited in their accounts' queues at the restore."""
    untaken: list[str] = field(default_factory=list)
    """They were not taken from the intake's queue."""

    def until_the_restore(self) -> Dump:
        """Deliver, take the dump in mid-run, go on, and stop with work left over."""
        ground, mood = self.ground, self.mood
        worker = ground.start()
        ground.publish("acme", 3)
        ground.publish("idle")
        ground.wait_delivered()
        ground.platform.core.ledger.accounts.pause("rests")
        self.rested = ground.publish("rests", 2)
        mood.held = True
        self.waited = ground.publish("acme", 5)
        ground.platform.wait_routed([*self.waited, *self.rested])
        until(lambda: len(mood.uploads) > 3, "an upload")
        dump = dumped(ground)
        self.came = ground.publish("acme", 4)
        mood.held = False
        ground.wait_delivered(*self.waited, *self.came)
        for account_id in ("acme", "idle"):
            ground.platform.core.ledger.accounts.pause(account_id)
        last = [*ground.publish("acme", 3), *ground.publish("idle", 2)]
        ground.platform.wait_routed(last)
        worker.terminate()
        worker.wait_end()
        # A session that ran when its account was paused may have had one of them.
        self.routed = [name for name in last if ground.platform.row(name)["status"] == "queued"]
        self.came += {*last} - {*self.routed}
        assert self.routed
        self.untaken = ground.publish("acme", 2)
        return dump

    def bring_in_from_queues(self) -> list[str]:
        """What was in RabbitMQ alone, as the runbook tells; the ids that stand there twice."""
        ground = self.ground
        ground.wait_delivered(*self.untaken)
        command(ground, "accounts", "suspend", "idle")
        command(ground, "accounts", "resume", "idle")  # its queue is looked into
        ground.platform.wait_length("recordings.invalid", len(self.routed))
        assert not [name for name in self.routed if ground.platform.row(name)]
        command(ground, "invalid", "replay", "--reason", "unknown-recording")
        ground.wait_delivered(*self.routed)
        return self.waited

    def publish_since_the_dump(self) -> list[str]:
        """Have the pipeline publish again; the ids that stand there twice."""
        since = [*self.came, *self.routed, *self.untaken]
        wait_taken(self.ground)
        for name in since:
            publish_again(self.ground, name)
        self.ground.wait_delivered(*since)
        return [*self.waited, *self.came]


# --- what is done to them ---------------------------------------------------------------------


def lose_broker(ground: Scene) -> None:
    """All that RabbitMQ held is gone; an empty one answers at the same address."""
    url = ground.platform.core.settings.amqp_url.get_secret_value()
    vhost = unquote(urlsplit(url).path[1:])
    ground.services.rabbitmq.replace_vhosts([vhost], [vhost])


def wait_taken(ground: Scene) -> None:
    """Wait until a worker has declared the pipeline's exchange anew, and takes its events."""

    def consumers() -> int:
        with pika.BlockingConnection(parameters(ground.platform.core.settings.rabbitmq)) as broker:
            try:
                queue = broker.channel().queue_declare("recordings.ready", passive=True)
            except ChannelClosedByBroker:
                return 0
            return int(queue.method.consumer_count)

    until(consumers, "a worker to take events")


def publish_again(ground: Scene, name: str) -> None:
    """As the pipeline does that does not know what was taken."""
    account_id, _, _ = name.rpartition("-")
    source = ground.platform.folder / name
    ground.platform.publish(account_id, source, recording_id=name)


def dumped(ground: Scene) -> Dump:
    """All collections at one moment, as `mongodump --oplog` has them."""
    database = ground.platform.core.database
    names = database.list_collection_names()
    with database.client.start_session(snapshot=True) as session:
        return {name: [*database.get_collection(name, RAW).find(session=session)] for name in names}


def restore(ground: Scene, dump: Dump) -> None:
    """What came since is gone, as after `mongorestore --drop`."""
    database = ground.platform.core.database
    for name in database.list_collection_names():
        collection = database.get_collection(name, RAW)
        collection.delete_many({})
        if documents := dump.get(name):
            collection.insert_many(documents)


def stop(ground: Scene) -> None:
    for worker in ground.workers:
        worker.terminate()
        worker.wait_end()


def command(ground: Scene, *arguments: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "worker", *arguments],
        cwd=ROOT,
        env=environment(ground.platform.core.settings),
        check=True,
        timeout=120,
        capture_output=True,
    )
