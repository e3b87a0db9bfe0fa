"""Work that is done again and again in a thread of its own, whatever happened the last time."""

import threading
from collections.abc import Callable

from pymongo.errors import PyMongoError

from consumers.broker import BrokerAway, NotRouted
from consumers.observe import Observer, ProgramFailed, Trouble


class Periodic:
    """Runs `work` every `seconds`; what is away is observed and tried again the next time."""

    def __init__(
        self, name: str, seconds: float, work: Callable[[], object], observe: Observer
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._work = work
        self._observe = observe
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def ask_to_stop(self) -> None:
        """Begin no other round."""
        self._stopping.set()

    def join(self, seconds: float) -> None:
        """Wait so long at most for the round that runs."""
        self._thread.join(seconds)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._once()
            self._stopping.wait(self._seconds)

    def _once(self) -> None:
        try:
            self._work()
        except PyMongoError as error:
            self._observe(Trouble("mongodb", f"{self._name}: {error}"))
        except (BrokerAway, NotRouted) as error:
            self._observe(Trouble("rabbitmq", f"{self._name}: {error}"))
        except Exception as error:  # noqa: BLE001 - one bad round must not end all the others
            self._observe(ProgramFailed(self._name, error))
