"""The one map from errors to a status and the sentence that people and programs read."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from amqp.exceptions import AMQPError
from fastapi.exceptions import RequestValidationError
from kombu.exceptions import KombuError
from pydantic import ValidationError
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException

from config.errors import (
    AccountError,
    ConfigError,
    FieldRefused,
    NumberError,
    SearchUnavailable,
    SecretError,
    TokenError,
    UnknownAccount,
    UserError,
)
from config.fields import explain, explain_problems
from consumers.amqp.connection import BrokerAway, NotRouted
from worker.alert_mail import TooManyTestMails
from worker.console.access import Forbidden, NotFound, NotSignedIn
from worker.console.language import mark as N_
from worker.console.limits import TooManyRequests
from worker.console.validation import TooManyTests

BROKER_AWAY = N_(
    "RabbitMQ is away: nothing was changed that is not shown as changed. Try again in a minute."
)
DATABASE_AWAY = N_(
    "MongoDB is away: nothing was changed that is not shown as changed. Try again in a minute."
)


class Conflict(Exception):
    """The thing's state does not allow the request. The text names the state."""


KINDS: dict[type[Exception], HTTPStatus] = {
    NotFound: HTTPStatus.NOT_FOUND,
    Forbidden: HTTPStatus.FORBIDDEN,
    Conflict: HTTPStatus.CONFLICT,
    TooManyTests: HTTPStatus.TOO_MANY_REQUESTS,
    TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    UnknownAccount: HTTPStatus.NOT_FOUND,
    TooManyTestMails: HTTPStatus.TOO_MANY_REQUESTS,
    AccountError: HTTPStatus.CONFLICT,
    UserError: HTTPStatus.CONFLICT,
    TokenError: HTTPStatus.CONFLICT,
    SecretError: HTTPStatus.SERVICE_UNAVAILABLE,
    SearchUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ConfigError: HTTPStatus.CONFLICT,
    BrokerAway: HTTPStatus.SERVICE_UNAVAILABLE,
    NotRouted: HTTPStatus.SERVICE_UNAVAILABLE,
    AMQPError: HTTPStatus.SERVICE_UNAVAILABLE,
    KombuError: HTTPStatus.SERVICE_UNAVAILABLE,
    PyMongoError: HTTPStatus.SERVICE_UNAVAILABLE,
    ValidationError: HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Our own errors and their statuses; the first match counts."""


_OF_STATUS: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: N_(
        "The request cannot be read: correct it, or send less at once, and try again."
    ),
    HTTPStatus.UNAUTHORIZED: N_("The platform may not read this file: tell its operator."),
    HTTPStatus.NOT_FOUND: N_("There is nothing at this address."),
    HTTPStatus.METHOD_NOT_ALLOWED: N_(
        "This address does not take this method: those that it takes stand in the header Allow."
    ),
}
"""What the framework itself answers with."""


def _http_words(error: HTTPException) -> str:
    return _OF_STATUS.get(error.status_code) or f"{error.detail.removesuffix('.')}."


_WORDS: dict[type[Exception], Callable[[Any], str]] = {
    NotFound: lambda _: N_("There is no such thing here, or it is not for you to see."),
    NotSignedIn: lambda _: N_("Sign in first."),
    UnknownAccount: lambda _: N_("There is no such account."),
    BrokerAway: lambda _: BROKER_AWAY,
    NotRouted: lambda _: BROKER_AWAY,
    AMQPError: lambda _: BROKER_AWAY,
    KombuError: lambda _: BROKER_AWAY,
    PyMongoError: lambda _: DATABASE_AWAY,
    HTTPException: _http_words,
}


def told(error: Exception) -> tuple[HTTPStatus, str, dict[str, str]]:
    """The status, the sentence, and a sentence for each wrong field."""
    if isinstance(error, ValidationError | RequestValidationError):
        fields = fields_of(error)
        return HTTPStatus.UNPROCESSABLE_ENTITY, next(iter(fields.values())), fields
    if isinstance(error, NumberError | FieldRefused):
        field = error.field if isinstance(error, FieldRefused) else "number"
        return HTTPStatus.UNPROCESSABLE_ENTITY, str(error), {field: str(error)}
    if isinstance(error, NotSignedIn):
        return HTTPStatus.UNAUTHORIZED, _in_words(error), {}
    if isinstance(error, HTTPException):
        return HTTPStatus(error.status_code), _in_words(error), {}
    for kind, status in KINDS.items():
        if isinstance(error, kind):
            return status, _in_words(error), {}
    structlog.stdlib.get_logger("courier").error("console_failed", exc_info=error)
    words = N_("This is a fault of the program: it was logged, and nothing more is known here.")
    return HTTPStatus.INTERNAL_SERVER_ERROR, words, {}


def headers_of(error: Exception) -> dict[str, str]:
    """The headers of the error's answer."""
    if isinstance(error, TooManyRequests):
        return {"Retry-After": str(error.seconds)}
    return {}


def fields_of(error: ValidationError | RequestValidationError) -> dict[str, str]:
    """A sentence for each field that is wrong; never with the value."""
    if isinstance(error, ValidationError):
        return explain(error)
    problems = [{**each, "loc": _in_body(each["loc"])} for each in error.errors()]
    return explain_problems(problems)


def _in_body(loc: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Without the part of the request (body, query, path); a syntax error has a position only."""
    rest = tuple(loc[1:])
    return () if rest and isinstance(rest[0], int) else rest


def _in_words(error: Exception) -> str:
    return next(
        (tell(error) for kind, tell in _WORDS.items() if isinstance(error, kind)), str(error)
    )
