"""What the test on save tells: its steps, and what it has found out of a server."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from config.accounts import Capabilities, FtpSettings, Protocol
from transports.errors import TransferError
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

    def note(self, **found: Any) -> None:
        """Keep what was found out."""
        self.found = self.found.model_copy(update=found)

    def passed(self, name: str, detail: str) -> None:
        """Note a step that worked."""
        self._take(Step(name, ok=True, detail=detail))

    def failed(self, name: str, detail: str) -> None:
        """Note one that did not."""
        self._take(Step(name, ok=False, detail=detail))

    def report(self, failure: TransferError | None) -> TestReport:
        """What was found, with the step at which it ended."""
        if failure is not None:
            detail = f"{failure.words.rstrip('.')}. {failure.advice}"
            left = f" Left there: {', '.join(self.left.paths)}." if self.left.paths else ""
            self.failed(self._next(), detail + left)
        return TestReport(tuple(self._steps), self.host_key, self.found, failure)

    def _next(self) -> str:
        done = {step.name for step in self._steps}
        return next(name for name in steps_of(self.settings.protocol) if name not in done)

    def _take(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(step)
