"""The pages of the audit: who changed what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from worker.console.access import PageAccess, Right, of_nobody
from worker.console.pages.frame import framed
from worker.console.pages.render import page
from worker.console.services import services_of
from worker.show import read_account

SHOWN = 50

router = APIRouter()
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/audit")
def audit(_: Provider, request: Request, before: str | None = None) -> Response:
    """Every change on the platform."""
    entries = list(services_of(request).audit.list(None, SHOWN, before))
    return page(request, "audit.html", entries=entries, more=len(entries) == SHOWN)


@router.get("/accounts/{account_id}/audit")
def account_audit(
    principal: Viewer, request: Request, account_id: str, before: str | None = None
) -> Response:
    """Every change of one account."""
    services = services_of(request)
    entries = list(services.audit.list([account_id], SHOWN, before))
    facts = read_account(services.core, account_id)
    return framed(
        request,
        principal,
        "account_audit.html",
        facts,
        entries=entries,
        more=len(entries) == SHOWN,
    )
