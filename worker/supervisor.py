"""`courier run --processes N`: starts N workers, replaces one that dies, and answers for all.

Each worker is the same program in a process of its own, and shares the accounts with the others by
leases. The supervisor serves the console, the health checks, and the metrics summed over all.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pymongo
import structlog
from pymongo.errors import PyMongoError

from config.errors import ConfigError
from consumers.sharding.presence import Worker, workers
from worker import mongodb
from worker.core import Core, make_messaging
from worker.gauges import PlatformGauges
from worker.health import HealthServer
from worker.logs import LogObserver
from worker.metric_files import FOLDER_VARIABLE, ProcessCounts
from worker.metrics import Metrics
from worker.observers import Observers
from worker.preparation import builds_in_words
from worker.readiness import ASK_SECONDS, Phase
from worker.service import GRACE_SECONDS
from worker.signals import StopSignals
from worker.tracing import spans_of

SUPERVISED = "--supervised"
LOOK_SECONDS = 0.2
RESTART_SECONDS = 1.0
"""Least time between two starts in one place: a worker that cannot start must not spin."""
STOP_SECONDS = GRACE_SECONDS + 15


class Place:
    """The place of one of the N worker processes, with the process that runs in it."""

    def __init__(self, number: int, environment: Mapping[str, str]) -> None:
        self.number = number
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._started = -RESTART_SECONDS

    @property
    def pid(self) -> int | None:
        """The number of the running process; None where none runs."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def fill(self) -> subprocess.Popen[bytes] | None:
        """Start a worker where none runs. Returns the process that ended here before, if any."""
        if self.pid is not None or time.monotonic() - self._started < RESTART_SECONDS:
            return None
        ended = self._process
        self._started = time.monotonic()
        self._process = subprocess.Popen(  # noqa: S603 - it is this very program
            [sys.executable, "-m", "worker", "run", SUPERVISED, "--no-console"],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the supervisor, which passes it on
        )
        return ended

    def terminate(self) -> None:
        """Ask the worker to stop."""
        if self.pid is not None and self._process is not None:
            self._process.terminate()

    def hurry(self) -> None:
        """Ask the worker to hurry, after it was asked to stop.

        It is another signal: two of the same kind become one where the first is not handled yet.
        """
        if self.pid is not None and self._process is not None:
            self._process.send_signal(signal.SIGINT)

    def wait(self, seconds: float) -> bool:
        """Whether the worker has ended within this time."""
        if self._process is None:
            return True
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """Kill the worker. Another one repeats what it was doing."""
        if self.pid is not None and self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def supervised_workers(core: Core, processes: int) -> Iterator["Supervisor"]:
    """The supervisor, with the metrics and the health checks served.

    Needs neither broker nor database yet. Raises OSError where the address cannot be had,
    ConfigError where no folder can be made.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(_counts_folder()))
        counts = ProcessCounts(folder)
        supervisor = Supervisor(core, processes, folder, counts.retire)
        stack.enter_context(_health(core, supervisor, counts))
        yield supervisor


def _counts_folder() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="courier-metrics-")
    except OSError as error:
        raise ConfigError(
            f"No folder can be made for the counts of the processes ({error.strerror}): "
            "let /tmp be written to, or set TMPDIR to a folder that can."
        ) from None


@contextmanager
def served_console(core: Core) -> Iterator[None]:
    """The console of all workers.

    Raises ConsoleAddressTaken, and pymongo's errors where MongoDB is away.
    """
    from worker.console.server import ConsoleServer  # noqa: PLC0415 - only where it is served

    spans = spans_of(core.settings, f"{socket.gethostname()}-{os.getpid()}-console", LogObserver())
    observers = Observers(LogObserver(), *((spans.observe,) if spans else ()))
    messaging = make_messaging(core, observers, Observers(spans.batch) if spans else None)
    server = ConsoleServer(core.settings.console_bind, core, messaging)
    server.start()
    messaging.broker.start()
    try:
        yield
    finally:
        server.stop()
        messaging.broker.stop()
        if spans is not None:
            spans.close()


def _health(core: Core, supervisor: "Supervisor", counts: ProcessCounts) -> HealthServer:
    metrics = Metrics(PlatformGauges.of(core), summed=counts, restarts=lambda: supervisor.restarts)
    return HealthServer(
        core.settings.metrics_bind,
        metrics=metrics.scrape,
        live={},
        ready={"workers": supervisor.unready, "running": supervisor.phase.running},
        state=supervisor.phase.told,
        flaws={"flaws": supervisor.flaw},
    )


class Supervisor:
    """Keeps its places filled until it is asked to stop."""

    def __init__(
        self, core: Core, processes: int, metrics: Path, retire: Callable[[int], None]
    ) -> None:
        """`retire` is told the number of each process that has ended."""
        environment = {**os.environ, FOLDER_VARIABLE: str(metrics)}
        self._core = core
        self._retire = retire
        self._places = [Place(number, environment) for number in range(1, processes + 1)]
        self._log = structlog.stdlib.get_logger("courier")
        self.phase = Phase()
        self.restarts = 0
        """Number of workers that ended without being asked, and were replaced."""

    def run(self, asked: StopSignals) -> None:
        """Fill the places again and again; returns once all workers have ended in order."""
        try:
            while not asked.stop.wait(LOOK_SECONDS):
                for place in self._places:
                    self._fill(place)
        finally:
            self.phase.stop()
            self._end(asked)

    def unready(self) -> str | None:
        """None where every worker is ready, a sentence where one is not or MongoDB is away."""
        try:
            with pymongo.timeout(ASK_SECONDS):
                known = workers(self._core.database)
        except PyMongoError as error:
            return mongodb.sentence(error)
        serving = {each.pid for each in self._of_ours(known) if each.serves}
        missing = sum(place.pid not in serving for place in self._places)
        if not missing:
            return None
        words = next((each.words for each in self._of_ours(known) if not each.serves), None)
        words = words or builds_in_words(self._core.database)  # before it works it tells nothing
        told = f"{missing} of {len(self._places)} workers are not ready"
        return f"{told}: {words}" if words else f"{told}."

    def flaw(self) -> str | None:
        """A sentence where a worker that serves has something to be mended."""
        try:
            with pymongo.timeout(ASK_SECONDS):
                known = self._of_ours(workers(self._core.database))
        except PyMongoError:
            return None  # which `unready` tells
        flawed = [each for each in known if each.serves and each.words]
        told = f"{len(flawed)} of {len(self._places)} workers are degraded"
        return f"{told}: {flawed[0].words}" if flawed else None

    def _of_ours(self, known: Sequence[Worker]) -> list[Worker]:
        pids = {place.pid for place in self._places}
        here = socket.gethostname()
        return [each for each in known if each.host == here and each.pid in pids]

    def _fill(self, place: Place) -> None:
        ended = place.fill()
        if ended is not None:
            self.restarts += 1
            self._retire(ended.pid)
            self._log.warning("worker_replaced", worker=place.number, exit_code=ended.returncode)

    def _end(self, asked: StopSignals) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        for place in self._places:
            place.terminate()
        hurried = False
        while not all(place.wait(LOOK_SECONDS) for place in self._places):
            if asked.hurry.is_set() and not hurried:
                hurried = True
                for place in self._places:
                    place.hurry()
            if time.monotonic() > deadline:
                break
        for place in self._places:
            place.kill()
