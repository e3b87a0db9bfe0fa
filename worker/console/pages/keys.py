"""The key of an account: generated here, its public half shown to be copied."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from config.ssh_keys import KeyType
from worker.console.access import HX_REQUEST, FormData, NotFound, PageAccess, Right
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.pages.render import REFUSALS, go, page
from worker.console.services import services_of

router = APIRouter(prefix="/accounts/{account_id}/ftp/key")
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]


@router.post("")
def change(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Generate a key pair, or discard the one that waits for its test."""
    services = services_of(request)
    acts, problem = Acts(services, principal), ""
    try:
        _do(acts, account_id, form)
    except REFUSALS as refusal:
        problem = str(refusal)
    if HX_REQUEST not in request.headers:
        sentence = problem or _("The keys are as shown here.")
        return go(request, f"/accounts/{account_id}/ftp", sentence, ok=not problem)
    return page(
        request,
        "account_key.html",
        account=services.directory.get(account_id),
        key_types=list(KeyType),
        may_change=True,
        problem=problem,
    )


def _do(acts: Acts, account_id: str, form: FormData) -> None:
    match form.get("do"), form.get("type"):
        case "generate", kind if kind in list(KeyType):
            acts.generate_key(account_id, KeyType(kind))
        case "discard", _:
            acts.discard_key(account_id)
        case _:
            raise NotFound
