"""Which account is due, and whether this worker may work it: gives slots to account sessions."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from consumers.delivery.deps import Deps
from consumers.delivery.worker import AccountWorker
from consumers.faults import observed
from consumers.ledger import bucket_of
from consumers.observe import ProgramFailed

STEP = 0.1
POLL = 0.2
"""Seconds between looks at what is due; an arrival in this process is told at once."""
FAULT_SECONDS = 5.0
"""What a session that could not even write down its own fault keeps its slot for."""


class Scheduler:
    """Opens a session for each due account, the longest due first, as far as slots go."""

    def __init__(self, deps: Deps, most: int, has_backlog: Callable[[], bool]) -> None:
        """At `most` so many sessions, each on a slot of the process; `has_backlog` is theirs."""
        self._deps = deps
        self._has_backlog = has_backlog
        self._running: dict[str, AccountWorker] = {}
        self._lock = threading.Lock()
        self._others_waiting = threading.Event()
        self._woken = threading.Event()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(most, thread_name_prefix="session")
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread.is_alive()

    def wake(self) -> None:
        """Something has become due: look now."""
        self._woken.set()

    @property
    def sessions(self) -> int:
        """How many accounts are worked at this moment."""
        with self._lock:
            return len(self._running)

    def busy_buckets(self) -> set[int]:
        """The buckets in which a session is open."""
        with self._lock:
            return {bucket_of(account_id) for account_id in self._running}

    def ask_to_stop(self) -> None:
        """Begin nothing more."""
        self._stopping.set()
        self.wake()

    def stop(self, grace: float, hurry: threading.Event) -> None:
        """Begin nothing more; uploads may end within `grace` seconds, unless there is a hurry."""
        self.ask_to_stop()
        self._thread.join()
        if not self._wait_for_sessions(grace, hurry):
            self._each(AccountWorker.interrupt)
        self._pool.shutdown(wait=True)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._woken.clear()
            try:
                self._open_sessions()
            except Exception as error:  # noqa: BLE001 - without a scheduler nothing is delivered
                self._deps.observe(observed(error, "scheduler"))
            self._woken.wait(POLL)

    def _open_sessions(self) -> None:
        if not self._deps.broker.ready:
            return
        with self._lock:
            running = list(self._running)
        free = self._deps.slots.free
        buckets = self._deps.ownership.owned()
        due = self._deps.ledger.accounts.due(free + 1, buckets, running)
        if len(due) > free:
            self._others_waiting.set()
        else:
            self._others_waiting.clear()
        for account_id in due:
            if not self._deps.slots.take():
                return
            self._open(account_id)

    def _open(self, account_id: str) -> None:
        """Count the session as running before it asks for the account: its bucket stays then."""
        session = AccountWorker(
            account_id, self._deps, self._others_waiting, self._has_backlog, self._stopping
        )
        with self._lock:
            self._running[account_id] = session
        try:
            self._pool.submit(self._work, session)
        except BaseException:  # the system has no thread left
            self._ended(session)
            raise

    def _work(self, session: AccountWorker) -> None:
        if self._running.get(session.account_id) is not session:
            return  # its beginning has failed, and the pool has kept it all the same
        try:
            epoch = self._deps.ownership.epoch(session.account_id)
            if epoch is not None:
                session.run(epoch)
        except BaseException as error:  # noqa: BLE001 - it must not end the others, nor spin
            self._deps.observe(ProgramFailed("session", error, session.account_id))
            self._stopping.wait(FAULT_SECONDS)
        finally:
            self._ended(session)
            self.wake()

    def _ended(self, session: AccountWorker) -> None:
        with self._lock:
            del self._running[session.account_id]
        self._deps.slots.give_back()

    def _wait_for_sessions(self, grace: float, hurry: threading.Event) -> bool:
        """Whether all sessions ended within the grace time, and before there was a hurry."""
        for _ in range(int(grace / STEP)):
            with self._lock:
                if not self._running:
                    return True
            if hurry.wait(STEP):
                return False
        return False

    def _each(self, act: Callable[[AccountWorker], None]) -> None:
        with self._lock:
            sessions = list(self._running.values())
        for session in sessions:
            act(session)
