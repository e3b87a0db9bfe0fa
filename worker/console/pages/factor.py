"""One's own second factor: set up with an authenticator, new recovery codes, switched off."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import segno
from fastapi import APIRouter, Request
from markupsafe import Markup
from pydantic import SecretStr
from starlette.responses import Response

from config.audit import Action
from config.errors import SecretError, UserError
from config.factors import address_for_authenticators
from config.permissions import Principal
from worker.console.access import Form, FormData, NotFound
from worker.console.language import gettext as _
from worker.console.pages.entrance import (
    address_of,
    device_of,
    let_in,
    note_wrong_code,
    too_many,
)
from worker.console.pages.own import Oneself, Refused, confirmed
from worker.console.pages.render import go, page
from worker.console.pages.signin import WRONG_CODE
from worker.console.services import services_of

PATH = "/second-factor"
router = APIRouter(prefix=PATH)

Step = Callable[[Principal, Request, Form], Response]


@router.get("")
def factor_page(principal: Oneself, request: Request) -> Response:
    """Whether there is one, and what can be done."""
    return _page(principal, request)


@router.post("")
def change_factor(principal: Oneself, request: Request, form: FormData) -> Response:
    """Begin the set-up, confirm it by a code, make new recovery codes, switch it off."""
    step = _STEPS.get(form.get("do", ""))
    if step is None:
        raise NotFound
    try:
        return step(principal, request, form)
    except (Refused, UserError, SecretError) as refusal:
        status = getattr(refusal, "status", _STATUS_OF_SECRETS)
        return _page(principal, request, status=status, problem=str(refusal))


_STATUS_OF_SECRETS = HTTPStatus.CONFLICT.value


def _begin(principal: Principal, request: Request, form: Form) -> Response:
    confirmed(principal, request, form.get("current", ""))
    services_of(request).factors.prepare(principal.login)
    return _page(principal, request)


def _enable(principal: Principal, request: Request, form: Form) -> Response:
    """The session goes on under a new id; those from before the second factor end."""
    services, login = services_of(request), principal.login
    _count(principal, request)
    codes = services.factors.enable(login, form.get("code", ""))
    if codes is None:
        raise Refused(WRONG_CODE)
    services.signins.code_succeeded(login, device_of(request, login))
    _note(principal, request, Action.FACTOR_ENABLED)
    return _again(principal, request, lambda: _page(principal, request, codes=codes))


def _renew(principal: Principal, request: Request, form: Form) -> Response:
    _check_code(principal, request, form)
    codes = services_of(request).factors.renew_recovery(principal.login)
    _note(principal, request, Action.RECOVERY_CODES_MADE)
    return _page(principal, request, codes=codes)


def _disable(principal: Principal, request: Request, form: Form) -> Response:
    _check_code(principal, request, form)
    services_of(request).factors.remove(principal.login)
    _note(principal, request, Action.FACTOR_DISABLED)
    words = _("The second factor is off: your password alone signs you in.")
    return _again(principal, request, lambda: go(request, PATH, words))


_STEPS: dict[str, Step] = {
    "begin": _begin,
    "enable": _enable,
    "renew": _renew,
    "disable": _disable,
}


def _check_code(principal: Principal, request: Request, form: Form) -> None:
    """Take a code, within the limits of signing in. Raises Refused, SecretError."""
    services, login = services_of(request), principal.login
    _count(principal, request)
    if services.factors.accept(login, form.get("code", "")) is None:
        note_wrong_code(services, services.users.get(login), address_of(request))
        raise Refused(WRONG_CODE)
    services.signins.code_succeeded(login, device_of(request, login))


def _count(principal: Principal, request: Request) -> None:
    login = principal.login
    wait = services_of(request).signins.attempt_code(login, device_of(request, login))
    if wait > 0:
        raise Refused(too_many(wait), HTTPStatus.TOO_MANY_REQUESTS)


def _again(principal: Principal, request: Request, answer: Callable[[], Response]) -> Response:
    """End all sessions from before, and go on in this browser."""
    services = services_of(request)
    services.sessions.end_all(principal.login)
    return let_in(request, services.users.get(principal.login), answer)


def _note(principal: Principal, request: Request, action: Action) -> None:
    after = {"address": address_of(request)}
    services_of(request).audit.record(
        principal.login, action, principal.account_id, {}, after, target=principal.login
    )


def _page(
    principal: Principal,
    request: Request,
    *,
    status: int = HTTPStatus.OK,
    problem: str | None = None,
    codes: tuple[str, ...] = (),
) -> Response:
    services = services_of(request)
    waiting = services.factors.prepared(principal.login) if not codes else None
    return page(
        request,
        "factor.html",
        status=int(status),
        problem=problem,
        factor=services.factors.find(principal.login),
        codes=codes,
        **_shown(waiting, principal.login, services.core.settings.platform_name),
    )


def _shown(secret: SecretStr | None, login: str, issuer: str) -> dict[str, Any]:
    """The secret that waits, as a picture for an authenticator and as text to be typed."""
    if secret is None:
        return {"picture": None, "typed": ""}
    text = secret.get_secret_value()
    address = address_for_authenticators(secret, login, issuer)
    groups = [text[at : at + 4] for at in range(0, len(text), 4)]
    return {"picture": _picture(address), "typed": " ".join(groups)}


def _picture(text: str) -> Markup:
    """The text as a QR code, an SVG that stands in the page itself: dark on white in any theme."""
    code = segno.make_qr(text, error="m")
    drawn = code.svg_inline(border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr")
    return Markup(drawn)  # noqa: S704 - segno wrote it, and nothing of the text stands in it
