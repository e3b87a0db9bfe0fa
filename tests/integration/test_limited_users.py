"""The least that RabbitMQ and MongoDB must let Courier do, and a recording's whole way with it.

docs/brokers.md names the same rights; the last test compares them.
"""

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pymongo import MongoClient, monitoring

from config.accounts import Protocol
from consumers.intake.invalid_queue import InvalidFilter, look_at_invalid
from consumers.observe import Observation
from deploy.local.customers import PyFtpServer, SmtpSink
from deploy.local.mongodb import OPTIONS, installed, private_member
from deploy.local.services import Services
from tests.integration.platform import Platform, platform, running, settings_for, until
from tests.servers.broker_users import LimitedUser
from tests.snippets import CHECKOUT
from worker.checks import run_checks
from worker.core import open_messaging

_ACCOUNTS = r"(deliveries|dead-letters)\.[A-Za-z0-9].*"
_BASE = r"recordings|deliveries|recordings\.(ready|invalid)(\.check-.*)?"
LEAST = {
    "configure": f"^({_BASE}|{_ACCOUNTS})$",
    "write": rf"^(recordings|deliveries|recordings\.ready|amq\.default|{_ACCOUNTS})$",
    "read": f"^({_BASE}|{_ACCOUNTS})$",
}
ROLE = "readWrite"
_WRITES = {"insert", "update", "delete", "findAndModify"}
_READS = {"find", "aggregate", "count", "distinct"}


class Commands(monitoring.CommandListener):
    """What MongoDB is told by every client that is made after it."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, Any]] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        command = event.command
        if event.database_name == "courier":
            concern = command.get(
                "writeConcern" if event.command_name in _WRITES else "readConcern"
            )
            self.seen.append((event.command_name, concern))

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Told when it was sent."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Told when it was sent."""


@pytest.fixture
def mongodb_as_limited_user(tmp_path: Path) -> Iterator[str]:
    """A replica set with users, whose own defaults are weaker than Courier's promises."""
    key = tmp_path / "key"
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    program = installed()
    assert program is not None
    options = (*OPTIONS, "--auth", "--keyFile", str(key))
    with private_member(tmp_path / "mongod", program, options) as member:
        member.wait_ready()
        admin, limited = secrets.token_hex(8), secrets.token_hex(8)
        with MongoClient[dict[str, Any]](member.url) as client:  # the first one on this machine
            client.admin.command("createUser", "admin", pwd=admin, roles=["root"])
        with MongoClient[dict[str, Any]](
            member.url, username="admin", password=admin, authSource="admin"
        ) as client:
            roles = [{"role": ROLE, "db": "courier"}]
            client["courier"].command("createUser", "courier", pwd=limited, roles=roles)
            client.admin.command(
                "setDefaultRWConcern",
                defaultReadConcern={"level": "local"},
                defaultWriteConcern={"w": 1},
            )
        parts = urlsplit(member.url)
        yield parts._replace(netloc=f"courier:{limited}@{parts.netloc}").geturl()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> Commands:
    told = Commands()
    listeners = monitoring._LISTENERS
    more = listeners._replace(command_listeners=[*listeners.command_listeners, told])
    monkeypatch.setattr(monitoring, "_LISTENERS", more)
    return told


@pytest.fixture
def courier(
    services: Services,
    amqp_url: str,
    mongodb_as_limited_user: str,
    commands: Commands,  # noqa: ARG001 - it must hear of the clients from their beginning
    smtp_sink: SmtpSink,
    tmp_path: Path,
) -> Iterator[Platform]:
    limited = LimitedUser.at(services.rabbitmq, amqp_url)
    limited.may(**LEAST)
    settings = settings_for(
        limited.url, mongodb_as_limited_user, smtp_sink.url, retry_delays=(0,), max_tries=2
    )
    with platform(settings, tmp_path / "recordings") as made:
        yield made


def test_the_least_rights_are_enough_for_a_recordings_whole_way(
    courier: Platform, commands: Commands, pyftpd_server: PyFtpServer
) -> None:
    core = courier.core
    courier.account("acme", pyftpd_server.customer, Protocol.FTP)
    with running(courier):
        (delivered,) = courier.publish_many("acme", ["a.wav"])
        courier.wait_status(delivered, "delivered")
        missing = courier.folder / "late.wav"
        late = courier.publish("acme", missing)
        courier.wait_status(late, "dead_lettered")
        courier.wait_length("dead-letters.acme", 1)
        courier.publish_raw(b"nonsense")
        courier.wait_length("recordings.invalid", 1)
        assert look_at_invalid(core.settings.rabbitmq, InvalidFilter(), 0, 1).matching == 1
        missing.write_bytes(b"there now")
        with open_messaging(core, unheard) as messaging:
            assert messaging.dead_letters.replay(late)
            courier.wait_status(late, "delivered")
            until(lambda: messaging.dead_letters.sweep("acme") == 1, "the dead letter to go")
        found = {each.name: each for each in run_checks(core)}
        assert all(found[name].ok for name in ("RabbitMQ", "MongoDB", "keys", "workers")), found
        assert "policies" not in found
    told = {name for name, _ in commands.seen}
    assert told >= {"insert", "update", "find"}
    for name, concern in commands.seen:
        if name in _WRITES:
            assert concern == {"w": "majority", "j": True}, name
        elif name in _READS:
            assert concern == {"level": "majority"}, name


def unheard(_observation: Observation) -> None:
    """What happens on the way is in the rows."""


def test_the_documentation_names_exactly_these_rights() -> None:
    text = (CHECKOUT / "docs" / "brokers.md").read_text()
    for kind, pattern in LEAST.items():
        assert f"{kind:<9} {pattern}" in text
    assert f"`{ROLE}`" in text
