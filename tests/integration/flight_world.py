"""One account's world for whoever wants to strike anywhere in a flight.

The ledger is the real one, on MongoDB; the session, its flights, the upload and the settlement are
the program's. The customer's server, the queue and the dead letters are in memory. Every step of a
session, at the server or in the ledger, can be struck: refused, cut, its answer lost, the lease
gone, or the worker killed before or after it.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo.database import Database
from pymongo.errors import AutoReconnect

from config.accounts import FtpSettings, Protocol
from config.directory import Directory
from config.secrets import Vault
from consumers.delivery.dead_letters import DeadLetters
from consumers.delivery.deps import Deps
from consumers.delivery.messages import Ack, Delivery
from consumers.delivery.policy import Rules
from consumers.delivery.slots import Slots
from consumers.delivery.worker import AccountWorker
from consumers.intake.events import decode
from consumers.ledger import CRASH_LOOP, Arrival, Document, Ledger, Routing
from consumers.observe import Observation, ProgramFailed, TryEnded
from tests.servers.fake import FakeServer, OpenGate, Place
from transports.base import Egress, Limits, Server
from transports.errors import ConnectionLost, NameRefused, NotPermitted, PathRefused
from transports.sources.stores import Stores

OWN = "in/call-0.wav"
"""A file of the customer's own, whose name recordings want too."""
FOREVER = datetime(2999, 1, 1, tzinfo=UTC)
WRITES = frozenset(
    [
        *("claim", "claim_probe", "claim_outage_dead_letter", "claim_overtaking"),
        *("intend", "intend_flight", "withdraw", "delivered", "waits", "dead_lettered"),
        *("release", "uncount", "free", "shares_process", "crash_loop_ends"),
        *(
            "fence",
            "reschedule",
            "recovered",
            "count_failure",
            "suspend",
            "begin_probe",
            "end_probe",
        ),
        *("rest_after_fault", "queue_usable"),
    ]
)


class Unforeseen(KeyError):
    """A fault of the program that `Strike.FAULT` has made."""


class Strike(Enum):
    """What happens at a step."""

    REFUSED = auto()
    """The server does not take this file."""
    NO_RIGHT = auto()
    """The server refuses by what fits any file."""
    CUT = auto()
    """The connection breaks, before the step has done anything."""
    CUT_AFTER = auto()
    """It breaks once the step is done: its answer is lost."""
    AWAY = auto()
    """The database does not answer, and has not heard."""
    AWAY_AFTER = auto()
    """It has heard, and its answer is lost."""
    LEASE_LOST = auto()
    """The lease has passed to another worker."""
    KILLED = auto()
    KILLED_AFTER = auto()
    FAULT = auto()
    """What nobody foresaw."""


AT_SERVER = {Strike.REFUSED, Strike.NO_RIGHT, Strike.CUT, Strike.CUT_AFTER, Strike.FAULT}
IN_LEDGER = {Strike.AWAY, Strike.AWAY_AFTER}
AFTERWARDS = {Strike.CUT_AFTER, Strike.AWAY_AFTER, Strike.KILLED_AFTER}


class Killed(BaseException):
    """The worker is no more: whatever is asked for from now on is not done."""


@dataclass
class Fate:
    """Strikes at the steps of one session, by their number."""

    strikes: dict[int, Strike] = field(default_factory=dict)
    is_killed: bool = False
    is_lease_lost: bool = False
    _steps: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def at_server(self, work: Callable[[], Any], cut: Callable[[], ConnectionLost]) -> Any:
        """A step at the server."""
        strike = self._next(AT_SERVER)
        match strike:
            case Strike.REFUSED:
                raise NameRefused("550 This name is not taken")
            case Strike.NO_RIGHT:
                raise PathRefused("550 Permission denied")
            case Strike.FAULT:
                raise Unforeseen
            case Strike.CUT:
                raise cut()
        result = self._done(strike, work)
        if strike is Strike.CUT_AFTER:
            raise cut()
        return result

    def in_ledger(self, work: Callable[[], Any]) -> Any:
        """A write of the ledger."""
        strike = self._next(IN_LEDGER)
        if strike is Strike.AWAY:
            raise AutoReconnect("connection closed")
        result = self._done(strike, work)
        if strike is Strike.AWAY_AFTER:
            raise AutoReconnect("connection closed")
        return result

    def check(self) -> None:
        """Raises Killed."""
        if self.is_killed:
            raise Killed

    def _next(self, possible: set[Strike]) -> Strike | None:
        with self._lock:
            self.check()
            self._steps += 1
            strike = self.strikes.get(self._steps)
            if strike is Strike.LEASE_LOST:
                self.is_lease_lost = True
            if strike is Strike.KILLED:
                self.is_killed = True
        self.check()
        return strike if strike in {*possible, Strike.KILLED_AFTER} else None

    def _done(self, strike: Strike | None, work: Callable[[], Any]) -> Any:
        result = work()
        if strike is Strike.KILLED_AFTER:
            self.is_killed = True
        self.check()
        return result


