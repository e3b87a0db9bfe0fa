"""Signing in, by password and the second factor's code, and out."""

import re
from hmac import compare_digest
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from config.audit import Action
from config.errors import SecretError
from config.factors import Means
from config.permissions import Principal
from config.users import User
from worker.console.access import (
    SESSION_COOKIE,
    FormData,
    PageAccess,
    Right,
    cookie_of,
    signed_in,
)
from worker.console.language import languages
from worker.console.language import mark as N_
from worker.console.pages.entrance import (
    BUSY,
    WRONG,
    Busy,
    address_of,
    device_of,
    is_right,
    note_failure,
    note_wrong_code,
    too_many,
)
from worker.console.pages.entrance import sign_in as enter
from worker.console.pages.render import forget_cookie, page, set_cookie
from worker.console.reader import LANGUAGE_COOKIE, LANGUAGE_SECONDS
from worker.console.services import Services, services_of
from worker.console.sessions import CODE_SECONDS, HalfSignIn

NO_KEYS = N_(
    "Nobody can sign in, because the platform has no key: its operator sets COURIER_SECRET_KEYS "
    "('courier secrets generate' prints one)."
)
WRONG_CODE = N_("This code is not right, or it was used already: wait for the next one.")
UNREADABLE = N_(
    "Codes of an authenticator cannot be checked at this moment: use a recovery code, or ask your "
    "administrator."
)
HALF_COOKIE = "courier_half"
_LOCAL_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")

router = APIRouter()
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


@router.get("/sign-in")
def sign_in_page(_: Anybody, request: Request, to: str = "/", language: str = "") -> Response:
    """The form. A signed-in user is sent on; `language` is kept for this browser."""
    services = services_of(request)
    if language in languages():
        wanted = _safe(to)
        query = f"?{urlencode({'to': wanted})}" if wanted != "/" else ""
        response = RedirectResponse(f"/sign-in{query}", HTTPStatus.SEE_OTHER)
        set_cookie(request, response, LANGUAGE_COOKIE, language, seconds=LANGUAGE_SECONDS)
        return response
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
        words = too_many(wait)
        return _form(request, to, words, HTTPStatus.TOO_MANY_REQUESTS, login, wait)
    try:
        user = is_right(services, login, form.get("password", ""), is_known=device is not None)
    except Busy:
        return _form(request, to, BUSY, HTTPStatus.SERVICE_UNAVAILABLE, login)
    if user is None:
        note_failure(services, login, address)
        return _form(request, to, WRONG, HTTPStatus.UNPROCESSABLE_ENTITY, login)
    services.signins.succeeded(login, address, device)
    return _half_signed_in(request, user, to) if user.has_factor else _signed_in(request, user, to)


@router.get("/sign-in/code")
def code_page(_: Anybody, request: Request) -> Response:
    """The form for the second factor's code, after the password."""
    half = _half(request)
    return _to_password() if half is None else _code_form(request, half, None)


@router.post("/sign-in/code")
def check_code(_: Anybody, request: Request, form: FormData) -> Response:
    """Check the code, within the limits, and begin a session."""
    services, half = services_of(request), _half(request)
    if half is None or not compare_digest(form.get("csrf", "").encode(), half.csrf.encode()):
        return _to_password()
    user = services.users.find(half.login)
    if user is None or user.disabled or user.session_epoch != half.epoch:
        return _to_password()
    device = device_of(request, user.login)
    wait = services.signins.attempt_code(user.login, device)
    if wait > 0:
        words = too_many(wait)
        return _code_form(request, half, words, HTTPStatus.TOO_MANY_REQUESTS, wait)
    try:
        means = services.factors.accept(user.login, form.get("code", ""))
    except SecretError:
        return _code_form(request, half, UNREADABLE, HTTPStatus.SERVICE_UNAVAILABLE)
    if means is None:
        note_wrong_code(services, user, address_of(request))
        return _code_form(request, half, WRONG_CODE, HTTPStatus.UNPROCESSABLE_ENTITY)
    services.signins.code_succeeded(user.login, device)
    if means is Means.RECOVERY:
        _note_recovery(services, user)
    response = _signed_in(request, user, half.to)
    forget_cookie(request, response, HALF_COOKIE)
    return response


@router.post("/sign-out")
def sign_out(
    principal: Annotated[Principal, Depends(PageAccess(Right.OWN))], request: Request
) -> Response:
    """End the session at the server, so that no copy of its cookie opens anything."""
    services = services_of(request)
    services.sessions.end(request.state.session)
    after = {"address": address_of(request)}
    services.audit.record(principal.login, Action.SIGNED_OUT, principal.account_id, {}, after)
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    forget_cookie(request, response, SESSION_COOKIE)
    return response


def _signed_in(request: Request, user: User, to: str) -> Response:
    return enter(request, user, lambda: RedirectResponse(_safe(to), HTTPStatus.SEE_OTHER))


def _half_signed_in(request: Request, user: User, to: str) -> Response:
    response = RedirectResponse("/sign-in/code", HTTPStatus.SEE_OTHER)
    half = services_of(request).sessions.half(user, _safe(to))
    set_cookie(request, response, HALF_COOKIE, half, seconds=CODE_SECONDS)
    return response


def _half(request: Request) -> HalfSignIn | None:
    return services_of(request).sessions.read_half(cookie_of(request, HALF_COOKIE))


def _to_password() -> Response:
    """Back to where a sign-in begins: its half was too old, or is not true any more."""
    return RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)


def _note_recovery(services: Services, user: User) -> None:
    factor = services.factors.find(user.login)
    after = {"left": factor.recovery_left if factor else 0}
    services.audit.record(
        user.login, Action.RECOVERY_CODE_USED, user.account_id, {}, after, target=user.login
    )


def _form(
    request: Request,
    to: str,
    problem: str | None,
    status: int = HTTPStatus.OK,
    login: str = "",
    wait: float = 0,
) -> Response:
    values = {"problem": problem, "login": login, "to": _safe(to)}
    return _answer(request, "sign_in.html", status, wait, values)


def _code_form(
    request: Request,
    half: HalfSignIn,
    problem: str | None,
    status: int = HTTPStatus.OK,
    wait: float = 0,
) -> Response:
    values = {"problem": problem, "half": half}
    return _answer(request, "sign_in_code.html", status, wait, values)


def _answer(
    request: Request, template: str, status: int, wait: float, values: dict[str, Any]
) -> Response:
    response = page(request, template, status=int(status), **values)
    if wait:
        response.headers["Retry-After"] = str(max(1, round(wait)))
    return response


def _safe(to: str) -> str:
    """A page of ours, never another site (`//evil.example` is one)."""
    is_local = _LOCAL_PATH.fullmatch(to) and not to.startswith("//")
    return to if is_local else "/"
