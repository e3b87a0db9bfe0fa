"""The platform as a test sees it: a running service, its database, and ways to publish and wait."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import pika
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config import accounts
from config.accounts import FtpSettings
from config.settings import Settings
from consumers.amqp.nodes import parameters
from consumers.ledger import Document, RunState, Selection
from deploy.local.customers import CustomerServer
from worker.core import Core, open_core
from worker.service import Service


def settings_for(amqp_url: str, mongodb_url: str, smtp_url: str, **changes: Any) -> Settings:
    """The process's settings for a test: the defaults, but for addresses and what is named."""
    return Settings(
        amqp_url=SecretStr(amqp_url),
        mongodb_url=SecretStr(mongodb_url),
        smtp_url=SecretStr(smtp_url),
        secret_keys=(SecretStr(Fernet.generate_key().decode()),),
        metrics_bind="127.0.0.1:0",
        **changes,
    )


WAIT_SECONDS = 120.0
"""How long anything at all may take on a machine that is busy with something else."""


def until(
    holds: Callable[[], Any], what: str | Callable[[], str], limit: float = WAIT_SECONDS
) -> Any:
    """Wait for something to hold; fail with what was waited for, as it then stands."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.05)
    waited_for = what if isinstance(what, str) else what()
    raise AssertionError(f"waited {limit:.0f} s in vain for {waited_for}")


def in_short(row: Document) -> str:
    """A row in a line: what one wants to know first of a file that did not arrive."""
    if not row:
        return "in no row"
    known = ("routed_at", "last_error")
    more = [f"{name} {row[name]}" for name in known if row.get(name)]
    counted = f"{row.get('tries')} tries, {row.get('starts')} starts"
    return ", ".join([f"{row['_id']}: {row['status']}, {counted}", *more])


def all_in_short(rows: Iterable[Document], shown: int = 20) -> str:
    """The first rows, a line each, and how many there are."""
    lines = [in_short(row) for row in rows]
    return "\n".join([f"{len(lines)} rows", *lines[:shown]])


@dataclass
class Platform:
    """Drives one courier through its own interfaces, and the broker as the pipeline does."""

    core: Core
    folder: Path
    _published: dict[str, bytes | None] = field(default_factory=dict)
    """By recording id, what the customer is to have; None where there is no such file."""

    def account(
        self,
        account_id: str,
        server: CustomerServer,
        protocol: accounts.Protocol,
        *,
        path: str = ".",
        email_alerts: tuple[str, ...] = (),
        password: str | None = None,
        **changes: Any,
    ) -> None:
        """An account with permission and settings, as saved without the test on save."""
        self.core.directory.create(account_id, ftp_access=True)
        self.save(
            account_id,
            server,
            protocol,
            path=path,
            email_alerts=email_alerts,
            password=password,
            **changes,
        )

    def save(
        self,
        account_id: str,
        server: CustomerServer,
        protocol: accounts.Protocol,
        *,
        password: str | None = None,
        **changes: Any,
    ) -> None:
        """Store settings and have the account looked at, as `courier accounts set` does."""
        values = {
            "protocol": protocol,
            "host": server.host,
            "port": server.port,
            "username": server.username,
            "host_key": server.host_key,
            **changes,
        }
        settings = FtpSettings.model_validate(values)
        secret = SecretStr(password or server.password)
        self.core.directory.save_settings(account_id, settings, secret)
        self.core.ledger.accounts.settings_saved(account_id)

    def recording(self, name: str, content: bytes | None = None) -> Path:
        """A recording on disk; its content tells its name."""
        path = self.folder / name
        path.write_bytes(content if content is not None else name.encode() * 1000)
        return path

    def publish(self, account_id: str, source: Path | str, **fields: Any) -> str:
        """A recording-ready event, as the pipeline publishes it; returns its recording id."""
        recording_id: str = fields.pop("recording_id", None) or str(uuid.uuid4())
        headers = fields.pop("headers", None)
        event = {
            "recording_id": recording_id,
            "account_id": account_id,
            "file_url": source.as_uri() if isinstance(source, Path) else source,
            **fields,
        }
        self.publish_raw(json.dumps(event).encode(), headers=headers)
        there = isinstance(source, Path) and source.is_file()
        self._published[recording_id] = Path(source).read_bytes() if there else None
        return recording_id

    def publish_many(self, account_id: str, names: Collection[str]) -> list[str]:
        """Recordings of these names, published in this order; their ids."""
        return [self.publish(account_id, self.recording(name)) for name in names]

    def publish_raw(
        self,
        body: bytes,
        content_type: str = "application/json",
        headers: dict[str, Any] | None = None,
    ) -> None:
        """Any message at all to the pipeline's exchange, confirmed."""
        with self._channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish(
                "recordings",
                "recording.ready",
                body,
                pika.BasicProperties(content_type=content_type, delivery_mode=2, headers=headers),
                mandatory=True,
            )

    def queue_length(self, queue: str) -> int:
        """Ready messages of a queue; 0 for one that does not exist."""
        try:
            with self._channel() as channel:
                count: int = channel.queue_declare(queue, passive=True).method.message_count
                return count
        except pika.exceptions.ChannelClosedByBroker:
            return 0

    def consumers(self, queue: str) -> int:
        """How many consume from a queue that exists; 0 for one that does not."""
        try:
            with self._channel() as channel:
                count: int = channel.queue_declare(queue, passive=True).method.consumer_count
                return count
        except pika.exceptions.ChannelClosedByBroker:
            return 0

    def queued_ids(self, account_id: str) -> list[str]:
        """What lies ready in the account's queue, in order. Only while no session consumes it."""
        queue = f"deliveries.{account_id}"
        ready = self.queue_length(queue)
        with self._channel() as channel:
            taken = channel.consume(queue, inactivity_timeout=WAIT_SECONDS)
            return [properties.message_id for _, properties, _ in islice(taken, ready)]

    def messages(self, queue: str) -> list[tuple[dict[str, Any], bytes]]:
        """Headers and bodies of what lies in a queue, which is left as it is."""
        found: list[tuple[dict[str, Any], bytes]] = []
        with self._channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue)
                if method is None:
                    return found
                found.append((properties.headers or {}, body))

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        connection = pika.BlockingConnection(parameters(self.core.settings.rabbitmq))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def row(self, recording_id: str) -> Document:
        """The recording's row; an empty one before its event was taken."""
        return self.core.ledger.queries.row(recording_id) or {}

    def rows(self, account_id: str) -> list[Document]:
        """The account's rows, oldest first."""
        return list(self.core.ledger.queries.select(Selection(account_id=account_id)))[::-1]

    def run_state(self, account_id: str) -> RunState:
        """The account's running state."""
        return self.core.ledger.accounts.read(account_id)

    def wait_status(self, recording_id: str, status: str, limit: float = WAIT_SECONDS) -> Document:
        """The row, once it has this status."""
        until(
            lambda: self.row(recording_id).get("status") == status,
            lambda: f"{recording_id} to be {status}; it is {in_short(self.row(recording_id))}",
            limit,
        )
        return self.row(recording_id)

    def wait_state(self, account_id: str, state: str, limit: float = WAIT_SECONDS) -> RunState:
        """The account's running state, once it is this one."""
        until(
            lambda: self.run_state(account_id).state == state,
            lambda: f"{account_id} to be {state}; it is {self.run_state(account_id)}",
            limit,
        )
        return self.run_state(account_id)

    def account_for(
        self,
        account_id: str,
        root: Path,
        *,
        queued: Collection[str] = (),
        dead: Collection[str] = (),
        own: Collection[str] = (),
    ) -> None:
        """Count everything: what was published stands at the customer whole, exactly once.

        But for what is still `queued` or `dead`-lettered, by id; `own` names the customer's own
        files. Nothing else lies in the folder, and the broker's queues hold what they should.
        """
        published = [
            name
            for name in self._published
            if self.row(name).get("account_id", account_id) == account_id
        ]
        self.wait_routed(published)
        rows = {row["_id"]: row for row in self.rows(account_id)}
        assert set(rows) == set(published)
        expected = dict.fromkeys(rows, "delivered")
        expected |= dict.fromkeys(queued, "queued") | dict.fromkeys(dead, "dead_lettered")
        assert {name: row["status"] for name, row in rows.items()} == expected
        places = {
            name: row["remote_path"] for name, row in rows.items() if row["status"] == "delivered"
        }
        assert len(set(places.values())) == len(places)
        there = {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
        for name in own:
            there.pop(name)
        assert there == {
            place.lstrip("/").removeprefix("./"): self._published[name]
            for name, place in places.items()
        }
        self.wait_length(f"deliveries.{account_id}", len(queued))
        self.wait_length(f"dead-letters.{account_id}", len(dead))

    def wait_routed(self, ids: Collection[str]) -> None:
        """Wait until all these events are taken and their messages in the account's queue."""
        until(lambda: all(self.row(name).get("routed_at") for name in ids), "all to be routed")

    def wait_rest(self, account_id: str) -> None:
        """Wait until no session of the account is open or due: it would free what a test claims."""
        accounts = self.core.database["accounts"]
        due = {"_id": account_id, "run.next_due": {"$ne": None}}
        until(lambda: accounts.find_one(due) is None, f"the session of {account_id} to end")

    def wait_length(self, queue: str, ready: int) -> None:
        """Wait until so many messages are ready in the queue: none of them is unacknowledged."""
        until(
            lambda: self.queue_length(queue) == ready,
            lambda: f"{ready} ready in {queue}; there are {self.queue_length(queue)}",
        )


class MakeCourier(Protocol):
    """Makes the platform of a test; what is named differs from the default settings."""

    def __call__(self, **changes: Any) -> Platform: ...


@contextmanager
def platform(settings: Settings, folder: Path) -> Iterator[Platform]:
    """The database and the broker of one test, without a service."""
    folder.mkdir(exist_ok=True)
    with open_core(settings) as core:
        yield Platform(core, folder)


@contextmanager
def running(platform: Platform) -> Iterator[Service]:
    """The service, from ready to stopped."""
    service = Service(platform.core)
    service.start()
    try:
        until(service.is_ready, "the service to be ready")
        yield service
    finally:
        service.stop(hurry=threading.Event())
