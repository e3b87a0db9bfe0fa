"""A forgotten password: a link is asked for, and another password chosen by it.

The answer is the same whether the login exists, and takes the same database calls: an e-mail, to
nobody where there is no such login, is put aside, and sent by another part of the program. Opening
the link changes nothing, because programs that check e-mails open every link.
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import SecretStr
from starlette.responses import Response

from config.audit import Action
from config.errors import UserError
from config.password_links import LINK_SECONDS, PATH
from worker.console.access import FormData, PageAccess, Right
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.limits import PASSWORD_MAILS, TooManyRequests
from worker.console.pages.entrance import address_of
from worker.console.pages.render import go, page
from worker.console.services import services_of

MINUTES = LINK_SECONDS // 60
_OVER = N_("This link does not work any more: it is too old, was used, or a later one was made.")

router = APIRouter()
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


@router.get("/forgotten-password")
def forgotten_page(_anybody: Anybody, request: Request) -> Response:
    """The form; without the console's address, whom to ask."""
    return _asked(request)


@router.post("/forgotten-password")
def ask(_anybody: Anybody, request: Request, form: FormData) -> Response:
    """Have a link sent to the login's address, within the limits."""
    services, login = services_of(request), form.get("login", "").strip()
    if not services.password_links.possible:
        return _asked(request)
    try:
        services.limits.ask_for_password(address_of(request))
    except TooManyRequests as refusal:
        answer = _asked(request, status=HTTPStatus.TOO_MANY_REQUESTS, problem=str(refusal))
        answer.headers["Retry-After"] = str(refusal.seconds)
        return answer
    if services.limits.may_mail_password(login):
        user = services.users.find(login)
        services.outbox.store_password_link(user.login if user else None, address_of(request))
    return _asked(request, login=login)


@router.get(PATH)
def new_password_page(_anybody: Anybody, request: Request, token: str = "") -> Response:
    """The form for another password, by the link of an e-mail."""
    return _form(request, token)


@router.post(PATH)
def choose(_anybody: Anybody, request: Request, form: FormData) -> Response:
    """Store the password; the link and all sessions end. Nobody is signed in by it."""
    services, token = services_of(request), form.get("token", "")
    if form.get("new", "") != form.get("again", ""):
        return _form(request, token, _("The new password was not typed the same twice."))
    try:
        login = services.password_links.use(token, SecretStr(form.get("new", "")))
    except UserError as refusal:
        return _form(request, token, str(refusal))
    if login is None:
        return _form(request, token)
    user, address = services.users.get(login), address_of(request)
    services.sessions.end_all(login)
    services.signins.succeeded(login, address)
    after = {"address": address}
    services.audit.record(login, Action.PASSWORD_RENEWED, user.account_id, {}, after, target=login)
    return go(request, "/sign-in", _("Your new password is stored: sign in with it."))


def _asked(
    request: Request, *, status: int = HTTPStatus.OK, login: str | None = None, problem: str = ""
) -> Response:
    return page(
        request,
        "forgotten_password.html",
        status=int(status),
        possible=services_of(request).password_links.possible,
        asked=login,
        problem=problem,
        minutes=MINUTES,
        most=PASSWORD_MAILS.burst,
    )


def _form(request: Request, token: str, problem: str | None = None) -> Response:
    login = services_of(request).password_links.login_of(token)
    is_over = login is None
    return page(
        request,
        "new_password.html",
        status=HTTPStatus.UNPROCESSABLE_ENTITY if is_over or problem else HTTPStatus.OK,
        login=login,
        token=token,
        problem=_OVER if is_over else problem,
    )
