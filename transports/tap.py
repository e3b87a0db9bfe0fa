"""What is said to a customer's server and what it says, for a person who listens (`courier trace`).

Nobody listens, as a rule: then a tap costs one look for each command. What is heard never has a
password in it, nor a byte of a file's content.
"""

import itertools
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple
from weakref import WeakValueDictionary

from pydantic import SecretStr

from transports.words import spoken

MAX_LINE = 400
"""Characters of a line; what is longer ends with "…"."""


class Said(StrEnum):
    """Who said a line."""

    US = ">"
    SERVER = "<"
    STEP = "*"
    """Nobody: it tells of a step on the way, such as the connection."""


class Line(NamedTuple):
    """One line of a conversation."""

    connection: int
    """The number of the connection or channel, from 1 on in each session of the account."""
    by: Said
    text: str


Listener = Callable[[Line], None]


class Tap:
    """On all connections of one session of an account; may be used from any thread."""

    def __init__(self) -> None:
        self.listener: Listener | None = None
        """Hears each line, in the thread that speaks: it must neither wait nor raise."""
        self._numbers = itertools.count(1)

    def conversation(self, password: SecretStr) -> "Conversation":
        """Of one more connection."""
        return Conversation(self, next(self._numbers), password)

    def step(self, name: str, detail: str) -> None:
        """A step on the way to a connection was taken, or failed; see `base.OnStep`."""
        if (listener := self.listener) is not None:
            listener(Line(0, Said.STEP, str(spoken(f"{name}: {detail}", most=MAX_LINE))))


class Taps:
    """Those of a process, by account: of one that nothing speaks for any more none is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._taps: WeakValueDictionary[str, Tap] = WeakValueDictionary()

    def of(self, account_id: str) -> Tap:
        """The account's, the same for whoever has it at the same time."""
        with self._lock:
            tap = self._taps.get(account_id)
            if tap is None:
                tap = self._taps[account_id] = Tap()
            return tap


class Conversation:
    """What is said over one connection."""

    def __init__(self, tap: Tap, number: int, password: SecretStr) -> None:
        self._tap = tap
        self._number = number
        self._password = password

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens: else nothing needs to be put into words."""
        return self._tap.listener is not None

    def asked(self, text: str) -> None:
        """We say this; who calls has left out what is secret."""
        self._tell(Said.US, text)

    def answered(self, text: str | bytes) -> None:
        """The server says this."""
        self._tell(Said.SERVER, text)

    def _tell(self, by: Said, text: str | bytes) -> None:
        if (listener := self._tap.listener) is not None:
            words = spoken(text, self._password, MAX_LINE)
            listener(Line(self._number, by, str(words)))