class Struck:
    """A part of the ledger, each of whose writes is a step."""

    def __init__(self, part: object, fate: Fate) -> None:
        self._part = part
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._part, name)
        if not callable(method):
            return method

        def call(*args: Any, **more: Any) -> Any:
            if name in WRITES:
                return self._fate.in_ledger(lambda: method(*args, **more))
            self._fate.check()
            return method(*args, **more)

        return call


class StruckServer(FakeServer):
    """A session at the place; all of one login share their connection."""

    def __init__(self, place: Place, fate: Fate, connection: "Connection") -> None:
        super().__init__(place)
        self._fate = fate
        self._connection = connection

    @property
    def connected(self) -> bool:
        return self._connection.stands

    @connected.setter
    def connected(self, _stands: bool) -> None: ...

    def another(self) -> Server:
        self._fate.check()
        return StruckServer(self._place, self._fate, self._connection)

    def put(self, *args: Any, **more: Any) -> Any:
        return self._step(lambda: super(StruckServer, self).put(*args, **more))

    def size(self, path: str) -> int | None:
        found: int | None = self._step(lambda: super(StruckServer, self).size(path))
        return found

    def rename(self, path: str, to: str) -> None:
        self._step(lambda: super(StruckServer, self).rename(path, to))

    def remove(self, path: str) -> None:
        self._step(lambda: super(StruckServer, self).remove(path))

    def make_directory(self, path: str) -> None:
        self._step(lambda: super(StruckServer, self).make_directory(path))

    def _step(self, work: Callable[[], Any]) -> Any:
        self._fate.check()
        if not self.connected:
            raise self._connection.cut()
        return self._fate.at_server(work, self._connection.cut)


@dataclass(eq=False)
class Connection:
    """Of one login."""

    stands: bool = True

    def cut(self) -> ConnectionLost:
        """Break it: the error of whoever uses it."""
        self.stands = False
        failure = ConnectionLost("Connection reset by peer")
        failure.common = self
        return failure


