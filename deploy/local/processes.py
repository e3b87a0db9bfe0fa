"""Child processes that never outlive this one, and waits that have a limit."""

import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

STOP_SECONDS = 20.0
ELSEWHERE_SECONDS = 5.0
"""How long a server that somebody else runs may take to answer."""
_OF_TESTS = "COURIER_TEST_"
_PORTS_OF_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class ServiceError(Exception):
    """A service is missing or does not work; the message says what happened and what to do."""


class Process(Protocol):
    """What a server runs in: a child process, a container, or somewhere else."""

    def start(self) -> None:
        """Start it; does not wait until it is ready."""

    def stop(self) -> None:
        """Stop it as an operator would; nothing of it runs on return."""

    def kill(self) -> None:
        """End it at once, as a power cut would; nothing of it runs on return."""

    def check(self) -> None:
        """Raise `ServiceError` where it has ended by itself."""


@dataclass
class Child:
    """A child process in a process group of its own.

    The kernel ends it when this process dies, however that happens. A terminal's
    Ctrl-C does not reach it, so that it is stopped in order by `stop`.
    """

    name: str
    argv: Sequence[str]
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)
    wrapper: Sequence[str] = ()
    """A command that runs `argv` in the same process, for example in a namespace."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it unless it runs. Raises `ServiceError` when its program cannot be run."""
        if self._process is None or self._process.poll() is not None:
            self._process = _spawner().submit(self._spawn).result()

    def stop(self) -> None:
        """Ask it to end, and end it by force after `STOP_SECONDS`."""
        self._signal(signal.SIGTERM)
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_SECONDS)
        self.kill()

    def kill(self) -> None:
        """End it and whatever it started."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)
            self._process = None

    def check(self) -> None:
        """Raise `ServiceError` with its last words when it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise ServiceError(f"{self.name} ended while it started: {self._last_words()}")

    @property
    def pid(self) -> int | None:
        """The process's number, or None while it is stopped."""
        return self._process.pid if self._process else None

    def _spawn(self) -> subprocess.Popen[bytes]:
        argv = ["setpriv", "--pdeathsig", "KILL", "--", *self.wrapper, *self.argv]
        with self.log.open("ab") as log:
            try:
                return subprocess.Popen(
                    argv,
                    env={**inherited(), **self.env},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except OSError as error:
                raise ServiceError(f"{self.name} could not be started: {error}") from error

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _last_words(self) -> str:
        lines = [line.strip() for line in self.log.read_text(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "it said nothing")


@dataclass(frozen=True)
class Elsewhere:
    """A server that somebody else runs: this program may use it, not stop it."""

    name: str
    variable: str

    def start(self) -> None:
        """Nothing to do: it runs."""

    def stop(self) -> None:
        """Raises `ServiceError`: it is not ours."""
        raise ServiceError(
            f"{self.name} was given by {self.variable} and is not ours to stop: "
            f"unset {self.variable} to have one of our own."
        )

    def kill(self) -> None:
        """Raises `ServiceError`: it is not ours."""
        self.stop()

    def check(self) -> None:
        """Nothing is known of it but its address."""


def inherited() -> dict[str, str]:
    """What a child has of this process's environment.

    That is all but what chooses the services of the tests: the program refuses names of settings
    that it does not know.
    """
    return {name: value for name, value in os.environ.items() if not name.startswith(_OF_TESTS)}


@cache
def _spawner() -> ThreadPoolExecutor:
    # Linux ties the parent-death signal to the thread that forked, not to its process:
    # a child started from a test's short-lived thread would die with that thread.
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def free_port() -> int:
    """A loopback port nobody listens on, below those the kernel gives to clients.

    A client that reconnects to a stopped server within that range can be given the
    server's own port and be connected to itself. Raises `ServiceError` when all are taken.
    """
    ports = _ports()
    for _ in range(100):
        port = random.choice(ports)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ServiceError("No free port was found on 127.0.0.1: too many servers run here.")


def _ports() -> range:
    """All that are served from; where tests run side by side, a part for each of their workers.

    Otherwise one worker could be given the port of a server that another has stopped for a while.
    """
    first_of_clients = int(_PORTS_OF_CLIENTS.read_text().split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    each = first_of_clients // 2 // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    first = first_of_clients // 2 + worker * each
    return range(first, first + each)


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server accepts connections there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def wait_until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Return once the condition holds. Raises `ServiceError(otherwise)` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServiceError(otherwise)
        time.sleep(0.05)
