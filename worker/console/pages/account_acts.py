"""Acts on many accounts: the number before. How far one is, `bulk` tells."""

from typing import Annotated
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.errors import FieldRefused
from config.permissions import Principal
from consumers.ledger import AccountSummary
from consumers.ledger.bulk_actions import BulkAction, Stage, Subject
from worker.account_list import AccountFilter
from worker.console import listing
from worker.console.access import (
    Form,
    FormData,
    NotFound,
    PageAccess,
    Right,
    of_account_run,
)
from worker.console.account_acts import AccountAct, plan
from worker.console.bulk_acts import BulkActs
from worker.console.bulk_words import left_out
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.numerals import number
from worker.console.pages.bulk import Question, answered, ask, back_of
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of

SHOWN_IDS = 20
MAX_FILTERS = 20
_LISTS = ("/overview", "/accounts")
_PICKED = "account:"

router = APIRouter()
Somebody = Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))]
Owner = Annotated[Principal, Depends(PageAccess(Right.SEE, of_account_run))]


@router.post("/account-acts")
def plan_run(principal: Somebody, request: Request, form: FormData) -> Response:
    """Say how many accounts it would be done with; nothing is changed."""
    services = services_of(request)
    if form.get("do") not in list(AccountAct):
        raise NotFound
    back = _back(form)
    try:
        chosen = _chosen(listing.visible(services, principal), form)
    except REFUSALS as refusal:
        return go(request, back.partition("?")[0], str(refusal), ok=False)
    if not chosen:
        words = _("Select accounts first, or choose all that match.")
        return go(request, back, words, ok=False)
    action = plan(services, principal, AccountAct(form["do"]), chosen, back)
    if not action.total:
        words = _("There is nothing to do with any of those chosen: %(why)s")
        return go(request, back, words % {"why": left_out(action)}, ok=False)
    return go(request, f"/account-acts/{action.action_id}")


@router.get("/account-acts/{run_id}")
def show_run(principal: Owner, request: Request, run_id: str) -> Response:
    """What is planned; what is begun has the page of its progress."""
    action = _own(request, principal, run_id)
    if action.stage is not Stage.PLANNED:
        return go(request, f"/bulk-actions/{run_id}")
    ids = services_of(request).ledger.bulk_actions.account_ids(run_id, 0, SHOWN_IDS)
    question = Question(
        action.verb,
        Subject.ACCOUNTS,
        back_of(action),
        f"/account-acts/{run_id}",
        action.total,
        not principal.is_provider,
        N_("Nothing is done yet."),
        _told(action, ids),
        {},
    )
    return ask(request, question)


@router.post("/account-acts/{run_id}")
def begin_run(principal: Owner, request: Request, run_id: str) -> Response:
    """Do what was planned."""
    acts = BulkActs(services_of(request), principal)
    action = _own(request, principal, run_id)
    try:
        begun = acts.begin_accounts(action)
    except REFUSALS as refusal:
        return go(request, f"/account-acts/{run_id}", str(refusal), ok=False)
    return answered(request, back_of(action), begun)


def _own(request: Request, principal: Principal, run_id: str) -> BulkAction:
    action = BulkActs(services_of(request), principal).own_plan(run_id)
    if action is None:
        raise NotFound
    return action


def _told(action: BulkAction, ids: list[str]) -> dict[str, str]:
    """The accounts, as far as there is room for their names."""
    names = ", ".join(ids)
    if action.total > len(ids):
        more = _("and %(count)s more") % {"count": number(action.total - len(ids))}
        names = f"{names} {more}"
    told = {_("Accounts"): names}
    if action.left_out:
        told[_("Left out")] = left_out(action)
    return told


def _chosen(everything: list[AccountSummary], form: Form) -> list[AccountSummary]:
    """Raises FieldRefused where the filter cannot be read: that must not mean all accounts."""
    if form.get("scope") == "all":
        return listing.matching(everything, AccountFilter.of(_filters(form)))
    picked = {name.removeprefix(_PICKED) for name in form if name.startswith(_PICKED)}
    return [each for each in everything if each.account_id in picked]


def _filters(form: Form) -> dict[str, str]:
    """What the list was filtered by. Raises FieldRefused where it cannot be read."""
    try:
        return dict(parse_qsl(form.get("filter", ""), max_num_fields=MAX_FILTERS))
    except ValueError:
        raise FieldRefused(
            "filter", _("The list's filter cannot be read: filter the list anew, then choose.")
        ) from None


def _back(form: Form) -> str:
    """The list that the form was sent from: never another place."""
    path = form.get("path", "")
    try:
        query = urlencode(_filters(form))
    except FieldRefused:
        query = ""
    return f"{path if path in _LISTS else _LISTS[0]}{'?' if query else ''}{query}"