class Queue:
    """The account's queue, with the one consumer that it has at a time."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.messages: list[tuple[str, int]] = []

    def route(self, routing: Routing) -> None:
        self.route_all([routing])

    def route_all(self, routings: Sequence[Routing]) -> dict[str, Exception]:
        """Bring these turns into the queue."""
        self._world.fate.check()
        ledger = self._world.ledger
        self.messages += [(each.recording_id, each.generation) for each in routings]
        ledger.accounts.arrived(*(each.account_id for each in routings))
        ledger.arrivals.routed(routings)
        return {}


class FakeConsumer:
    """Stands in for `consumers.delivery.messages.Consumer`: the queue is in memory."""

    def __init__(
        self, world: Any, _account_id: str, prefetch: int, _stirred: threading.Event
    ) -> None:
        self.prefetch = prefetch
        self._world: World = world
        self._unsettled: dict[int, tuple[str, int]] = {}
        self._left = [*self._world.queue.messages]
        self._tag = 0
        self.alive = True

    @property
    def is_idle(self) -> bool:
        return not self._left

    def arrived(self) -> list[Delivery]:
        found = []
        while self._left and len(self._unsettled) < self.prefetch:
            self._tag += 1
            self._unsettled[self._tag] = message = self._left.pop(0)
            found.append(Delivery(self._tag, message[0], message[1], b"", time.monotonic()))
        return found

    def ack(self, acks: Sequence[Ack]) -> None:
        """State first: the row of each is final by now, or of a later turn."""
        if self._world.fate.is_killed:
            return
        for ack in acks:
            assert ack.tag in self._unsettled, "acknowledged twice"
            tags = [tag for tag in self._unsettled if tag == ack.tag or ack.multiple]
            for tag in [tag for tag in tags if tag <= ack.tag]:
                message = self._unsettled.pop(tag)
                self._world.may_be_forgotten(*message)
                self._world.queue.messages.remove(message)

    def is_drained(self) -> bool:
        self._world.fate.check()
        return not self._left

    def close(self) -> None: ...


class Buried(DeadLetters):
    """Dead letters, of which the ledger alone knows: there is no broker."""

    def __init__(self, world: "World") -> None:
        broker: Any = None
        router: Any = world.queue
        super().__init__(broker, broker, broker, router, world.ledger, world.seen.append)
        self._world = world

    def try_to_bury(self, routing: Routing, tries: int, reason: str) -> bool:
        self._world.fate.check()
        return True

    def sweep(self, account_id: str) -> int:
        return 0


class World:
    """An account with its queue and its server, and the worker that has it at a time."""

    def __init__(self, database: Database[Document], folder: Path) -> None:
        self.ledger = Ledger(database)
        self.database = database
        self.account_id = uuid.uuid4().hex
        self.place = Place()
        self.place.files[OWN] = b"the customer's own"
        self.fate = Fate()
        self.queue = Queue(self)
        self.seen: list[Observation] = []
        self.contents: dict[str, bytes] = {}
        self.epoch = 0
        self._folder = folder
        vault = Vault([SecretStr(Fernet.generate_key().decode())])
        self._directory = Directory(database, vault)
        self._directory.create(self.account_id, ftp_access=True)
        settings = {"protocol": Protocol.SFTP, "host": "h", "username": "u", "path": "in"}
        self._directory.save_settings(
            self.account_id, FtpSettings.model_validate(settings), SecretStr("secret")
        )

    # --- what happens -------------------------------------------------------------------------

    def publish(self, name: str) -> str:
        """A recording of that name, taken in and routed; its id."""
        recording_id = uuid.uuid4().hex
        path = self._folder / f"{recording_id}.wav"
        self.contents[recording_id] = recording_id.encode() * 9
        path.write_bytes(self.contents[recording_id])
        event = {
            "recording_id": recording_id,
            "account_id": self.account_id,
            "file_url": path.as_uri(),
            "file_name": name,
        }
        body = json.dumps(event).encode()
        [opened] = self.ledger.arrivals.open([Arrival(decode(body, None), body, skipped=False)])
        assert opened.routing is not None
        self.queue.route_all([opened.routing])
        return recording_id

    def work(self, strikes: dict[int, Strike] | None = None) -> None:
        """One session of the account, by whoever has it now; the next one is another worker's
        where this one dies or loses it."""
        self.fate = Fate(strikes or {})
        self.epoch += 1
        nobody_waits, goes_on = threading.Event(), threading.Event()
        session = AccountWorker(
            self.account_id, self._means(), nobody_waits, lambda: False, goes_on
        )
        try:
            session.run(self.epoch)
        except Killed:
            assert self.fate.is_killed
        finally:
            self.fate = Fate()  # what comes now is done by others than the dead worker
        faults = [each.fault for each in self.seen if isinstance(each, ProgramFailed)]
        others = [each for each in faults if not isinstance(each, Killed | Unforeseen)]
        assert not others, f"of the program or of this world: {others}"

    def connect(self, *_: object, **__: object) -> Server:
        """A login, as `transports.backends.connect` opens it."""
        self.fate.check()
        connection = Connection()
        server = StruckServer(self.place, self.fate, connection)
        self.fate.at_server(lambda: None, connection.cut)
        return server

    def _means(self) -> Deps:
        fate = self.fate
        parts = {name: Struck(part, fate) for name, part in vars(self.ledger).items()}
        ledger: Any = SimpleNamespace(**parts)
        world: Any = self
        logins: Any = OpenGate()
        return Deps(
            worker=f"worker-{self.epoch}",
            directory=self._directory,
            ledger=ledger,
            broker=world,
            publisher=world,
            router=world.queue,
            dead_letters=Buried(self),
            ownership=_Ownership(self, fate, self.epoch),
            slots=_taken(Slots(9)),
            logins=logins,
            rules=Rules(40, 4, 0, retry_delays=(0.0,), replay_after_outage=True),
            limits=Limits(),
            egress=Egress(),
            source_dirs=(),
            max_source_bytes=10_000,
            stores=Stores(),
            observe=self.seen.append,
        )

    # --- what has to hold ---------------------------------------------------------------------

    def rows(self) -> dict[str, Document]:
        found = self.database["deliveries"].find({"account_id": self.account_id})
        return {row["_id"]: row for row in found}

    def may_be_forgotten(self, recording_id: str, turn: int) -> None:
        row = self.ledger.queries.row(recording_id)
        assert row is not None
        assert row["turn"] > turn or row["status"] in {"delivered", "dead_lettered"}

    def failures_of(self, recording_id: str) -> int:
        """Tries of the recording that somebody was told have failed."""
        ended = [each for each in self.seen if isinstance(each, TryEnded)]
        return sum(each.recording_id == recording_id and each.kind is not None for each in ended)

    def crash_loops(self) -> set[str]:
        return {name for name, row in self.rows().items() if row.get("reason") == CRASH_LOOP}


@dataclass(frozen=True)
class _Ownership:
    world: World
    fate: Fate
    mine: int

    def owned(self) -> Sequence[int]:
        return range(1)

    def epoch(self, _account_id: str) -> int | None:
        return None if self.fate.is_lease_lost else self.mine

    def until(self, _account_id: str, epoch: int) -> datetime | None:
        is_owned = self.epoch(_account_id) == epoch
        return FOREVER - timedelta(days=1) if is_owned else None

    def permit(self, _account_id: str, _epoch: int) -> None:
        self.fate.check()
        if self.fate.is_lease_lost:
            raise NotPermitted("The lease is over")


def _taken(slots: Slots) -> Slots:
    """With the one that the session has."""
    slots.take()
    return slots
