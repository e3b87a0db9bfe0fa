"""One's own password."""

from fastapi import APIRouter, Request
from pydantic import SecretStr
from starlette.responses import Response

from config.audit import Action
from config.errors import UserError
from config.permissions import Principal
from worker.console.access import Form, FormData
from worker.console.language import gettext as _
from worker.console.pages.entrance import address_of, let_in
from worker.console.pages.own import Oneself, Refused, confirmed
from worker.console.pages.render import go, page
from worker.console.services import services_of

router = APIRouter(prefix="/password")


@router.get("")
def password_page(_oneself: Oneself, request: Request) -> Response:
    """The form."""
    return page(request, "password.html", problem=None)


@router.post("")
def change_password(principal: Oneself, request: Request, form: FormData) -> Response:
    """Store another password; all other sessions end."""
    try:
        _change(principal, request, form)
    except (Refused, UserError) as refusal:
        status = getattr(refusal, "status", 422)
        return page(request, "password.html", status=status, problem=str(refusal))
    words = _("Your password was changed; your other sessions have ended.")
    user = services_of(request).users.get(principal.login)
    return let_in(request, user, lambda: go(request, "/", words))


def _change(principal: Principal, request: Request, form: Form) -> None:
    services, login = services_of(request), principal.login
    if form.get("new", "") != form.get("again", ""):
        raise Refused(_("The new password was not typed the same twice."))
    user = confirmed(principal, request, form.get("current", ""))
    services.users.reset_password(login, SecretStr(form.get("new", "")))
    after = {"address": address_of(request)}
    services.audit.record(login, Action.PASSWORD_CHANGED, user.account_id, {}, after, target=login)
