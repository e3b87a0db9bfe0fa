"""The Permissions tab: "FTP Access" of the account and of those beneath it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of

SHOWN = 200
"""Accounts beneath it that are listed; the list of accounts leads to the others."""

router = APIRouter(prefix="/accounts/{account_id}/permissions")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Granter = Annotated[Principal, Depends(PageAccess(Right.GRANT))]


@router.get("")
def permissions(principal: Viewer, request: Request, account_id: str) -> Response:
    """Who has the permission, and who may be given it."""
    services = services_of(request)
    find = services.directory.find
    facts = read_account(services.core, account_id)
    children = services.directory.children(account_id, SHOWN + 1)
    return framed(
        request,
        principal,
        "permissions.html",
        facts,
        may_grant=principal.may_grant(account_id, find),
        children=[(each, facts.permitted and each.ftp_access) for each in children[:SHOWN]],
        are_more=len(children) > SHOWN,
        may_pass_on=facts.permitted
        and all(principal.may_grant(each.account_id, find) for each in children[:1]),
    )


@router.post("")
def grant(principal: Granter, request: Request, account_id: str, form: FormData) -> Response:
    """Grant or revoke the account's FTP Access."""
    granted = form.get("ftp_access") == "granted"
    back = form.get("back", "")
    find = services_of(request).directory.find
    where = back if principal.may_see(back, find) and find(back) else account_id
    place = f"/accounts/{where}/permissions"
    try:
        Acts(services_of(request), principal).set_ftp_access(account_id, granted=granted)
    except REFUSALS as refusal:
        return go(request, place, str(refusal), ok=False)
    yes = _("FTP Access was granted to %(account_id)s.")
    words = yes if granted else _("FTP Access was revoked from %(account_id)s.")
    return go(request, place, words % {"account_id": account_id})
