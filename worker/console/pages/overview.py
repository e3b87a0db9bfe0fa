"""The overview of all accounts, and the tree of them."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from config.permissions import Principal
from consumers.sharding.presence import workers
from worker.console import reading
from worker.console.access import HX_REQUEST, FormData, PageAccess, Right, of_nobody
from worker.console.acts import Acts
from worker.console.pages.render import REFUSALS, go, page
from worker.console.services import services_of

router = APIRouter()
Somebody = Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/")
def home(principal: Somebody) -> Response:
    """The provider's overview; everybody else's own account."""
    where = "/overview" if principal.is_provider else f"/accounts/{principal.account_id}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


@router.get("/overview")
def overview(principal: Somebody, request: Request, q: str = "", state: str = "") -> Response:
    """All accounts that may be seen, the suspended ones first."""
    services = services_of(request)
    is_fragment = request.headers.get(HX_REQUEST) == "true"
    return page(
        request,
        "overview_rows.html" if is_fragment else "overview.html",
        overview=reading.overview(services, principal, q[:100], state, recent=is_fragment),
        workers=len(workers(services.core.database)),
        q=q[:100],
        state=state,
    )


@router.get("/accounts")
def accounts(principal: Somebody, request: Request) -> Response:
    """The accounts as a tree."""
    return page(request, "accounts.html", leaves=reading.tree(services_of(request), principal))


@router.post("/accounts")
def create(principal: Provider, request: Request, form: FormData) -> Response:
    """Add an account."""
    account_id = form.get("account_id", "").strip()
    try:
        Acts(services_of(request), principal).create_account(
            account_id,
            name=form.get("name", "").strip(),
            parent=form.get("parent", "").strip() or None,
            ftp_access="ftp_access" in form,
        )
    except REFUSALS as refusal:
        return go(request, "/accounts", str(refusal), ok=False)
    return go(request, f"/accounts/{account_id}", f"The account {account_id} was created.")
