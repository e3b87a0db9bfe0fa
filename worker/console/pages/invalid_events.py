"""Events that could not be used, for the service provider: what lies in `recordings.invalid`."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.documents import clock
from config.errors import FieldRefused
from config.permissions import Principal
from consumers.intake.invalid_queue import PART, InvalidFilter, look_at_invalid
from consumers.ledger.bulk_actions import Subject, Verb
from worker.console.access import FormData, PageAccess, Right, of_nobody
from worker.console.bulk_acts import BulkActs
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.pages.bulk import (
    MAX_PICKED,
    Question,
    answered,
    ask,
    moment_of,
    picked,
    text_of,
    verb_of,
)
from worker.console.pages.render import REFUSALS, go, page
from worker.console.parameters import takes
from worker.console.services import services_of

WHERE = "/invalid-events"
FILTERS = ("reason", "account")
RECENT = 5
LAST_PAGE = PART // MAX_PICKED
DIGITS = len(str(LAST_PAGE))
_CONSEQUENCES = {
    Verb.REPLAY: N_(
        "They are published again as they came. Those that still cannot be used come "
        "back here with their reason."
    ),
    Verb.DISCARD: N_(
        "They are taken out for good: the recordings that they name are never delivered by them."
    ),
}

router = APIRouter(prefix=WHERE)
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("", dependencies=[takes(*FILTERS, "page")])
def invalid_events(principal: Provider, request: Request) -> Response:
    """The reasons, and a page of the events that match."""
    services, values = services_of(request), request.query_params
    number = _page_number(values)
    found = look_at_invalid(
        services.core.settings.rabbitmq,
        _filter(values),
        (number - 1) * MAX_PICKED,
        MAX_PICKED,
    )
    kept = {name: values[name] for name in FILTERS if values.get(name)}
    has_more = number * MAX_PICKED < found.matching
    return page(
        request,
        "invalid_events.html",
        found=found,
        chosen=kept,
        number=number,
        newer=_address(kept, number - 1) if number > 1 else None,
        older=_address(kept, number + 1) if has_more else None,
        may_change=not principal.read_only,
        actions=services.ledger.bulk_actions.recent(None, RECENT, Subject.INVALID_EVENTS),
    )


@router.post("/confirm")
def confirm(_: Provider, request: Request, form: FormData) -> Response:
    """Ask before anything is done."""
    verb = verb_of(form)
    try:
        chosen = _chosen(form)
    except FieldRefused as refusal:
        return go(request, WHERE, str(refusal), ok=False)
    core = services_of(request).core
    rabbitmq, now = core.settings.rabbitmq, clock(core.database)
    question = Question(
        verb,
        Subject.INVALID_EVENTS,
        WHERE,
        f"{WHERE}/act",
        look_at_invalid(rabbitmq, chosen, 0, 0, arrived_by=now).matching,
        False,  # noqa: FBT003 - customers have no such page
        _consequence(verb),
        _told(chosen),
        {name: value for name, value in form.items() if name != "csrf"},
        now,
    )
    return ask(request, question)


@router.post("/act")
def act(principal: Provider, request: Request, form: FormData) -> Response:
    """Begin what was asked."""
    verb, acts = verb_of(form), BulkActs(services_of(request), principal)
    try:
        chosen, asked_at = _chosen(form), moment_of(form, "asked_at")
        action = acts.invalid_events(verb, chosen, form.get("action_id"), asked_at)
    except REFUSALS as refusal:
        return go(request, WHERE, str(refusal), ok=False)
    return answered(request, WHERE, action)


def _filter(values: Mapping[str, str]) -> InvalidFilter:
    return InvalidFilter(text_of(values, "reason") or "", text_of(values, "account"))


def _chosen(form: Mapping[str, str]) -> InvalidFilter:
    """The ticked ones, or all that match the filter. Raises FieldRefused."""
    ids = picked(form)
    return _filter(form) if ids is None else InvalidFilter(event_ids=ids)


def _page_number(values: Mapping[str, str]) -> int:
    """Which page is asked for. Raises FieldRefused."""
    given = text_of(values, "page") or "1"
    number = int(given) if given.isascii() and given.isdecimal() and len(given) <= DIGITS else 0
    if not 1 <= number <= LAST_PAGE:
        words = _("'page' must be a whole number from 1 to %(last)s.")
        raise FieldRefused("page", words % {"last": LAST_PAGE})
    return number


def _consequence(verb: Verb) -> str:
    return _(_CONSEQUENCES[verb])


def _address(kept: Mapping[str, str], number: int) -> str:
    return f"{WHERE}?{urlencode({**kept, 'page': number})}"


def _told(chosen: InvalidFilter) -> dict[str, str]:
    told = {_("Reason"): chosen.reason, _("Account"): chosen.account_id or ""}
    told[_("Chosen")] = "" if chosen.event_ids is None else _("the ticked ones")
    return {name: words for name, words in told.items() if words}
