"""`python -m tests.faults.launcher`: `courier run` with a fault at a named point of its code.

What is to happen stands as JSON in the variable `FAULT`; the program itself knows nothing of it.
"""

import builtins
import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial, wraps
from importlib import import_module
from itertools import count
from typing import Any, NotRequired, TypedDict

from transports.base import Limits

VARIABLE = "FAULT"


class Point(TypedDict):
    """A signal to the worker itself, before or after a call of a method."""

    at: str
    """`module:Class.method`."""
    when: str
    call: int
    """Which call it is, from 1."""
    signal: int
    once: str
    """A file that is made by it: of several workers only the first one is hit."""
    about: str
    """Only calls count whose object, or what it is given, holds this text; empty: all."""
    raises: NotRequired[str]
    """Instead of the signal this error, at the first `call` calls."""


class Fault(TypedDict):
    """What differs from the program as it is."""

    points: list[Point]
    constants: dict[str, float]
    """`module:NAME` to its value, for times that a test cannot wait for."""
    limits: dict[str, float]
    apart: bool
    """As on a machine of its own: the others cannot see that its process is gone."""


def main() -> None:
    """Prepare the fault, then be `courier run`."""
    faulthandler.register(signal.SIGUSR1)  # to be asked where it hangs
    fault: Fault = json.loads(os.environ.pop(VARIABLE))
    from consumers.sharding import presence  # noqa: PLC0415 - the variable is gone before they look
    from worker import cli, service  # noqa: PLC0415 - the same

    for place, value in fault["constants"].items():
        module, name = place.split(":")
        setattr(import_module(module), name, value)
    vars(service)["Limits"] = partial(Limits, **fault["limits"])
    if fault["apart"]:
        presence._process_space = lambda: f"pid {os.getpid()}"
    for point in fault["points"]:
        _wrap(point)
    sys.argv[1:] = ["run", "--no-console"]
    cli.main()


def _wrap(point: Point) -> None:
    module, _, path = point["at"].partition(":")
    owner, method = path.split(".")
    kind = getattr(import_module(module), owner)
    original: Callable[..., Any] = getattr(kind, method)
    calls = count(1)

    @wraps(original)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        concerned = not point["about"] or point["about"] in f"{vars(args[0])} {args[1:]}"
        number = next(calls) if concerned else 0
        if number and "raises" in point and number <= point["call"]:
            raise getattr(builtins, point["raises"])("what nobody foresaw")
        mine = "raises" not in point and number == point["call"]
        if mine and point["when"] == "before":
            _strike(point)
        result = original(*args, **kwargs)
        if mine and point["when"] == "after":
            _strike(point)
        return result

    setattr(kind, method, wrapped)


def _strike(point: Point) -> None:
    with suppress(FileExistsError):
        os.close(os.open(point["once"], os.O_CREAT | os.O_EXCL))
        os.kill(os.getpid(), point["signal"])
        time.sleep(0.05)  # a stop reaches this thread a moment later


if __name__ == "__main__":
    main()
