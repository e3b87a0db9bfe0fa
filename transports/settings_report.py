"""What the test on save tells: its steps, and what it has found out of a server."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from config.accounts import Capabilities, FtpSettings, Protocol
from config.file_names import TEMPORARY
from config.naming_settings import InFlight
from transports.diagnosis import Whose, advice_for_customers, by_code
from transports.errors import Speaker, TransferError, is_platforms
from transports.names import staging_of
from transports.settings_trials import Leftovers, test_path

STEPS = (
    "resolved",
    "connected",
    "host key",
    "encrypted",
    "certificate",
    "logged in",
    "protected",
    "path",
    "wrote",
    "size",
    "renamed",
    "removed",
)
"""The steps in their order; not every protocol has each. One more, `names`, comes before the last
where the server does not tell whether a name is taken."""
_OF_TLS = {"encrypted", "certificate", "protected"}


def steps_of(protocol: Protocol) -> list[str]:
    """The steps of a test with this protocol."""
    left_out = set() if protocol is Protocol.SFTP else {"host key"}
    if not protocol.uses_tls:
        left_out |= _OF_TLS
    return [name for name in STEPS if name not in left_out]


@dataclass(frozen=True)
class Step:
    """One step of the test: what was found or, where it failed, the server's words and advice."""

    name: str
    ok: bool
    detail: str
    cause: str | None = None
    """The code of the catalogue, where it failed."""
    whose: Whose | None = None
    """Who can mend that."""
    copied: str = ""
    """What the detail begins with that is not the program's own: a value, or a server's words."""
    advice: str = ""
    """What to do, as it stands in the detail."""

    @property
    def told(self) -> str:
        """The program's own words in the detail, behind what is copied."""
        return self.detail.removeprefix(self.copied).lstrip()

    def document(self) -> dict[str, Any]:
        """As programs are told of it."""
        told = ("name", "ok", "detail", "cause", "whose")
        return {name: getattr(self, name) for name in told}

    def for_customers(self) -> "Step":
        """The same for the account's own people: what is the platform's to do is not told them, nor
        what was said of a failure that is its own."""
        words, has_advice, rest = self.detail.rpartition(self.advice or " ")
        if not (self.advice and has_advice):
            return self
        code, copied = self.cause or "", self.copied
        entry = by_code(code)
        if entry is not None and is_platforms("", code):
            words, copied = f"{entry.cause} ", ""
        advice = advice_for_customers(code, self.advice)
        return replace(self, detail=f"{words}{advice}{rest}", copied=copied, advice=advice)


@dataclass(frozen=True)
class TestReport:
    """What the test showed. `failure` is None where recordings can be delivered."""

    __test__ = False  # no test of pytest's

    steps: tuple[Step, ...]
    host_key: str | None
    """The fingerprint of the key that the server showed, None without SSH."""
    capabilities: Capabilities
    failure: TransferError | None

    @property
    def ok(self) -> bool:
        """Whether recordings can be delivered with these settings."""
        return self.failure is None


OnStep = Callable[[Step], None]
Meaning = Callable[[TransferError], TransferError]


def as_it_is(failure: TransferError) -> TransferError:
    """What a failure means of which nothing else is known."""
    return failure


class Findings:
    """What a test has found so far."""

    def __init__(self, settings: FtpSettings, on_step: OnStep | None) -> None:
        # What an earlier test found must not keep this one from looking again.
        self.settings = settings.model_copy(update={"capabilities": Capabilities()})
        self.host_key: str | None = None
        self.found = Capabilities()
        self.left = Leftovers()
        self._on_step = on_step
        self._steps: list[Step] = []

    def settings_with(self, known: dict[str, Any]) -> FtpSettings:
        """For a session: the key that the first one saw is the key of the others too."""
        found = {"avoids": self.found.avoids, "enters": self.found.enters}
        capabilities = self.settings.capabilities.model_copy(update=found | known)
        keys = self.settings.host_keys or ((self.host_key,) if self.host_key else ())
        return self.settings.model_copy(update={"capabilities": capabilities, "host_keys": keys})

    def path(self, ending: str) -> str:
        """A name that nobody has, in the account's folder."""
        return test_path(self.settings.path, ending)

    def part_path(self) -> str:
        """The same for a file on its way, as uploads name them."""
        match self.settings.in_flight:
            case InFlight.DOT:
                return test_path(self.settings.path, ".txt", beginning=".")
            case InFlight.FOLDER:
                staging = staging_of(self.settings.path, InFlight.FOLDER)
                return test_path(staging, ".txt")
            case _:
                return self.path(TEMPORARY)

    def note(self, **found: Any) -> None:
        """Keep what was found out."""
        self.found = self.found.model_copy(update=found)

    def heard(self, name: str, detail: str) -> None:
        """Note a step on the way to a session: the login is told by the user's name alone, or in
        words."""
        self.passed(name, detail, copied=detail if detail == self.settings.username else "")

    def passed(self, name: str, detail: str, *, copied: str = "") -> None:
        """Note a step that worked."""
        self._take(Step(name, ok=True, detail=detail, copied=copied))

    def passed_with(self, name: str, value: str) -> None:
        """Note one that worked, of which a value is told: a path."""
        self.passed(name, value, copied=value)

    def failed(self, name: str, detail: str, failure: TransferError | None = None) -> None:
        """Note one that did not."""
        step = Step(name, ok=False, detail=detail)
        if failure is not None:
            step = replace(
                step,
                cause=failure.diagnosis.code,
                whose=failure.diagnosis.whose,
                copied="" if failure.said_by is Speaker.COURIER else _sentence_of(failure),
                advice=failure.advice if failure.advice in detail else "",
            )
        self._take(step)

    def report(self, failure: TransferError | None) -> TestReport:
        """What was found, with the step at which it ended."""
        if failure is not None:
            detail = f"{_sentence_of(failure)} {failure.advice}"
            left = f" Left there: {', '.join(self.left.paths)}." if self.left.paths else ""
            self.failed(self._next(), detail + left, failure)
        return TestReport(tuple(self._steps), self.host_key, self.found, failure)

    def _next(self) -> str:
        done = {step.name for step in self._steps}
        return next(name for name in steps_of(self.settings.protocol) if name not in done)

    def _take(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


def _sentence_of(failure: TransferError) -> str:
    return f"{failure.words.rstrip('.')}."
