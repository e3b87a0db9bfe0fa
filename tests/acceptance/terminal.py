"""A command on a terminal of a given width, as a person sees it."""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.acceptance.program import LIMIT, Program, command_of

_ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9])")
_TYPICAL = "xterm-256color"


@dataclass
class Terminal:
    """A running command, its terminal, and what it has printed there so far."""

    command: Sequence[str]
    folder: Path
    environment: Mapping[str, str]
    columns: int = 80
    _heard: bytes = b""

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, self.columns, 0, 0))
        environment = {**self.environment, "TERM": _TYPICAL}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR"):
            environment.pop(name, None)
        self.process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def until(self, text: str) -> str:
        """Wait until this is on the screen; all that was."""
        deadline = time.monotonic() + LIMIT
        while text not in self.text:
            assert self._hear(deadline), f"{text!r} was never shown: {self.text}"
        return self.text

    def type(self, text: str) -> None:
        """Type a line."""
        self.press(f"{text}\n")

    def press(self, keys: str) -> None:
        """Press these keys one after the other."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; its exit code."""
        deadline = time.monotonic() + LIMIT
        while self._hear(deadline):
            pass
        return self.process.wait(LIMIT)

    @property
    def text(self) -> str:
        """What it has printed, without what moves the cursor or colours; what was written over
        stands on a line of its own."""
        printed = _ESCAPES.sub("", self._heard.decode("utf-8", "replace"))
        return printed.replace("\r\n", "\n").replace("\r", "\n")

    @property
    def lines(self) -> list[str]:
        """The same by lines."""
        return [line.rstrip() for line in self.text.splitlines()]

    def _hear(self, deadline: float) -> bool:
        """Hear a piece more; False at the end, or where there is no more time."""
        ready, _, _ = select.select([self._master], [], [], max(0.0, deadline - time.monotonic()))
        piece = b""
        with contextlib.suppress(OSError):  # Linux: nobody has the other end open any more
            piece = os.read(self._master, 65536) if ready else b""
        self._heard += piece
        return bool(piece)


def shown(courier: Program, *arguments: object, columns: int = 80) -> list[str]:
    """The lines of a command that must work, on a terminal."""
    with on_terminal(courier, *arguments, columns=columns) as terminal:
        assert terminal.end() == 0, terminal.text
        return terminal.lines


@contextlib.contextmanager
def on_terminal(
    courier: Program, *arguments: object, columns: int = 80, **changes: str | None
) -> Iterator[Terminal]:
    """A command while it runs on a terminal."""
    environment = courier.environment(changes)
    with Terminal(command_of(arguments), courier.folder, environment, columns) as terminal:
        yield terminal
