"""A small benchmark that fails on a clear loss of speed: ratios within one run, never seconds.

Each measures this program, as a process of its own, and something plain in turn on the same
servers, and compares the best of both. A round that a busy machine has spoilt is followed by
others; only a program that stays behind in all of them fails.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pika
import pytest
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from config.accounts import Protocol
from consumers.amqp import topology
from deploy.local.customers import CustomerServer
from deploy.local.services import Services
from tests.bench import peers
from tests.bench.accounts import Accounts
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.line import slow_line
from tests.bench.peers import Errand
from tests.bench.program import Program, event
from tests.bench.single import LOGINS_AT_ONCE, RECORDING, ROUND_TRIP
from tests.bench.stage import Stage
from tests.servers import Sshd, Vsftpd

SEEN = {"sftp": 0.4, "ftp": 0.12, "slow line": 2.5, "intake": 3.0}
"""How many times the plain way's rate this program's was when these were written."""
CLEAR_LOSS = 0.6
"""Of what was seen: nothing that a busy machine does to both comes near it."""
ROUNDS, MOST_ROUNDS = 2, 6
FILES, FILES_FAR, EVENTS = 60, 8, 400

Seconds = Callable[[], float]


@dataclass(frozen=True)
class Ground:
    """The program, running on an empty platform."""

    stage: Stage
    accounts: Accounts
    program: Program


@pytest.fixture(scope="module")
def ground(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    stage = Stage(services, tmp_path_factory.mktemp("bench"))
    with stage.courier() as (accounts, program):
        program.start()
        yield Ground(stage, accounts, program)


def fails_on_a_clear_loss(what: str, ours: Seconds, plain: Seconds) -> None:
    """Measure in turn until ours is not clearly behind; fail where it stays so."""
    best, best_plain = float("inf"), float("inf")
    for number in range(1, MOST_ROUNDS + 1):
        best, best_plain = min(best, ours()), min(best_plain, plain())
        ratio = best_plain / best
        if number >= ROUNDS and ratio >= CLEAR_LOSS * SEEN[what]:
            print(f"{what}: {ratio:.2f} x, seen before: {SEEN[what]} x")
            return
    pytest.fail(f"{what}: {ratio:.2f} x the plain way's rate, and it was {SEEN[what]} x before")


@dataclass
class Race:
    """The same files to the same server, by the program and by a peer."""

    ground: Ground
    name: str
    protocol: Protocol
    server: CustomerServer
    recordings: Recordings
    rounds: int = 0

    def ours(self) -> float:
        """Seconds of the program, with an account of this round's own."""
        self.rounds += 1
        account = f"{self.name}-{self.rounds}"
        self.ground.accounts.save(account, self.server, self.protocol)
        self.ground.accounts.declare_queues([account])
        make_ready(self.recordings, self.server.root)
        events = [event(account, self.recordings.folder / each) for each in self.recordings.names]
        seconds = self.ground.program.time(events, [account])
        check_delivered(self.recordings, self.server.root)
        return seconds

    def plain(self, peer: peers.Peer) -> float:
        """Seconds of the peer."""
        make_ready(self.recordings, self.server.root)
        work = self.ground.stage.new_folder("peer")
        errand = Errand(self.server, self.protocol, self.recordings.folder, work)
        return peers.run(peer(errand)).seconds


def test_sftp_is_no_clear_loss_against_openssh(ground: Ground, tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", extra=[LOGINS_AT_ONCE]) as server:
        files = make_recordings(tmp_path / "local", FILES, RECORDING)
        race = Race(ground, "near", Protocol.SFTP, server.customer, files)
        fails_on_a_clear_loss("sftp", race.ours, lambda: race.plain(peers.openssh()))


def test_ftp_is_no_clear_loss_against_ftplib(ground: Ground, tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd") as server:
        files = make_recordings(tmp_path / "local", FILES, RECORDING)
        race = Race(ground, "ftp", Protocol.FTP, server.customer, files)
        fails_on_a_clear_loss("ftp", race.ours, lambda: race.plain(peers.plain))


def test_a_slow_line_is_no_clear_loss_against_openssh(ground: Ground, tmp_path: Path) -> None:
    with (
        Sshd(tmp_path / "sshd", extra=[LOGINS_AT_ONCE]) as server,
        slow_line(ROUND_TRIP, [server.port], tmp_path / "line.log") as host,
    ):
        files = make_recordings(tmp_path / "local", FILES_FAR, RECORDING)
        race = Race(ground, "far", Protocol.SFTP, replace(server.customer, host=host), files)
        fails_on_a_clear_loss("slow line", race.ours, lambda: race.plain(peers.openssh()))


def test_the_intake_is_no_clear_loss_against_a_publish_and_an_insert(ground: Ground) -> None:
    names = [f"paused-{number}" for number in range(4)]
    ground.accounts.create_paused(names)
    ground.accounts.declare_queues(names)

    def events() -> Sequence[dict[str, str]]:
        source = ground.stage.folder / "never-read.wav"
        return [event(names[number % 4], source) for number in range(EVENTS)]

    fails_on_a_clear_loss(
        "intake",
        lambda: ground.program.time(events(), []),
        lambda: _published_and_inserted(ground, events()),
    )


def _published_and_inserted(ground: Ground, events: Sequence[dict[str, str]]) -> float:
    """Seconds for the same by hand, one after the other: a confirmed publish and a safe insert."""
    settings = ground.program.platform.core.settings
    properties = pika.BasicProperties(delivery_mode=2)
    connection = pika.BlockingConnection(pika.URLParameters(settings.amqp_url.get_secret_value()))
    with MongoClient[dict[str, Any]](settings.mongodb_url.get_secret_value()) as client:
        rows = client.get_default_database().get_collection(
            "by_hand", write_concern=WriteConcern("majority")
        )
        channel = connection.channel()
        channel.confirm_delivery()
        began = time.monotonic()
        for each in events:
            rows.insert_one(dict(each))
            channel.basic_publish(
                topology.DELIVERIES.name,
                each["account_id"],
                json.dumps(each).encode(),
                properties,
                mandatory=True,
            )
        seconds = time.monotonic() - began
    connection.close()
    return seconds
