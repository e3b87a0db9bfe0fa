"""A few lines of Python, run as a program of their own."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]


@contextmanager
def snippet(
    lines: str, *arguments: object, environment: Mapping[str, str], stderr: int
) -> Iterator[subprocess.Popen[str]]:
    """It runs in the checkout with its stdout in a pipe, and is gone at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-c", lines, *map(str, arguments)],
        cwd=CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    ) as program:
        try:
            yield program
        finally:
            program.kill()
