"""Middleware before all routes: limits on the body, a check of the origin, security headers, HEAD.

Plain ASGI, so that a request that is refused here costs nothing more.
"""

import asyncio
import json
from collections.abc import Iterable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from config.mail_links import PATH as BY_MAIL
from worker.console.language import gettext as _
from worker.console.language import mark as N_

MAX_BODY = 64 * 1024
BODY_SECONDS = 10.0
"""Longest time a client may take to send its body."""
SAFE = {"GET", "HEAD", "OPTIONS"}
API = "/api/"
STATIC = "/static/"
_PORTS = {"http": 80, "https": 443}
_ELSEWHERE = N_(
    "The request came from another site's page. Where a proxy stands before the console, its "
    "operator names it in COURIER_TRUSTED_PROXIES, or the console's address in "
    "COURIER_CONSOLE_URL."
)

_POLICY = (
    "default-src 'none'; "
    "style-src 'self'; "
    "script-src 'self'; "
    "img-src 'self'; "
    "connect-src 'self'; "
    "form-action 'self'; "
    "base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class _Gone(Exception):
    """The client left."""


class SecurityHeaders:
    """Puts the security headers on every answer; nothing but the static files may be stored."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                if scope.get("scheme") == "https":
                    headers["Strict-Transport-Security"] = "max-age=31536000"
                if not scope["path"].startswith(STATIC):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


class SameOrigin:
    """Refuses a change that another site's page asked the browser for.

    Two are left out: the API, which takes no cookie, and the page of an e-mail's link, which goes
    by the link's signature alone, because mail programs send its form themselves (RFC 8058). A
    browser names the origin of every unsafe request (Fetch standard, "append a request Origin
    header").
    """

    def __init__(self, app: ASGIApp, console_url: str | None = None) -> None:
        self._app = app
        self._console_url = console_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_guarded = scope["type"] == "http" and scope["method"] not in SAFE
        if is_guarded and not scope["path"].startswith((API, BY_MAIL)):
            headers = Headers(scope=scope)
            own = (f"{scope['scheme']}://{headers.get('host', '')}", self._console_url)
            if not is_same_origin(headers.get("origin"), own):
                await refuse(send, HTTPStatus.FORBIDDEN, _(_ELSEWHERE))
                return
        await self._app(scope, receive, send)


class LimitedBody:
    """Bounds the size of a request's body, and the time it may take to arrive."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await asyncio.wait_for(_body(scope, receive), BODY_SECONDS)
        except _Gone:
            return  # half of what was sent must not be taken for the whole
        except TimeoutError:
            words = _("The request did not arrive in time.")
            await refuse(send, HTTPStatus.REQUEST_TIMEOUT, words)
            return
        if body is None:
            words = _("The request is larger than %(most)s KiB.") % {"most": MAX_BODY // 1024}
            await refuse(send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, words)
            return
        await self._app(scope, _replayed(body, receive), send)


class HeadAsGet:
    """Answers HEAD as GET (RFC 9110 section 9.3.2). uvicorn leaves the body of the answer out."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_head = scope["type"] == "http" and scope["method"] == "HEAD"
        await self._app({**scope, "method": "GET"} if is_head else scope, receive, send)


def is_same_origin(origin: str | None, own: Iterable[str | None]) -> bool:
    """Whether a browser's request came from a page of this console: scheme, host and port."""
    parts = None if origin is None else origin_of(origin)
    return parts is not None and parts in {origin_of(each) for each in own if each}


def origin_of(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host and port of an address, as browsers compare them; None where it is none."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


async def refuse(send: Send, status: HTTPStatus, message: str) -> None:
    """Answer with the one shape of errors, and close."""
    body = json.dumps({"error": {"message": message}}).encode()
    headers: Iterable[tuple[bytes, bytes]] = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    )
    await send({"type": "http.response.start", "status": status.value, "headers": list(headers)})
    await send({"type": "http.response.body", "body": body})


async def _body(scope: Scope, receive: Receive) -> bytes | None:
    """The whole body; None where it is too large. Raises _Gone where the client left."""
    announced = Headers(scope=scope).get("content-length", "0")
    if announced.isdigit() and int(announced) > MAX_BODY:
        return None
    body = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise _Gone
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replayed(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
