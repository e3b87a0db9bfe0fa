"""One's own sessions: since when, from where, with which browser; and signing out of them."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from config.audit import Action
from config.permissions import Principal
from config.sessions import handle_of
from worker.console.access import SESSION_COOKIE, FormData, NotFound
from worker.console.language import gettext as _
from worker.console.pages.entrance import address_of
from worker.console.pages.own import Oneself
from worker.console.pages.render import forget_cookie, go, page
from worker.console.services import services_of

router = APIRouter(prefix="/sessions")


@router.get("")
def sessions(principal: Oneself, request: Request) -> Response:
    """All open sessions, the last used first."""
    return page(
        request,
        "own_sessions.html",
        sessions=services_of(request).sessions.of(principal.login),
        own=handle_of(request.state.session.session_id),
    )


@router.post("")
def sign_out(principal: Oneself, request: Request, form: FormData) -> Response:
    """End one session, or all of them with this one."""
    match form.get("do"):
        case "end":
            return _end_one(principal, request, form.get("session", ""))
        case "everywhere":
            return _end_all(principal, request)
    raise NotFound


def _end_one(principal: Principal, request: Request, handle: str) -> Response:
    services = services_of(request)
    if not services.sessions.end_one(principal.login, handle):
        return go(request, "/sessions", _("That session has ended already."), ok=False)
    after = {"address": address_of(request)}
    services.audit.record(principal.login, Action.SIGNED_OUT, principal.account_id, {}, after)
    return go(request, "/sessions", _("That session was signed out."))


def _end_all(principal: Principal, request: Request) -> Response:
    services, login = services_of(request), principal.login
    services.users.end_sessions(login)
    services.sessions.end_all(login)
    after = {"address": address_of(request)}
    services.audit.record(
        login, Action.SESSIONS_ENDED, principal.account_id, {}, after, target=login
    )
    response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    forget_cookie(request, response, SESSION_COOKIE)
    return response
