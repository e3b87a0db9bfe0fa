"""Whose request it is: the language that its answer is told in.

A signed-in person's own choice counts (`signed_in` reads it), else the cookie of the sign-in page,
else what the browser asks for, else English. Programs are answered in English.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from worker.console.access import cookie_of
from worker.console.guards import API
from worker.console.language import ENGLISH, languages, read_by, reading

LANGUAGE_COOKIE = "courier_language"
"""The choice of a reader who is not signed in. It is no secret."""
LANGUAGE_SECONDS = 365 * 86_400
_MOST_PREFERENCES = 20
_LONGEST_HEADER = 500


class ReadersLanguage:
    """Middleware: each request has its reader, by the cookie or by what the browser asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with reading(asked(scope)):
            await self._app(scope, receive, send)


@contextmanager
def read_again(request: Request) -> Iterator[None]:
    """For what answers a request outside of the middleware: its reader, and what he has chosen."""
    with reading(asked(request.scope)):
        principal = getattr(request.state, "principal", None)
        if principal is not None and not request.url.path.startswith(API):
            read_by(principal.language)
        yield


def asked(scope: Scope) -> str:
    """What the request itself asks for, by its cookie or its headers."""
    if scope["path"].startswith(API):
        return ENGLISH
    request = Request(scope)
    chosen = cookie_of(request, LANGUAGE_COOKIE)
    accepted = request.headers.get("accept-language", "")
    return chosen if chosen in languages() else preferred(accepted)


def preferred(accepted: str) -> str:
    """The first of our languages that the browser asks for (RFC 9110 section 12.5.4)."""
    wanted: list[tuple[float, str]] = []
    for each in accepted[:_LONGEST_HEADER].split(",")[:_MOST_PREFERENCES]:
        name, _, quality = each.partition(";")
        wanted.append((-_quality(quality), name.strip().lower().partition("-")[0]))
    found = (code for weight, code in sorted(wanted, key=lambda pair: pair[0]) if weight)
    return next((code for code in found if code in languages()), ENGLISH)


def _quality(text: str) -> float:
    name, _, value = text.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        return min(1.0, max(0.0, float(value)))
    except ValueError:
        return 0.0
