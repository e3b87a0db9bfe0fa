"""Signing in and out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import SecretStr
from starlette.responses import RedirectResponse, Response

from config.audit import Action
from config.permissions import Principal
from config.sessions import SESSION_SECONDS
from config.users import User
from worker.console.access import (
    SESSION_COOKIE,
    FormData,
    PageAccess,
    Right,
    cookie_of,
    signed_in,
)
from worker.console.pages.render import forget_cookie, page, set_cookie
from worker.console.services import Services, services_of
from worker.console.sessions import DEVICE_SECONDS

NO_KEYS = (
    "Nobody can sign in, because the platform has no key: its operator sets COURIER_SECRET_KEYS "
    "('courier secrets generate' prints one)."
)
WRONG = "Login or password is not right."
BUSY = "Many people sign in at this moment: try again in a few seconds."
TOO_MANY = "Too many tries: wait {} seconds, then try again."
DEVICE_COOKIE = "courier_device"
HASHING_SECONDS = 5.0
MAX_WAITING = 8
"""Most sign-ins that wait for a password check: the threads are for all pages."""
FAILURES_SECONDS, SUCCESSES_SECONDS = 3600, 60
"""Repeated failures within this time are one entry of the audit, with a count."""
UNKNOWN = "unknown"
_LOCAL_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")

router = APIRouter()
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


class Busy(Exception):
    """Too many passwords are being checked."""


class _Room:
    """The limit of password checks at once: each takes 19 MiB and a processor."""

    def __init__(self, at_once: int) -> None:
        self._at_once = BoundedSemaphore(at_once)
        self._entrance = BoundedSemaphore(at_once + MAX_WAITING)

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Raises Busy where there is no room within a few seconds."""
        if not self._entrance.acquire(blocking=False):
            raise Busy
        try:
            if not self._at_once.acquire(timeout=HASHING_SECONDS):
                raise Busy
            try:
                yield
            finally:
                self._at_once.release()
        finally:
            self._entrance.release()


_strangers, _known = _Room(2), _Room(1)
"""Sign-ins from known browsers do not queue behind guesses from unknown ones."""


@router.get("/sign-in")
def sign_in_page(_: Anybody, request: Request, to: str = "/") -> Response:
    """The form. A signed-in user is sent on."""
    services = services_of(request)
    if signed_in(services, request) is not None:
        return RedirectResponse(_safe(to), HTTPStatus.SEE_OTHER)
    return _form(request, to, None if services.sessions.possible else NO_KEYS)


@router.post("/sign-in")
def sign_in(_: Anybody, request: Request, form: FormData) -> Response:
    """Check the password, within the limits, and begin a session."""
    services = services_of(request)
    login, to = form.get("login", "").strip(), form.get("to", "/")
    if not services.sessions.possible:
        return _form(request, to, NO_KEYS, HTTPStatus.SERVICE_UNAVAILABLE, login)
    address, device = address_of(request), device_of(request, login)
    wait = services.signins.attempt(login, address, device)
    if wait > 0:
        words = TOO_MANY.format(max(1, round(wait)))
        return _form(request, to, words, HTTPStatus.TOO_MANY_REQUESTS, login, wait)
    try:
        user = is_right(services, login, form.get("password", ""), is_known=device is not None)
    except Busy:
        return _form(request, to, BUSY, HTTPStatus.SERVICE_UNAVAILABLE, login)
    if user is None:
        note_failure(services, login, address)
        return _form(request, to, WRONG, HTTPStatus.UNPROCESSABLE_ENTITY, login)
    services.signins.succeeded(login, address, device)
    return _signed_in(request, services, user, to)


@router.post("/sign-out")
def sign_out(
    principal: Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))], request: Request
) -> Response:
    """End the session at the server, so that no copy of its cookie opens anything."""
    services = services_of(request)
    services.sessions.end(request.state.session)
    after = {"address": address_of(request)}
    services.audit.record(principal.login, Action.SIGNED_OUT, principal.account_id, {}, after)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    forget_cookie(request, response, SESSION_COOKIE)
    return response


def is_right(services: Services, login: str, password: str, *, is_known: bool) -> User | None:
    """The user, if the password is right; else None. Raises Busy."""
    with (_known if is_known else _strangers).enter():
        return services.users.verify(login, SecretStr(password))


def address_of(request: Request) -> str:
    """The address that the request comes from."""
    return request.client.host if request.client else "unknown"


def device_of(request: Request, login: str) -> str | None:
    """The user's known browser; None where this browser is not known."""
    return services_of(request).sessions.device(login, cookie_of(request, DEVICE_COOKIE))


def _signed_in(request: Request, services: Services, user: User, to: str) -> Response:
    services.audit.count(
        user.login,
        Action.SIGNED_IN,
        user.account_id,
        address_of(request),
        every=SUCCESSES_SECONDS,
    )
    response = RedirectResponse(_safe(to), HTTPStatus.SEE_OTHER)
    session = services.sessions.begin(user)
    set_cookie(request, response, SESSION_COOKIE, session, seconds=SESSION_SECONDS)
    device = services.sessions.remember(user.login, cookie_of(request, DEVICE_COOKIE))
    set_cookie(request, response, DEVICE_COOKIE, device, seconds=DEVICE_SECONDS)
    return response


def note_failure(services: Services, login: str, address: str) -> None:
    """Note a failed sign-in in the audit, without an unknown login: it may be a mistyped password.

    A known and an unknown login cost the same number of database calls.
    """
    user = services.users.find(login)
    services.audit.count(
        UNKNOWN,
        Action.SIGN_IN_FAILED,
        user.account_id if user else None,
        address,
        every=FAILURES_SECONDS,
        target=user.login if user else None,
    )


def _form(
    request: Request,
    to: str,
    problem: str | None,
    status: int = HTTPStatus.OK,
    login: str = "",
    wait: float = 0,
) -> Response:
    response = page(
        request, "sign_in.html", status=int(status), problem=problem, login=login, to=_safe(to)
    )
    if wait:
        response.headers["Retry-After"] = str(max(1, round(wait)))
    return response


def _safe(to: str) -> str:
    """A page of ours, never another site (`//evil.example` is one)."""
    is_local = _LOCAL_PATH.fullmatch(to) and not to.startswith("//")
    return to if is_local else "/"
