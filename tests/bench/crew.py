"""Runs other programs, and tells their seconds and their processor time by the kernel's own count.

`python -m tests.bench.crew AT_ONCE LIMIT`: a list of `{"argv": ..., "env": ...}` comes as JSON by
standard input, and one object goes out. The clock begins with the first program, not with this
one. What a program leaves behind, as a client its ssh, is waited for and counted as well.
"""

import ctypes
import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

_SUBREAPER = 36
"""PR_SET_CHILD_SUBREAPER of prctl(2): orphans come to this process."""
_LAST_WORDS = 500


class Failed(Exception):
    """A program did not do its work; the message has its last words."""


@dataclass(frozen=True)
class Running:
    """One program; what it says goes into two files."""

    argv: list[str]
    output: Path
    complaint: Path


class Crew:
    """Programs, so many at once."""

    def __init__(self, folder: Path, waiting: list[dict[str, Any]]) -> None:
        self._folder = folder
        self._waiting = waiting[::-1]
        self._running: dict[int, Running] = {}
        self.processor_seconds = 0.0
        self.told: list[str] = []
        """What they said, in the order of their ends."""

    def work(self, at_once: int) -> None:
        """Run all of them. Raises Failed."""
        while self._waiting or self._running:
            while self._waiting and len(self._running) < at_once:
                self._start(self._waiting.pop())
            self._reap()

    def end(self) -> None:
        """Wait for what they have left behind."""
        with suppress(ChildProcessError):
            while True:
                self._reap()

    def kill(self) -> None:
        """End whatever still runs."""
        for pid in self._running:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)

    def _start(self, asked: dict[str, Any]) -> None:
        number = len(self.told) + len(self._running) + len(self._waiting)
        output, complaint = self._folder / f"{number}.out", self._folder / f"{number}.err"
        files = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        for descriptor, path in ((1, output), (2, complaint)):
            flags = os.O_WRONLY | os.O_CREAT
            files.append((os.POSIX_SPAWN_OPEN, descriptor, str(path), flags, 0o600))
        argv, environment = asked["argv"], {**os.environ, **asked["env"]}
        # No terminal: OpenSSH asks a program for the password then.
        pid = os.posix_spawnp(argv[0], argv, environment, file_actions=files, setsid=True)
        self._running[pid] = Running(argv, output, complaint)

    def _reap(self) -> None:
        pid, status, usage = os.wait4(-1, 0)
        self.processor_seconds += usage.ru_utime + usage.ru_stime
        ended = self._running.pop(pid, None)
        if ended is None:
            return
        code = os.waitstatus_to_exitcode(status)
        if code != 0:
            words = ended.complaint.read_text(errors="replace")[-_LAST_WORDS:]
            raise Failed(f"{ended.argv!r} ended with {code}: {words}")
        self.told.append(ended.output.read_text(errors="replace"))


def main() -> None:
    """Run what is asked for, and print what it took."""
    at_once, limit = int(sys.argv[1]), int(sys.argv[2])
    ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(limit)
    with tempfile.TemporaryDirectory() as folder:
        crew = Crew(Path(folder), json.load(sys.stdin))
        try:
            began = monotonic()
            crew.work(at_once)
            seconds = monotonic() - began
            crew.end()
        except (Failed, OSError) as error:
            print(json.dumps({"failed": str(error)}))
            return
        finally:
            crew.kill()
    processor = crew.processor_seconds
    print(json.dumps({"seconds": seconds, "processor_seconds": processor, "told": crew.told}))


def _give_up(_number: int, _frame: object) -> None:
    raise Failed("it took too long")


if __name__ == "__main__":
    main()
