"""The one map from errors to the sentence that a user reads."""

import re
from collections.abc import Callable
from typing import Any

import typer
from amqp.exceptions import AMQPError
from kombu.exceptions import KombuError
from pydantic import ValidationError
from pymongo.errors import ConfigurationError as MongoUrlError
from pymongo.errors import InvalidURI, PyMongoError

from config.errors import ConfigError, SettingsError
from config.fields import explain as explain_fields
from config.fields import settings_field
from consumers.amqp.connection import BrokerAway, BrokerRefuses, NotRouted
from consumers.database_words import in_words
from consumers.intake.reasons import InvalidEvent
from transports.errors import TransferError
from worker import mongodb
from worker.cli.output import complain, stop_printing
from worker.cli.refusal import Refused, with_advice

FAILED = 1
USAGE = 2
_WITHOUT_END = re.compile(r"(\S{100})\S{200,}?(?=['\"]?[:.,;]?(?:\s|$))")
_ERRNO = re.compile(r"\[Errno -?\d+\] ")


def explain(error: Exception) -> int:
    """Print the error in a sentence, or one for each unusable setting. Returns the exit code.

    Raises it again where it is typer's own: a usage error, or an exit.
    """
    if isinstance(error, typer.BadParameter):
        error.message = error.message.removeprefix("Value error, ")  # pydantic's, for a choice
    if isinstance(message := getattr(error, "message", None), str):
        error.message = _shortened(message)  # type: ignore[attr-defined]
    if isinstance(error, typer.Exit | typer.Abort) or hasattr(error, "exit_code"):
        raise error
    if isinstance(error, BrokenPipeError):
        stop_printing()
        return FAILED
    lines = error.problems if isinstance(error, SettingsError) else [sentence(error)]
    for line in lines:
        complain(_shortened(line))
    return USAGE if isinstance(error, ValidationError | UnicodeEncodeError) else FAILED


def _shortened(line: str) -> str:
    """A word that nobody reads, such as a value without end, says no more than its beginning."""
    return _WITHOUT_END.sub(r"\1…", line)


def sentence(error: Exception) -> str:
    """What went wrong and what to do."""
    for kinds, tell in _TOLD:
        if isinstance(error, kinds):
            return tell(error)
    return (
        f"This is a fault of the program ({type(error).__name__}): please report it with the "
        "command you gave."
    )


def _of_rabbitmq(error: Exception) -> str:
    if isinstance(error, NotRouted):
        return (
            f"RabbitMQ has no queue for the message ({error}): start the service with "
            "'courier run', which declares the queues, and try again."
        )
    words = _ERRNO.sub("", str(error)) or type(error).__name__
    if isinstance(error, BrokerRefuses):
        return (
            f"RabbitMQ refuses ({words}): give the user of COURIER_AMQP_URL the right, or mend "
            "what it names."
        )
    return f"RabbitMQ cannot be used ({words}): start it, or correct COURIER_AMQP_URL."


def _of_mongodb(error: PyMongoError) -> str:
    words = in_words(error)
    if isinstance(error, InvalidURI | MongoUrlError):
        return f"COURIER_MONGODB_URL cannot be used: {words}."
    if mongodb.is_away(error):
        return f"MongoDB is away ({words}): start it, or correct COURIER_MONGODB_URL."
    return f"MongoDB refuses ({words}): check COURIER_MONGODB_URL and the rights of its user."


def _of_event(error: InvalidEvent) -> str:
    return f"The event would not be accepted: {error.reason}."


def _of_options(error: ValidationError) -> str:
    told = [_by_option(field, each) for field, each in explain_fields(error).items()]
    return f"{'; '.join(told)}."


def _by_option(field: str, told: str) -> str:
    """The sentence about a field, begun with the name of its option instead of its title."""
    declared = settings_field(field)
    title = declared.title if declared else field.replace("_", " ").capitalize()
    return f"--{field.replace('_', '-')}{told.removeprefix(title).rstrip('.')}"


def _of_text(_error: UnicodeEncodeError) -> str:
    return "A value is no text in UTF-8: type it anew."


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
    ((UnicodeEncodeError,), _of_text),
)
