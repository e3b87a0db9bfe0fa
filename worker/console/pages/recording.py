"""One recording: its story, and what can be done about it."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from consumers.ledger import Document, Status
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from worker.account_facts import read_state
from worker.console.access import FormData, NotFound, PageAccess, Right, of_recording
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.pages.frame import framed
from worker.console.pages.render import address_of, go
from worker.console.services import services_of
from worker.show import delivery_shape
from worker.story import read_story

router = APIRouter(prefix="/recordings")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE, of_recording))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE, of_recording))]


@router.get("/{recording_id:path}")
def recording(principal: Viewer, request: Request, recording_id: str) -> Response:
    """What became of it, line by line."""
    services, row = services_of(request), _row(request, recording_id)
    account_id = row["account_id"]
    return framed(
        request,
        principal,
        "recording.html",
        read_state(services.core, account_id),
        recording=delivery_shape(row, for_customer=not principal.is_provider),
        recorded=row.get("recorded"),
        story=read_story(services.core, row, is_operator=principal.is_provider),
        is_dead=row["status"] == Status.DEAD_LETTERED,
        may_change=principal.may_change(account_id, services.directory.find),
    )


@router.post("/{recording_id:path}")
def act(principal: Changer, request: Request, recording_id: str, form: FormData) -> Response:
    """Replay or discard it, where it is a dead letter."""
    row, acts = _row(request, recording_id), Acts(services_of(request), principal)
    account_id = row["account_id"]
    chosen = DeadLetterFilter(account_id, recording_ids=(row["_id"],))
    match form.get("do"):
        case "replay":
            done, sentence = acts.replay(account_id, chosen), _("It is on its way again.")
        case "discard":
            done, sentence = acts.discard(account_id, chosen), _("It is given up for good.")
        case _:
            raise NotFound
    where = address_of(row["_id"])
    if not done:
        return go(request, where, _("It is none that waits for this any more."), ok=False)
    return go(request, where, sentence)


def _row(request: Request, recording_id: str) -> Document:
    row = services_of(request).ledger.queries.row(recording_id)
    if row is None:
        raise NotFound
    return row
