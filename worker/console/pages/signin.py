"""Signing in and out."""

import re
from http import HTTPStatus
from threading import BoundedSemaphore
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import SecretStr
from starlette.responses import RedirectResponse, Response

from worker.console.access import (
    SESSION_COOKIE,
    FormData,
    PageAccess,
    Right,
    signed_in,
)
from worker.console.pages.render import page, set_cookie
from worker.console.services import services_of
from worker.console.sessions import SESSION_SECONDS

NO_KEYS = (
    "Nobody can sign in, because the platform has no key: its operator sets COURIER_SECRET_KEYS "
    "('courier secrets generate' prints one)."
)
WRONG = "Login or password is not right."
BUSY = "Many people sign in at this moment: try again in a few seconds."
HASHING_SECONDS = 5.0
_hashing = BoundedSemaphore(2)
"""Each look at a password takes 19 MiB and a processor."""
_LOCAL_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")

router = APIRouter()
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


@router.get("/sign-in")
def sign_in_page(_: Anybody, request: Request, to: str = "/") -> Response:
    """The form; whoever is signed in goes on."""
    services = services_of(request)
    if signed_in(services, request) is not None:
        return RedirectResponse(_safe(to), HTTPStatus.SEE_OTHER)
    return _form(request, to, None if services.sessions.possible else NO_KEYS)


@router.post("/sign-in")
def sign_in(_: Anybody, request: Request, form: FormData) -> Response:
    """Check the password, not too often, and begin a session."""
    services = services_of(request)
    login, to = form.get("login", "").strip(), form.get("to", "/")
    if not services.sessions.possible:
        return _form(request, to, NO_KEYS, HTTPStatus.SERVICE_UNAVAILABLE, login)
    address = request.client.host if request.client else "unknown"
    wait = services.signins.attempt(login, address)
    if wait > 0:
        words = f"Too many tries: wait {max(1, round(wait))} seconds, then try again."
        return _form(request, to, words, HTTPStatus.TOO_MANY_REQUESTS, login, wait)
    if not _hashing.acquire(timeout=HASHING_SECONDS):
        return _form(request, to, BUSY, HTTPStatus.SERVICE_UNAVAILABLE, login)
    try:
        user = services.users.verify(login, SecretStr(form.get("password", "")))
    finally:
        _hashing.release()
    if user is None:
        return _form(request, to, WRONG, HTTPStatus.UNPROCESSABLE_ENTITY, login)
    services.signins.succeeded(login, address)
    response = RedirectResponse(_safe(to), HTTPStatus.SEE_OTHER)
    session = services.sessions.begin(user)
    set_cookie(request, response, SESSION_COOKIE, session, seconds=SESSION_SECONDS)
    return response


@router.post("/sign-out", dependencies=[Depends(PageAccess(Right.SIGNED_IN))])
def sign_out() -> Response:
    """Forget the session."""
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    response.delete_cookie(SESSION_COOKIE, path="/")
    return response


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
