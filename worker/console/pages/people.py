"""Users and API tokens, of an account or of the service provider."""

import re
from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.errors import TokenError
from config.permissions import Principal
from config.tokens import Token
from config.users import User
from worker.console.access import FormData, NotFound, PageAccess, Right, of_nobody
from worker.console.acts import Acts
from worker.console.errors import Conflict
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go, page
from worker.console.services import services_of
from worker.show import read_account

T = TypeVar("T", User, Token)

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
        "users": _own(services.users.list(_of(account_id)), account_id),
        "tokens": _own(services.tokens.list(_of(account_id)), account_id),
        "shown_once": shown_once,
        "where": f"/accounts/{account_id}/people" if account_id else "/people",
    }
    if account_id is None:
        return page(request, "people.html", **values)
    facts = read_account(services.core, account_id)
    return framed(request, principal, "account_people.html", facts, **values)


def _own(found: Iterable[T], account_id: str | None) -> list[T]:
    """Those of this very account; None: the service provider's own."""
    return [each for each in found if each.account_id == account_id]


def _of(account_id: str | None) -> list[str] | None:
    return None if account_id is None else [account_id]


def _changed(
    request: Request, principal: Principal, account_id: str | None, form: FormData
) -> Response:
    where = f"/accounts/{account_id}/people" if account_id else "/people"
    try:
        return _act(request, principal, account_id, form, where)
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
    acts = Acts(services, principal)
    do, login, token_id = form.get("do", ""), form.get("login", ""), form.get("token_id", "")
    if do == "create-user":
        user, password = acts.create_user(login.strip(), account_id, None)
        once = password.get_secret_value() if password else ""
        return _people(request, principal, account_id, (f"The password of {user.login}", once))
    if do == "create-token":
        _, secret = acts.create_token(
            form.get("name", ""),
            account_id,
            read_only=form.get("scope") == "read",
            days=_days(form.get("days", "").strip()),
        )
        once = secret.get_secret_value()
        return _people(request, principal, account_id, ("The new token", once))
    if do == "revoke-token":
        _check_own(services.tokens.list(_of(account_id)), "token_id", token_id, account_id)
        acts.revoke_token(token_id)
        return go(request, where, "The token was revoked: it opens nothing any more.")
    _check_own(services.users.list(_of(account_id)), "login", login.lower(), account_id)
    if do == "reset":
        password = acts.reset_password(login, None)
        once = password.get_secret_value() if password else ""
        return _people(request, principal, account_id, (f"The new password of {login}", once))
    if do in {"disable", "enable"}:
        acts.set_user_disabled(login, disabled=do == "disable")
        return go(request, where, f"{login} was {do}d.")
    if do == "remove":
        acts.remove_user(login)
        return go(request, where, f"{login} was removed.")
    raise NotFound


def _days(text: str) -> int | None:
    """The days until a token ends; None: never. Raises TokenError."""
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", text):
        raise TokenError("Days must be a number, or left empty for a token without an end.")
    return int(text)


def _check_own(found: Iterable[T], name: str, wanted: str, account_id: str | None) -> None:
    """Check that the user or token of the form belongs to the account that the route has checked.

    One of another account is answered like one that does not exist.
    """
    if wanted not in {getattr(each, name) for each in _own(found, account_id)}:
        raise Conflict("That is not one of this account.")
