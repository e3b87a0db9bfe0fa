"""The one map from errors to the sentence that a user reads."""

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import typer
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from pydantic import ValidationError
from pymongo.errors import ConfigurationError as MongoUrlError
from pymongo.errors import InvalidURI, PyMongoError

from config.errors import ConfigError
from consumers.broker import BrokerAway, NotRouted
from consumers.events import InvalidEvent
from transports.errors import TransferError
from worker import mongodb
from worker.cli.output import printable, stop_printing
from worker.cli.refusal import Refused

FAILED = 1
_SHOULD = re.compile(r"^(Input|Value|String|Tuple) should ")
_ERRNO = re.compile(r"\[Errno -?\d+\] ")


def explain(error: Exception) -> int:
    """Tell the error in one sentence on stderr; the exit code.

    Raises it again where it is typer's own: a usage error, or an exit.
    """
    if isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "exit_code"):
        raise error
    if isinstance(error, BrokenPipeError):
        stop_printing()
        return FAILED
    for line in sentence(error).splitlines():
        print(printable(line), file=sys.stderr)  # noqa: T201 - the one place for it
    return FAILED


def sentence(error: Exception) -> str:
    """What went wrong and what to do; for invalid settings of the process, a line for each."""
    for kinds, tell in _TOLD:
        if isinstance(error, kinds):
            return tell(error)
    return (
        f"This is a fault of the program ({type(error).__name__}): please report it with the "
        "command you gave."
    )


def with_advice(failure: TransferError) -> str:
    """The server's words, and what to check."""
    return f"{failure.words.rstrip('.')}: {failure.advice[0].lower()}{failure.advice[1:]}"


def _of_rabbitmq(error: Exception) -> str:
    if isinstance(error, NotRouted):
        return (
            f"RabbitMQ has no queue for the message ({error}): start the service with "
            "'courier run', which declares the queues, and try again."
        )
    words = _ERRNO.sub("", str(error)) or type(error).__name__
    return f"RabbitMQ cannot be used ({words}): start it, or correct COURIER_AMQP_URL."


def _of_mongodb(error: PyMongoError) -> str:
    words = mongodb.in_words(error)
    if isinstance(error, InvalidURI | MongoUrlError):
        return f"COURIER_MONGODB_URL cannot be used: {words}."
    if mongodb.is_away(error):
        return f"MongoDB is away ({words}): start it, or correct COURIER_MONGODB_URL."
    return f"MongoDB refuses ({words}): check COURIER_MONGODB_URL and the rights of its user."


def _of_event(error: InvalidEvent) -> str:
    return f"The event would not be accepted: {error.reason}."


def _of_options(error: ValidationError) -> str:
    problems: dict[str, str] = {}
    for item in error.errors(include_url=False, include_input=False, include_context=False):
        option = _option(item["loc"])
        problems.setdefault(option, f"{option} {_problem(item)}")
    return f"{'; '.join(problems.values())}."


def _option(loc: Iterable[Any]) -> str:
    name = next((str(part) for part in loc), "settings")
    return f"--{name.replace('_', '-')}"


def _problem(item: Any) -> str:
    if item["type"] == "missing":
        return "is required, since nothing is stored yet"
    message = _SHOULD.sub("must ", item["msg"].removeprefix("Value error, "))
    return f"{message[0].lower()}{message[1:]}"


def _of_system(error: OSError) -> str:
    words = error.strerror or str(error) or type(error).__name__
    subject = f"{error.filename}: " if error.filename else ""
    return f"{subject}{words}: check it and try again."


_TOLD: tuple[tuple[tuple[type[Exception], ...], Callable[[Any], str]], ...] = (
    ((Refused, ConfigError), str),
    ((BrokerAway, NotRouted, AMQPError, KombuError), _of_rabbitmq),
    ((PyMongoError,), _of_mongodb),
    ((InvalidEvent,), _of_event),
    ((ValidationError,), _of_options),
    ((TransferError,), with_advice),
    ((OSError,), _of_system),
)
