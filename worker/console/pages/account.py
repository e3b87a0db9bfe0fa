"""One account: what is happening, and what can be done about it."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from worker.console import reading
from worker.console.access import HX_REQUEST, FormData, NotFound, PageAccess, Right
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.numerals import number
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go, page
from worker.console.services import services_of

router = APIRouter(prefix="/accounts/{account_id}")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]

_STATES: dict[str, tuple[Callable[[Acts, str], None], str]] = {
    "pause": (
        Acts.pause,
        N_("The account is paused: files stay queued until somebody resumes it."),
    ),
    "resume": (Acts.resume, N_("The pause is over.")),
    "try-now": (Acts.try_now, N_("The oldest file is tried now.")),
    "enable": (
        lambda acts, account_id: acts.set_enabled(account_id, enabled=True),
        N_("The FTP settings are switched on."),
    ),
    "disable": (
        lambda acts, account_id: acts.set_enabled(account_id, enabled=False),
        N_("The FTP settings are switched off: files stay queued."),
    ),
}


@router.get("")
def activity(principal: Viewer, request: Request, account_id: str) -> Response:
    """What is happening: as a page, or as the part of it that refreshes itself."""
    services = services_of(request)
    seen = reading.activity(services, account_id)
    may_change = principal.may_change(account_id, services.directory.find)
    if request.headers.get(HX_REQUEST) == "true":
        return page(
            request,
            "activity.html",
            activity=seen,
            facts=seen.facts,
            may_change=may_change,
            is_fragment=True,
        )
    return framed(
        request,
        principal,
        "account.html",
        seen.facts,
        activity=seen,
        may_change=may_change,
        is_fragment=False,
    )


@router.post("/state")
def change_state(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Pause, resume, try now, switch on, switch off."""
    act, sentence = _STATES.get(form.get("do", ""), (None, ""))
    if act is None:
        raise NotFound
    try:
        act(Acts(services_of(request), principal), account_id)
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}", str(refusal), ok=False)
    return go(request, f"/accounts/{account_id}", _(sentence))


@router.post("/dead-letters")
def dead_letters(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Replay or discard one dead letter, or the oldest of the account."""
    acts = Acts(services_of(request), principal)
    ids = (form["recording_id"],) if form.get("recording_id") else None
    chosen = DeadLetterFilter(account_id, recording_ids=ids)
    is_provider = principal.is_provider
    if form.get("do") == "replay":
        done = acts.replay(account_id, chosen)
        operators = _("Dead letters on their way again: %(number)s.")
        words = operators if is_provider else _("Skipped files on their way again: %(number)s.")
    elif form.get("do") == "discard":
        done = acts.discard(account_id, chosen)
        operators = _("Dead letters discarded: %(number)s.")
        words = operators if is_provider else _("Skipped files discarded: %(number)s.")
    else:
        raise NotFound
    return go(request, f"/accounts/{account_id}", words % {"number": number(done)}, ok=bool(done))
