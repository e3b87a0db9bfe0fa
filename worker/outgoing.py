"""The platform's own way to customers' servers: whether it is open, as far as it was seen."""

import threading
import time

from alerts.relay import AlertTried
from config.errors import SettingsError
from config.settings import Settings
from consumers.observe import ACTIVE_MODE, OUTGOING, LoggedIn, Observation, Trouble
from transports.errors import OutgoingFailed
from transports.network.dialing import check_source

TOLD_SECONDS = 120.0
"""How long a failure is told of while nobody tries again: accounts that wait for it do."""
TOLD_AT_ONCE = 3
"""So many failures are told together, the latest: some name the server that was not reached."""
_CLOSED = {
    OUTGOING: "Customers' servers cannot be reached",
    ACTIVE_MODE: "Accounts in Active Mode cannot deliver",
}
"""Where the trouble is, and what does not go on."""


class OutgoingWatch:
    """Hears whether logins got out, and of Active Mode. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], float] = {}
        """Where, in which words, and until when it is told; the latest last."""

    def observe(self, observation: Observation | AlertTried) -> None:
        """Keep the failures until a server was reached; those of Active Mode, for their time."""
        match observation:
            case Trouble(where=where, words=words) if where in _CLOSED:
                with self._lock:
                    self._told.pop((where, words), None)
                    self._told[where, words] = time.monotonic() + TOLD_SECONDS
                    for first in [*self._told][:-TOLD_AT_ONCE]:
                        del self._told[first]
            case LoggedIn(result="accepted" | "refused"):
                with self._lock:  # a login without Active Mode tells nothing of that
                    self._told = {k: v for k, v in self._told.items() if k[0] != OUTGOING}
            case _:
                pass

    def flaw(self) -> str | None:
        """The sentence of readiness; None where all is well."""
        with self._lock:
            now = time.monotonic()
            told = sorted(each for each, until in self._told.items() if now < until)
        sentences = [
            f"{closed}: {'; '.join(words)}."
            for where, closed in _CLOSED.items()
            if (words := [words for each, words in told if each == where])
        ]
        return " ".join(sentences) or None


def check_outgoing(settings: Settings) -> None:
    """Raises SettingsError where the fixed source addresses are not this machine's."""
    problems = []
    for each in settings.source_address:
        try:
            check_source(str(each))
        except OutgoingFailed as failure:
            problems.append(f"COURIER_SOURCE_ADDRESS is not valid: {failure.words}.")
    if problems:
        raise SettingsError(problems)
