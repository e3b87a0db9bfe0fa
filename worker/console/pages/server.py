"""What is known of an account's server, and a test of the settings as they are stored."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import HX_REQUEST, PageAccess, Right
from worker.console.limits import TooManyRequests
from worker.console.pages.frame import framed
from worker.console.pages.render import go, page
from worker.console.services import services_of
from worker.console.validation import Act, TooManyTests
from worker.ftp_settings import NOTHING_GIVEN
from worker.known_server import encryption, host_key_history

router = APIRouter(prefix="/accounts/{account_id}/server")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]


@router.get("")
def server(principal: Viewer, request: Request, account_id: str, run: str = "") -> Response:
    """What the test found, what was agreed on, and the host keys with their history."""
    services = services_of(request)
    facts = read_account(services.core, account_id)
    settings = facts.account.settings
    return framed(
        request,
        principal,
        "server.html",
        facts,
        encryption=list(encryption(settings)) if settings else [],
        history=host_key_history(services.audit, account_id),
        may_change=principal.may_change(account_id, services.directory.find),
        run=services.validations.find(account_id, run) if run else None,
        is_fragment=False,
    )


@router.post("/test")
def try_stored(principal: Changer, request: Request, account_id: str) -> Response:
    """Begin a test of the stored settings: nothing is saved."""
    services, where = services_of(request), f"/accounts/{account_id}/server"
    try:
        run = services.validations.start(principal, account_id, {}, NOTHING_GIVEN, Act.TRY_STORED)
    except (TooManyTests, TooManyRequests) as refusal:
        if HX_REQUEST in request.headers:
            return page(request, "refused.html", status=422, problems={"": str(refusal)})
        return go(request, where, str(refusal), ok=False)
    if HX_REQUEST in request.headers:
        return page(request, "test.html", run=run, is_fragment=True)
    return RedirectResponse(f"{where}?run={run.run_id}", HTTPStatus.SEE_OTHER)
