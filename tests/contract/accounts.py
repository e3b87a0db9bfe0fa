"""An account at a customer's server, and a ledger that is a list."""

import posixpath
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from deploy.local.customers import CustomerServer
from transports.backends import connect
from transports.base import Egress, Limits, Server
from transports.job import Intent, Job, Journal, Transfer, Uploaded, intend_each
from transports.names import identified, join
from transports.sources.source import Source, open_source
from transports.upload import upload as upload_all

RECORDING_ID = "7"
LIMITS = Limits(resolve=5, connect=5, login=10, reply=5, stall=1.5)
LONGEST = LIMITS.finish(0) + LIMITS.connect + LIMITS.login + 30
"""Seconds, on a loaded machine, until an upload has failed whose end was never answered: the
server is looked at once more over a new connection."""


def settings_of(customer: CustomerServer, **changes: Any) -> FtpSettings:
    """The settings that the customer would give."""
    protocol = Protocol.FTP if customer.host_key is None else Protocol.SFTP
    values: dict[str, Any] = {
        "protocol": protocol if customer.tls is None else Protocol(customer.tls),
        "host": customer.host,
        "port": customer.port,
        "username": customer.username,
        "ca_certificates": customer.authority,
    }
    return FtpSettings(**(values | changes))


def open_session(customer: CustomerServer, limits: Limits = LIMITS, **changes: Any) -> Server:
    """A session at the customer's server, or at a port in front of it."""
    password = SecretStr(changes.pop("password", customer.password))
    keys = {name: changes.pop(name, None) for name in ("key", "client_key")}
    egress = changes.pop("egress", Egress())
    again = changes.pop("again", nullcontext)
    settings = settings_of(customer, **changes)
    return connect(settings, password, limits, egress, again=again, **keys)


@contextmanager
def opened(recording: Path) -> Iterator[Source]:
    """The recording as a source."""
    url = recording.as_uri()
    with open_source(url, dirs=(), max_bytes=0, egress=Egress(), limits=LIMITS) as source:
        yield source


def job(attempt: int = 1, **changes: Any) -> Job:
    """The delivery of one recording to the login folder."""
    values: dict[str, Any] = {
        "folder": ".",
        "part": f"courier-test-{attempt:08x}.part",
        "leftovers": (),
        "intent": None,
        "expected_size": None,
        "expected_sha256": None,
        "rename": True,
    }
    return Job(**(values | changes))


def upload(server: Server, source: Source, what: Job, journal: Journal) -> Uploaded:
    """A flight of one: what became of it is returned, or raised."""
    transfer = Transfer(lambda: nullcontext(source), what, journal)
    upload_all(server, [transfer], intend_each)
    return transfer.result()


@dataclass
class Ledger:
    """A journal that keeps what it is told."""

    names: tuple[str, ...] = ("call.wav", "call (2).wav", "call (3).wav")
    taken: frozenset[str] = frozenset()
    """Paths that another recording has reserved."""
    refusal: Exception | None = None
    """Raised where permission is asked for."""
    is_lost: bool = False
    """Another start has taken the recording over."""
    intents: list[Intent] = field(default_factory=list)
    intent: Intent | None = None
    """What stands in the row at the end."""

    def candidates(self) -> Iterator[str]:
        """The names, the wanted one first."""
        yield from self.names

    def own(self) -> str:
        """The path that nobody else's file has."""
        folder, name = posixpath.split(self.names[0])
        return join(folder, identified(name, RECORDING_ID))

    def intend(self, intent: Intent) -> bool:
        """Keep the intent, unless its path is taken."""
        self.intents.append(intent)
        if intent.final in self.taken:
            return False
        self.intent = intent
        return True

    def withdraw(self) -> bool:
        """Forget the intent, unless it is another's by now."""
        if not self.is_lost:
            self.intent = None
        return not self.is_lost

    def permit(self) -> None:
        """Permit the rename."""
        if self.refusal is not None:
            raise self.refusal


def files_in(folder: Path) -> dict[str, int]:
    """Every file below the folder, and its size."""
    return {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
