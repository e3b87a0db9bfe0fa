"""One's own password."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import SecretStr
from starlette.responses import Response

from config.audit import Action
from config.errors import UserError
from config.permissions import Principal
from config.sessions import SESSION_SECONDS
from worker.console.access import SESSION_COOKIE, FormData, PageAccess, Right
from worker.console.pages.render import go, page, set_cookie
from worker.console.pages.signin import (
    BUSY,
    TOO_MANY,
    WRONG,
    Busy,
    address_of,
    device_of,
    is_right,
    note_failure,
)
from worker.console.services import services_of

router = APIRouter(prefix="/password")
Oneself = Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))]


@router.get("")
def password_page(_: Oneself, request: Request) -> Response:
    """The form."""
    return page(request, "password.html", problem=None)


@router.post("")
def change_password(principal: Oneself, request: Request, form: FormData) -> Response:
    """Store another password; all other sessions end."""
    services = services_of(request)
    login, address = principal.login, address_of(request)
    wait = services.signins.attempt(login, address, device_of(request, login))
    if wait > 0:
        return _refused(request, TOO_MANY.format(max(1, round(wait))), 429)
    if form.get("new", "") != form.get("again", ""):
        return _refused(request, "The new password was not typed the same twice.")
    try:
        user = is_right(services, login, form.get("current", ""), is_known=True)
    except Busy:
        return _refused(request, BUSY, HTTPStatus.SERVICE_UNAVAILABLE)
    if user is None:
        note_failure(services, login, address)
        return _refused(request, WRONG)
    services.signins.succeeded(login, address, device_of(request, login))
    try:
        services.users.reset_password(login, SecretStr(form.get("new", "")))
    except UserError as error:
        return _refused(request, str(error))
    services.sessions.end_all(login)
    after = {"address": address}
    services.audit.record(login, Action.PASSWORD_CHANGED, user.account_id, {}, after, target=login)
    response = go(request, "/", "Your password was changed; your other sessions have ended.")
    session = services.sessions.begin(services.users.get(login))
    set_cookie(request, response, SESSION_COOKIE, session, seconds=SESSION_SECONDS)
    return response


def _refused(
    request: Request, problem: str, status: int = HTTPStatus.UNPROCESSABLE_ENTITY
) -> Response:
    return page(request, "password.html", status=int(status), problem=problem)
