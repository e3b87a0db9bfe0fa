"""What all pages of bulk actions share: what a form has chosen, the question before it, and the
page that tells how far it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.errors import FieldRefused
from config.permissions import Principal
from consumers.ledger.bulk_actions import BulkAction, Subject, Verb
from worker.console import bulk_words
from worker.console.access import (
    HX_REQUEST,
    NotFound,
    PageAccess,
    Right,
    of_bulk_action,
)
from worker.console.bulk_acts import BulkActs, new_action_id
from worker.console.bulk_words import told
from worker.console.language import gettext as _
from worker.console.pages.render import REFUSALS, go, page
from worker.console.services import services_of

MAX_PICKED = 50
"""Rows of a page, each with a box to tick: what a form may have in fields is limited."""
MAX_FIELD = 200
SHOWN_REFUSALS = 200
PICKED = "pick"
"""How the names of the boxes begin."""

router = APIRouter(prefix="/bulk-actions")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE, of_bulk_action))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE, of_bulk_action))]


@dataclass(frozen=True)
class Question:
    """What is asked before anything is done."""

    verb: Verb
    subject: Subject
    where: str
    """The page that it was asked on."""
    to: str
    """Where the answer is sent."""
    count: int
    for_customer: bool
    consequence: str
    told: Mapping[str, str]
    """The filter, in people's words."""
    fields: Mapping[str, str]
    """What the form says again."""
    asked_at: datetime | None = None
    """What comes later is not in the number, and is left alone; None: each is named already."""

    @property
    def title(self) -> str:
        """The question."""
        return f"{self.asked}?"

    @property
    def asked(self) -> str:
        """`Replay 1,234 dead letters`."""
        customer = self.for_customer
        return bulk_words.asked(self.subject, self.verb, self.count, for_customer=customer)


def ask(request: Request, question: Question) -> Response:
    """The page with the question; where there is nothing to ask, the page it came from."""
    if not question.count:
        return go(request, question.where, _("Nothing is left that matches."), ok=False)
    return page(request, "bulk_question.html", question=question, action_id=new_action_id())


def answered(request: Request, where: str, action: BulkAction) -> Response:
    """Where to go once an action has begun: back where it is over, else to its progress."""
    if not action.is_over:
        return go(request, f"/bulk-actions/{action.action_id}")
    if action.refused:
        return go(request, f"/bulk-actions/{action.action_id}")
    return go(request, where, told(action), ok=bool(action.done))


def verb_of(form: Mapping[str, str]) -> Verb:
    """What a form wants done with dead letters or events. Raises NotFound."""
    verbs = {each.value: each for each in (Verb.REPLAY, Verb.DISCARD)}
    if form.get("do") not in verbs:
        raise NotFound
    return verbs[form["do"]]


def picked(form: Mapping[str, str]) -> tuple[str, ...] | None:
    """The ticked rows, in the page's order; None where the form is about all that match.

    Raises FieldRefused where none is ticked.
    """
    if form.get("of") != "picked":
        return None
    names = [name for name in form if name.startswith(PICKED)][:MAX_PICKED]
    if not names:
        raise FieldRefused("of", _("Tick at least one of them first."))
    return tuple(form[name][:MAX_FIELD] for name in names)


def text_of(values: Mapping[str, str], name: str) -> str | None:
    """A field of a filter; None where it is empty. Raises FieldRefused where it is too long."""
    value = values.get(name, "").strip()
    if len(value) > MAX_FIELD:
        words = _("The filter '%(name)s' is too long: give %(most)s characters at most.")
        raise FieldRefused(name, words % {"name": name, "most": MAX_FIELD})
    return value or None


def moment_of(values: Mapping[str, str], name: str) -> datetime | None:
    """A day or a time of a filter, in UTC. Raises FieldRefused where it is none."""
    given = text_of(values, name)
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return aware.astimezone(UTC)
    except (ValueError, OverflowError):
        words = _("'%(name)s' must be a day or a time, such as 2026-11-23 or 2026-11-23T14:05Z.")
        raise FieldRefused(name, words % {"name": name}) from None


@router.get("/{action_id}")
def bulk_action(principal: Viewer, request: Request, action_id: str) -> Response:
    """How far an action is: as a page, or as the part of it that refreshes itself."""
    is_fragment = request.headers.get(HX_REQUEST) == "true"
    services = services_of(request)
    actions = services.ledger.bulk_actions
    action = actions.read(action_id)
    if action is None:
        raise NotFound
    scope, find = action.account_id, services.directory.find
    may_stop = not principal.read_only and (scope is None or principal.may_change(scope, find))
    return page(
        request,
        "bulk_progress.html" if is_fragment else "bulk_action.html",
        action=action,
        title=bulk_words.title(action, not principal.is_provider),
        told=told(action),
        back=back_of(action),
        may_stop=may_stop,
        left_out=bulk_words.left_out(action),
        refusals=actions.refusals(action_id, SHOWN_REFUSALS) if action.refused else [],
    )


@router.post("/{action_id}/stop")
def stop(principal: Changer, request: Request, action_id: str) -> Response:
    """End an action after the step that runs."""
    where = f"/bulk-actions/{action_id}"
    try:
        BulkActs(services_of(request), principal).stop(action_id)
    except REFUSALS as refusal:
        return go(request, where, str(refusal), ok=False)
    return go(request, where, _("It stops after the step that runs. What is done stays done."))


def back_of(action: BulkAction) -> str:
    """The page that an action began on."""
    if action.subject is Subject.ACCOUNTS:
        return action.back or "/overview"
    if action.subject is Subject.INVALID_EVENTS:
        return "/invalid-events"
    return dead_letters_page(action.account_id)


def dead_letters_page(account_id: str | None) -> str:
    """The page of an account's dead letters, or of all."""
    return "/dead-letters" if account_id is None else f"/accounts/{account_id}/dead-letters"
