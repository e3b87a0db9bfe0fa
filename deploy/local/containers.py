"""Servers in containers, where a Docker engine answers and has their image."""

import os
from dataclasses import dataclass, field
from functools import cache

from docker.errors import DockerException  # type: ignore[import-untyped]
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient

from deploy.local.processes import ServiceError

VARIABLE = "COURIER_TEST_CONTAINERS"
"""Set to 1, RabbitMQ and MongoDB are containers also where they are installed."""
_CHOICES = {"": False, "0": False, "1": True}


@dataclass
class Container:
    """A container with one port published on loopback.

    `stop` and `kill` keep its data; `remove` ends it for good.
    """

    name: str
    image: str
    port: int
    port_inside: int
    command: list[str] = field(default_factory=list)
    _container: DockerContainer | None = field(default=None, init=False)

    def start(self) -> None:
        """Create it, or start it again. Raises `ServiceError` when the engine refuses."""
        try:
            if self._container is None:
                self._container = self._create()
            else:
                self._container.get_wrapped_container().start()
        except DockerException as error:
            raise ServiceError(f"{self.name} could not be started in Docker: {error}") from error

    def stop(self) -> None:
        """Stop it, data kept."""
        if self._container is not None:
            self._container.get_wrapped_container().stop()

    def kill(self) -> None:
        """Kill it, data kept."""
        if self._container is not None:
            self._container.get_wrapped_container().kill()

    def check(self) -> None:
        """Raise `ServiceError` when it has ended."""
        if self._container is not None:
            container = self._container.get_wrapped_container()
            container.reload()
            if container.status == "exited":
                last_words = container.logs(tail=1).decode(errors="replace").strip()
                raise ServiceError(f"{self.name} ended while it started: {last_words}")

    def remove(self) -> None:
        """Remove it with its data."""
        if self._container is not None:
            self._container.stop()
            self._container = None

    def execute(self, argv: list[str]) -> str:
        """Run a command inside. Raises `ServiceError` with its words when it fails."""
        if self._container is None:
            raise ServiceError(f"{self.name} does not run.")
        result = self._container.exec(argv)
        output = str(result.output, errors="replace")
        if result.exit_code != 0:
            raise ServiceError(f"{self.name} refused {argv[0]}: {output.strip()}")
        return output

    def _create(self) -> DockerContainer:
        container = DockerContainer(self.image)
        # with_bind_ports takes a number only, which would publish the port to the network.
        container.ports[f"{self.port_inside}/tcp"] = ("127.0.0.1", self.port)
        if self.command:
            container.with_command(self.command)
        return container.start()


def wanted(image: str) -> bool:
    """Whether the environment asks for a container of this image, whatever is installed.

    Raises `ServiceError` where it asks for one that cannot be had, or in other words than 0 or 1.
    """
    given = os.environ.get(VARIABLE, "")
    if given not in _CHOICES:
        raise ServiceError(f"{VARIABLE} is 1 or 0, not {given!r}.")
    if not _CHOICES[given]:
        return False
    if engine() is None:
        raise ServiceError(
            f"{VARIABLE} asks for containers, and no Docker engine answers: "
            f"start one, name it in DOCKER_HOST, or unset {VARIABLE}."
        )
    if not (has_image(image) or pull(image)):
        raise ServiceError(
            f"{VARIABLE} asks for containers, and the image {image} can be pulled from nowhere: "
            f"build or load it, or unset {VARIABLE}."
        )
    return True


@cache
def engine() -> DockerClient | None:
    """The Docker engine, or None when none answers."""
    try:
        client = DockerClient()
        client.client.ping()
    except DockerException:
        return None
    return client


def has_image(image: str) -> bool:
    """Whether an engine answers and holds the image."""
    docker = engine()
    if docker is None:
        return False
    try:
        docker.client.images.get(image)
    except DockerException:
        return False
    return True


def pull(image: str) -> bool:
    """Fetch the image; whether that worked."""
    docker = engine()
    if docker is None:
        return False
    try:
        docker.client.images.pull(image)
    except DockerException:
        return False
    return True
