"""What a benchmark needs around it: broker and database, and an empty platform for each run."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from consumers.amqp import topology
from deploy.local.processes import free_port
from deploy.local.services import Services
from tests.bench.accounts import Accounts
from tests.bench.program import Program
from tests.integration.platform import platform, settings_for

NOWHERE = "smtp://127.0.0.1:9"
"""No benchmark sends a mail."""


@dataclass(frozen=True)
class Place:
    """A virtual host and a database, both of this name."""

    name: str
    amqp_url: str
    mongodb_url: str


@dataclass(frozen=True)
class Stage:
    """The services of this run, and a folder for whatever is needed."""

    services: Services
    folder: Path

    def new_folder(self, name: str) -> Path:
        """An empty folder."""
        path = self.folder / f"{name}-{secrets.token_hex(4)}"
        path.mkdir(parents=True)
        return path

    @contextmanager
    def place(self) -> Iterator[Place]:
        """An empty virtual host and an empty database, dropped at the end."""
        name = f"bench-{secrets.token_hex(6)}"
        self.services.rabbitmq.replace_vhosts([], [name])
        amqp_url = self.services.rabbitmq.vhost_url(name)
        mongodb_url = urlsplit(self.services.mongodb_url)._replace(path=f"/{name}").geturl()
        try:
            yield Place(name, amqp_url, mongodb_url)
        finally:
            self.services.rabbitmq.replace_vhosts([name], [])
            with MongoClient[dict[str, Any]](self.services.mongodb_url) as client:
                client.drop_database(name)

    @contextmanager
    def courier(self) -> Iterator[tuple[Accounts, Program]]:
        """An empty platform with a virtual host and a database of its own, and its program.

        The program is not started yet; at the end it is stopped, and what it held is dropped.
        """
        folder = self.new_folder("courier")
        with self.place() as place:
            settings = settings_for(place.amqp_url, place.mongodb_url, NOWHERE)
            settings = settings.model_copy(update={"metrics_bind": f"127.0.0.1:{free_port()}"})
            with platform(settings, folder / "recordings") as made:
                topology.declare_once(
                    settings.rabbitmq, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
                )
                program = Program(made, self.services, place.name, folder)
                try:
                    yield Accounts(made.core), program
                finally:
                    program.stop()
