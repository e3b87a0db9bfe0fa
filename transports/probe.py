"""The test upload on save: shows that the settings work, and finds out what the server can do."""

import contextlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import SecretStr

from config.accounts import Capabilities, FtpSettings, Protocol
from transports.base import Egress, Limits, Server, TargetExists, Unsupported
from transports.errors import NameRefused, PathRefused, TransferError, VerificationFailed
from transports.names import join
from transports.server import connect

STEPS = (
    "resolved",
    "connected",
    "host key",
    "logged in",
    "path",
    "wrote",
    "size",
    "renamed",
    "removed",
)
"""The steps in their order; FTP has no host key."""
_TEXT = b"This file was written to test the FTP settings, and may be deleted.\r\n"


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
    """The fingerprint of the key that the server showed, None for FTP."""
    capabilities: Capabilities
    failure: TransferError | None

    @property
    def ok(self) -> bool:
        """Whether recordings can be delivered with these settings."""
        return self.failure is None


def test_settings(
    settings: FtpSettings,
    password: SecretStr,
    limits: Limits,
    egress: Egress,
    on_step: Callable[[Step], None] | None = None,  # noqa: PT028 - no test of pytest's
) -> TestReport:
    """Log in, upload a small text file and remove it again; `on_step` hears of each step.

    A server that tells no sizes or refuses renames passes, and is remembered as such; one that
    takes no files does not. Raises nothing: what went wrong is in the report.
    """
    test = _Test(settings, on_step)
    try:
        with contextlib.closing(
            connect(test.settings, password, limits, egress, on_step=test.passed)
        ) as server:
            test.host_key = server.host_key
            test.write(server)
    except TransferError as error:
        return test.report(error)
    return test.report(None)


test_settings.__test__ = False  # type: ignore[attr-defined]


class _Test:
    def __init__(self, settings: FtpSettings, on_step: Callable[[Step], None] | None) -> None:
        # What an earlier test found must not keep this one from looking again.
        self.settings = settings.model_copy(update={"capabilities": Capabilities()})
        self.host_key: str | None = None
        self._on_step = on_step
        self._steps: list[Step] = []
        self._size = self._rename = True

    def write(self, server: Server) -> None:
        """The steps after the logon."""
        name = f"courier-test-{secrets.token_hex(6)}.txt"
        final = join(self.settings.path, name)
        part = f"{final}.part"
        server.make_directory(self.settings.path)
        self.passed("path", self.settings.path)
        with _withdrawn_on_failure(server, part, final):
            server.put([_TEXT], part)
            self.passed("wrote", part)
            self._look_at_size(server, part)
            self._move(server, part, final)
        self._remove(server, final)

    def _look_at_size(self, server: Server, path: str) -> None:
        try:
            size = server.size(path)
        except Unsupported:
            size = None
        if size is None:
            self._size = False
            self.passed("size", "The server does not tell it: its confirmation has to do")
        elif size != len(_TEXT):
            raise VerificationFailed(f"The server stored {size} of {len(_TEXT)} bytes")
        else:
            self.passed("size", f"{size} bytes")

    def _move(self, server: Server, part: str, final: str) -> None:
        try:
            server.rename(part, final)
        except (Unsupported, NameRefused, TargetExists):
            self._rename = False
        else:
            self.passed("renamed", final)
            return
        with contextlib.suppress(PathRefused):
            server.remove(part)
        server.put([_TEXT], final)
        self.passed("renamed", "The server refuses it: recordings are written to their name")

    def _remove(self, server: Server, path: str) -> None:
        try:
            server.remove(path)
        except PathRefused as error:  # recordings are delivered all the same
            self._took(Step("removed", ok=False, detail=f"{error.words} ({path} is left there)"))
        else:
            self.passed("removed", path)

    def passed(self, name: str, detail: str) -> None:
        """Note a step that worked."""
        self._took(Step(name, ok=True, detail=detail))

    def report(self, failure: TransferError | None) -> TestReport:
        """What was found, with the step at which it ended."""
        if failure is not None:
            detail = f"{failure.words.rstrip('.')}. {failure.advice}"
            self._took(Step(self._next(), ok=False, detail=detail))
        capabilities = Capabilities(size=self._size, rename=self._rename)
        return TestReport(tuple(self._steps), self.host_key, capabilities, failure)

    def _next(self) -> str:
        done = {step.name for step in self._steps}
        return next(name for name in self._names() if name not in done)

    def _names(self) -> Iterator[str]:
        for name in STEPS:
            if name != "host key" or self.settings.protocol is Protocol.SFTP:
                yield name

    def _took(self, step: Step) -> None:
        self._steps.append(step)
        if self._on_step is not None:
            self._on_step(step)


@contextlib.contextmanager
def _withdrawn_on_failure(server: Server, *paths: str) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for path in paths:
            with contextlib.suppress(TransferError):
                server.remove(path)
        raise
