"""Child processes that never outlive this one, and waits that have a limit."""

import os
import random
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol, Self

STOP_SECONDS = 20.0
ELSEWHERE_SECONDS = 5.0
"""How long a server that somebody else runs may take to answer."""
_OF_TESTS = "COURIER_TEST_"
_TRIES = 100
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
        """End it and whatever it started; no connection of theirs is open on return."""
        if self._process is None:
            return
        with ExitStack() as handles:
            started = [handles.enter_context(each) for each in _descendants(self._process.pid)]
            self._signal(signal.SIGKILL)
            self._process.wait(STOP_SECONDS)
            self._process = None
            # A namespace's sessions are ended by the kernel, after the process that was waited for.
            for each in started:
                each.wait(STOP_SECONDS)

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


class _Handle:
    """A process that is not ours to reap; its number cannot pass to another one meanwhile."""

    def __init__(self, pid: int) -> None:
        """Raises `ProcessLookupError` where it has ended."""
        self._fd = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def wait(self, seconds: float) -> None:
        """Return once it has ended, or after `seconds`."""
        ended = select.poll()
        ended.register(self._fd, select.POLLIN)
        ended.poll(seconds * 1000)


def _descendants(pid: int) -> list[_Handle]:
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name before it may hold blanks and brackets.
            after_name = stat.read_text(errors="replace").rpartition(")")[2].split()
            children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    handles, todo = [], list(children.get(pid, []))
    while todo:
        child = todo.pop()
        todo += children.get(child, [])
        with suppress(ProcessLookupError):
            handles.append(_Handle(child))
    return handles


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
    """A loopback port nobody listens on, as of `free_ports`."""
    return free_ports(1)[0]


def free_ports(count: int) -> range:
    """So many loopback ports in a row nobody listens on, below those the kernel gives to clients.

    A client that reconnects to a stopped server within that range can be given the
    server's own port and be connected to itself. What was given is not given again before all
    others were: its server may not listen yet. Where so many servers keep theirs that none are
    left, those are given that nobody listens on. Raises `ServiceError` when none are to be had.
    """
    for spares_kept in (True, False):
        for _ in range(_TRIES):
            ports = _round.next(_ports(), count, spares_kept=spares_kept)
            if ports and all(_is_free(port) for port in ports):
                return ports
    raise ServiceError("No free port was found on 127.0.0.1: too many servers run here.")


def kept_ports(count: int) -> range:
    """As `free_ports`, given to nobody else before `give_back`, as long as there are others: their
    server listens on one of them only while a file is on its way."""
    ports = free_ports(count)
    _round.keep(ports)
    return ports


def give_back(ports: range) -> None:
    """The server of `kept_ports` has stopped."""
    _round.give_back(ports)


def _is_free(port: int) -> bool:
    with socket.socket() as probe, suppress(OSError):
        probe.bind(("127.0.0.1", port))
        return True
    return False


class _Round:
    """Goes round a range of ports, beginning anywhere: other programs go round it as well.

    For all threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first = random.randrange(1 << 16)  # noqa: S311 - no secret
        self._kept = set[range]()

    def next(self, ports: range, count: int, *, spares_kept: bool = True) -> range | None:
        """So many in a row behind those of last time; None where one of them is kept, or where
        there are not so many."""
        if count > len(ports):
            return None
        with self._lock:
            first = self._first % len(ports)
            if first + count > len(ports):
                first = 0
            found = ports[first : first + count]
            others = self._kept if spares_kept else ()
            kept = next((each for each in others if _overlap(each, found)), None)
            self._first = first + count if kept is None else kept.stop - ports.start
        return found if kept is None else None

    def keep(self, ports: range) -> None:
        """Give them to nobody."""
        with self._lock:
            self._kept.add(ports)

    def give_back(self, ports: range) -> None:
        """They are as any others again."""
        with self._lock:
            self._kept.discard(ports)


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


_round = _Round()


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
