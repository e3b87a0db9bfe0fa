"""The platform as a test sees it: a running service, its database, and ways to publish and wait."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pika
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.settings import Settings
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


def until(holds: Callable[[], Any], what: str, limit: float = 20) -> Any:
    """Wait for something to hold; fail with what was waited for."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        value = holds()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {limit:.0f} s in vain for {what}")


@dataclass
class Platform:
    """Drives one courier through its own interfaces, and the broker as the pipeline does."""

    core: Core
    folder: Path
    _connections: list[Any] = field(default_factory=list)

    def account(
        self,
        account_id: str,
        server: CustomerServer,
        protocol: Protocol,
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
        protocol: Protocol,
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
        event = {
            "recording_id": recording_id,
            "account_id": account_id,
            "file_url": source.as_uri() if isinstance(source, Path) else source,
            **fields,
        }
        self.publish_raw(json.dumps(event).encode())
        return recording_id

    def publish_raw(self, body: bytes, content_type: str = "application/json") -> None:
        """Any message at all to the pipeline's exchange, confirmed."""
        with self._channel() as channel:
            channel.confirm_delivery()
            channel.basic_publish(
                "recordings",
                "recording.ready",
                body,
                pika.BasicProperties(content_type=content_type, delivery_mode=2),
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

    def messages(self, queue: str) -> list[tuple[dict[str, Any], bytes]]:
        """Headers and bodies of what lies in a queue, which is left as it is."""
        found = []
        with self._channel() as channel:
            while True:
                method, properties, body = channel.basic_get(queue)
                if method is None:
                    return found
                found.append((properties.headers or {}, body))

    @contextmanager
    def _channel(self) -> Iterator[Any]:
        url = self.core.settings.amqp_url.get_secret_value()
        connection = pika.BlockingConnection(pika.URLParameters(url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def row(self, recording_id: str) -> Document:
        """The recording's row; an empty one before its event was taken."""
        return self.core.ledger.files.row(recording_id) or {}

    def rows(self, account_id: str) -> list[Document]:
        """The account's rows, oldest first."""
        return list(self.core.ledger.files.select(Selection(account_id=account_id)))[::-1]

    def run_state(self, account_id: str) -> RunState:
        """The account's running state."""
        return self.core.ledger.accounts.read(account_id)

    def wait_status(self, recording_id: str, status: str, limit: float = 20) -> Document:
        """The row, once it has this status."""
        until(
            lambda: self.row(recording_id).get("status") == status,
            f"{recording_id} to be {status}; it is {self.row(recording_id).get('status')}",
            limit,
        )
        return self.row(recording_id)

    def wait_state(self, account_id: str, state: str, limit: float = 20) -> RunState:
        """The account's running state, once it is this one."""
        until(
            lambda: self.run_state(account_id).state == state,
            f"{account_id} to be {state}",
            limit,
        )
        return self.run_state(account_id)


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
        service.stop()
