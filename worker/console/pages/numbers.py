"""The Numbers tab: where the recordings of each number go."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.accounts import DeliveryMethod
from config.numbers import Number
from config.permissions import Principal
from worker.console.access import FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.errors import Conflict
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of
from worker.show import read_account

SHOWN = 500

router = APIRouter(prefix="/accounts/{account_id}/numbers")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER))]


@router.get("")
def numbers(principal: Viewer, request: Request, account_id: str) -> Response:
    """The account's numbers and its default method."""
    services = services_of(request)
    found = list(services.directory.numbers([account_id]))
    return framed(
        request,
        principal,
        "numbers.html",
        read_account(services.core, account_id),
        numbers=found[:SHOWN],
        count=len(found),
        methods=list(DeliveryMethod),
        may_change=principal.may_change(account_id, services.directory.find),
    )


@router.post("")
def set_number(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Store a number's method."""
    number = form.get("number", "").strip()
    try:
        chosen = Number(number, account_id, _method(form.get("method", "")))
        chosen = Acts(services_of(request), principal).set_number(chosen)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    words = f"Recordings of {chosen.number} go by {chosen.method.label}."
    return go(request, f"/accounts/{account_id}/numbers", words)


@router.post("/default")
def set_default(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Store the method of recordings that have no number, or one that is not known."""
    try:
        method = _method(form.get("method", ""))
        Acts(services_of(request), principal).set_default_method(account_id, method)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    words = f"Recordings without a known number go by {method.label}."
    return go(request, f"/accounts/{account_id}/numbers", words)


@router.post("/remove")
def remove(principal: Provider, request: Request, account_id: str, form: FormData) -> Response:
    """Forget a number."""
    number = form.get("number", "")
    try:
        Acts(services_of(request), principal).remove_number(account_id, number)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/numbers", str(refusal), ok=False)
    return go(request, f"/accounts/{account_id}/numbers", f"The number {number} was removed.")


def _method(value: str) -> DeliveryMethod:
    try:
        return DeliveryMethod(value)
    except ValueError:
        raise Conflict("Choose a delivery method: FTP, FTP & Email or Email.") from None
