"""The Numbers tab: where the recordings of each number go."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.accounts import DeliveryMethod
from config.numbers import Number
from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.errors import Conflict
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import translated
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of

SHOWN = 500

router = APIRouter(prefix="/accounts/{account_id}/numbers")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER))]


@router.get("")
def numbers(principal: Viewer, request: Request, account_id: str) -> Response:
    """The account's numbers and its default method."""
    services = services_of(request)
    return framed(
        request,
        principal,
        "numbers.html",
        read_account(services.core, account_id),
        numbers=list(services.directory.numbers([account_id], SHOWN)),
        count=services.directory.count_numbers(account_id),
        methods=list(DeliveryMethod),
        may_change=principal.may_change(account_id, services.directory.find),
    )


@router.post("")
def set_number(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Store a number's method."""
    number = form.get("number", "").strip()
    try:
        chosen = Number(number, account_id, _method(form.get("method", "")))
        acts = Acts(services_of(request), principal)
        chosen = acts.set_number(chosen, allow_short=form.get("allow_short") == "yes")
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    words = _("Recordings of %(number)s go by %(method)s.") % {
        "number": chosen.number,
        "method": translated(chosen.method.label),
    }
    return go(request, f"/accounts/{account_id}/numbers", words)


@router.post("/default")
def set_default(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Store the method of recordings that have no number, or one that is not known."""
    try:
        method = _method(form.get("method", ""))
        Acts(services_of(request), principal).set_default_method(account_id, method)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    words = _("Recordings without a known number go by %(method)s.")
    told = words % {"method": translated(method.label)}
    return go(request, f"/accounts/{account_id}/numbers", told)


@router.post("/remove")
def remove(principal: Provider, request: Request, account_id: str, form: FormData) -> Response:
    """Forget a number."""
    number = form.get("number", "")
    try:
        Acts(services_of(request), principal).remove_number(account_id, number)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    words = _("The number %(number)s was removed.") % {"number": number}
    return go(request, f"/accounts/{account_id}/numbers", words)


def _method(value: str) -> DeliveryMethod:
    try:
        return DeliveryMethod(value)
    except ValueError:
        raise Conflict(N_("Choose a delivery method: FTP, FTP & Email or Email.")) from None
