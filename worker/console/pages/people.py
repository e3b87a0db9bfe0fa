"""Users and API tokens, of an account or of the service provider."""

import re
from collections.abc import Callable, Iterable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.errors import TokenError
from config.permissions import Principal
from config.text import MAX_NAME
from config.tokens import Token
from config.users import User
from worker.account_facts import read_account
from worker.console.access import FormData, NotFound, PageAccess, Right, of_nobody
from worker.console.errors import Conflict
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.pages.frame import framed
from worker.console.pages.own import Refused, asking, proved
from worker.console.pages.render import REFUSALS, go, page
from worker.console.people_acts import PeopleActs
from worker.console.services import services_of

router = APIRouter()
Viewer = Annotated[Principal, Depends(PageAccess(Right.ADMINISTER))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/accounts/{account_id}/people")
def people(principal: Viewer, request: Request, account_id: str) -> Response:
    """Who may sign in for the account, and its tokens."""
    return _people(request, principal, account_id)


@router.post("/accounts/{account_id}/people")
def change_people(principal: Viewer, request: Request, account_id: str, form: FormData) -> Response:
    """Add or change a user or a token of the account."""
    return _changed(request, principal, account_id, form)


@router.get("/people")
def own_people(principal: Provider, request: Request) -> Response:
    """The service provider's own users and tokens."""
    return _people(request, principal, None)


@router.post("/people")
def change_own_people(principal: Provider, request: Request, form: FormData) -> Response:
    """Add or change a user or a token of the service provider."""
    return _changed(request, principal, None, form)


def _people(
    request: Request,
    principal: Principal,
    account_id: str | None,
    shown_once: tuple[str, str] | None = None,
) -> Response:
    services = services_of(request)
    values: dict[str, Any] = {
        "users": list(services.users.list([account_id])),
        "tokens": list(services.tokens.list([account_id])),
        "shown_once": shown_once,
        "where": f"/accounts/{account_id}/people" if account_id else "/people",
    }
    if account_id is None:
        return page(request, "people.html", **values)
    facts = read_account(services.core, account_id)
    return framed(request, principal, "account_people.html", facts, **values)


def _changed(
    request: Request, principal: Principal, account_id: str | None, form: FormData
) -> Response:
    where = f"/accounts/{account_id}/people" if account_id else "/people"
    try:
        if form.get("do") not in _SHUT_OUT and not proved(principal, request, form):
            return asking(request, where, form, _asked(form))
        return _act(request, principal, account_id, form, where)
    except Refused as refusal:
        return asking(request, where, form, _asked(form), refusal)
    except REFUSALS as refusal:
        return go(request, where, str(refusal), ok=False)


def _act(
    request: Request,
    principal: Principal,
    account_id: str | None,
    form: FormData,
    where: str,
) -> Response:
    services = services_of(request)
    acts = PeopleActs(services, principal)
    do, login, token_id = form.get("do", ""), form.get("login", ""), form.get("token_id", "")
    if do == "create-user":
        only_looks = form.get("role") == "look"
        user, password = acts.create_user(login.strip(), account_id, None, read_only=only_looks)
        once = password.get_secret_value() if password else ""
        return _people(
            request,
            principal,
            account_id,
            (_("The password of %(login)s") % {"login": user.login}, once),
        )
    if do == "create-token":
        _token, secret = acts.create_token(
            form.get("name", ""),
            account_id,
            read_only=form.get("scope") == "read",
            days=_days(form.get("days", "").strip()),
        )
        once = secret.get_secret_value()
        return _people(request, principal, account_id, (_("The new token"), once))
    if do == "revoke-token":
        _check_own(services.tokens.list([account_id]), "token_id", token_id)
        acts.revoke_token(token_id)
        return go(request, where, _("The token was revoked: it opens nothing any more."))
    _check_own(services.users.list([account_id]), "login", login.lower())
    if do == "reset":
        password = acts.reset_password(login, None)
        once = password.get_secret_value() if password else ""
        return _people(
            request,
            principal,
            account_id,
            (_("The new password of %(login)s") % {"login": login}, once),
        )
    act, words = _OF_USER.get(do, (None, ""))
    if act is None:
        raise NotFound
    act(acts, login)
    return go(request, where, _(words) % {"login": login})


_SHUT_OUT = {"revoke-token", "sign-out"}
"""What only takes a way in away, at once: for all else the password is asked for again, so that
nobody makes a way in at a session left open, or takes that of others."""

_OF_USER: dict[str, tuple[Callable[[PeopleActs, str], None], str]] = {
    "disable": (
        lambda acts, login: acts.set_user_disabled(login, disabled=True),
        N_("%(login)s was disabled."),
    ),
    "enable": (
        lambda acts, login: acts.set_user_disabled(login, disabled=False),
        N_("%(login)s was enabled."),
    ),
    "only-look": (
        lambda acts, login: acts.set_read_only(login, read_only=True),
        N_("%(login)s may look and change nothing from now on."),
    ),
    "may-change": (
        lambda acts, login: acts.set_read_only(login, read_only=False),
        N_("%(login)s may look and change things from now on."),
    ),
    "reset-factor": (
        PeopleActs.reset_factor,
        N_("The second factor of %(login)s was forgotten; its sessions ended."),
    ),
    "sign-out": (PeopleActs.end_sessions, N_("All sessions of %(login)s have ended.")),
    "remove": (PeopleActs.remove_user, N_("%(login)s was removed.")),
}


_ASKED = {
    "create-user": N_("Add the user %(of)s"),
    "create-token": N_("Make the token %(of)s"),
    "reset": N_("Make a new password for %(of)s"),
    "disable": N_("Disable the user %(of)s"),
    "enable": N_("Enable the user %(of)s"),
    "only-look": N_("Let the user %(of)s look and change nothing"),
    "may-change": N_("Let the user %(of)s look and change things"),
    "reset-factor": N_("Forget the second factor of %(of)s"),
    "remove": N_("Remove the user %(of)s"),
}


def _asked(form: FormData) -> str:
    """What the form is about to do. Raises NotFound where it is nothing that is known."""
    words = _ASKED.get(form.get("do", ""))
    if words is None:
        raise NotFound
    of = form.get("name" if form.get("do") == "create-token" else "login", "")
    return _(words) % {"of": of[:MAX_NAME]}


def _days(text: str) -> int | None:
    """The days until a token ends; None: never. Raises TokenError."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise TokenError(_("Days must be a number, or left empty for a token without an end."))
    return int(text)


def _check_own(found: Iterable[User | Token], name: str, wanted: str) -> None:
    """Check that the user or token of the form belongs to the account that the route has checked.

    One of another account is answered like one that does not exist.
    """
    if wanted not in {getattr(each, name) for each in found}:
        raise Conflict(_("That is not one of this account."))
