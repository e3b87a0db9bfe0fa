"""Dead letters: of all accounts for the service provider, of one for its people."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.documents import clock
from config.errors import FieldRefused
from config.permissions import Principal
from consumers.ledger.bulk_actions import Subject, Verb
from consumers.ledger.dead_letter_causes import Fault, cause_called
from consumers.ledger.dead_letter_lists import MOST_GROUPED, DeadLetterFilter
from worker.account_facts import read_account
from worker.console.access import FormData, PageAccess, Right, of_nobody
from worker.console.bulk_acts import BulkActs
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import translated
from worker.console.pages.bulk import (
    MAX_PICKED,
    Question,
    answered,
    ask,
    dead_letters_page,
    moment_of,
    picked,
    text_of,
    verb_of,
)
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go, page
from worker.console.parameters import takes
from worker.console.services import services_of

FILTERS = ("account", "cause", "fault", "since", "until")
_BEFORE = "before"
"""The last row of the page before, in the address of the next one."""
RECENT = 5
"""Bulk actions that are shown beside the list."""
MOST_COUNTED = 100_000
"""A look at a list counts no further; the question before all are dealt with has their number."""
_CONSEQUENCES = {
    Verb.REPLAY: N_("They start anew, with no tries counted, the oldest first."),
    Verb.DISCARD: N_("They are given up for good: nobody can bring them back from here."),
}

_TAKEN = takes(*FILTERS, _BEFORE)

router = APIRouter()
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]


@router.get("/dead-letters", dependencies=[_TAKEN])
def dead_letters(principal: Provider, request: Request) -> Response:
    """Those of all accounts."""
    values = _list(request, None)
    return page(request, "dead_letters.html", may_change=not principal.read_only, **values)


@router.get("/accounts/{account_id}/dead-letters", dependencies=[_TAKEN])
def account_dead_letters(principal: Viewer, request: Request, account_id: str) -> Response:
    """Those of one account."""
    services = services_of(request)
    return framed(
        request,
        principal,
        "account_dead_letters.html",
        read_account(services.core, account_id),
        may_change=principal.may_change(account_id, services.directory.find),
        **_list(request, account_id),
    )


@router.post("/dead-letters/confirm")
def confirm(principal: Provider, request: Request, form: FormData) -> Response:
    """Ask before anything is done with those of all accounts."""
    return _ask(request, principal, form, None)


@router.post("/dead-letters/act")
def act(principal: Provider, request: Request, form: FormData) -> Response:
    """Begin what was asked."""
    return _begin(request, principal, form, None)


@router.post("/accounts/{account_id}/dead-letters/confirm")
def confirm_account(
    principal: Changer, request: Request, account_id: str, form: FormData
) -> Response:
    """Ask before anything is done with those of one account."""
    return _ask(request, principal, form, account_id)


@router.post("/accounts/{account_id}/dead-letters/act")
def act_account(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Begin what was asked."""
    return _begin(request, principal, form, account_id)


def filter_of(values: Mapping[str, str], account_id: str | None) -> DeadLetterFilter:
    """What an address or a form has chosen, of one account or of all. Raises FieldRefused."""
    since, until = moment_of(values, "since"), moment_of(values, "until")
    if since is not None and until is not None and since >= until:
        words = _("Nothing lies between these two times: 'until' must be later.")
        raise FieldRefused("until", words)
    return DeadLetterFilter(
        account_id=account_id or text_of(values, "account"),
        cause=text_of(values, "cause"),
        fault=_fault(text_of(values, "fault")),
        since=since,
        until=until,
    )


def _fault(given: str | None) -> Fault | None:
    if given is None:
        return None
    try:
        return Fault(given)
    except ValueError:
        words = _("'fault' must be server, file or platform.")
        raise FieldRefused("fault", words) from None


def _list(request: Request, account_id: str | None) -> dict[str, Any]:
    """The groups and a page of the rows that match the address."""
    values = request.query_params
    chosen = filter_of(values, account_id)
    services = services_of(request)
    lists = services.ledger.dead_letter_lists
    around = DeadLetterFilter(chosen.account_id, since=chosen.since, until=chosen.until)
    groups = lists.groups(around)
    rows, total = lists.page_and_count(
        chosen, MAX_PICKED + 1, text_of(values, _BEFORE), MOST_COUNTED
    )
    kept = {name: values[name] for name in FILTERS if values.get(name)}
    where = dead_letters_page(account_id)
    last = rows[MAX_PICKED - 1]["_id"] if len(rows) > MAX_PICKED else None
    return {
        "where": where,
        "groups": groups,
        "rows": rows[:MAX_PICKED],
        "total": min(total, MOST_COUNTED),
        "are_more": total > MOST_COUNTED,
        "most": MOST_GROUPED,
        "are_cut": sum(each.files for each in groups) >= MOST_GROUPED,
        "chosen": kept,
        "around": {name: text for name, text in kept.items() if name not in {"cause", "fault"}},
        "older": None if last is None else f"{where}?{urlencode({**kept, _BEFORE: last})}",
        "is_first": _BEFORE not in values,
        "faults": list(Fault),
        "of_all": account_id is None,
        "actions": services.ledger.bulk_actions.recent(account_id, RECENT, Subject.DEAD_LETTERS),
    }


def _ask(
    request: Request, principal: Principal, form: Mapping[str, str], account_id: str | None
) -> Response:
    verb, where = verb_of(form), dead_letters_page(account_id)
    try:
        chosen = _chosen(form, account_id)
    except FieldRefused as refusal:
        return go(request, where, str(refusal), ok=False)
    services = services_of(request)
    now = clock(services.core.database)
    question = Question(
        verb,
        Subject.DEAD_LETTERS,
        where,
        f"{where}/act",
        services.ledger.dead_letter_lists.count(replace(chosen, died_by=now)),
        not principal.is_provider,
        _(_CONSEQUENCES[verb]),
        _told(chosen, principal),
        {name: value for name, value in form.items() if name != "csrf"},
        now,
    )
    return ask(request, question)


def _begin(
    request: Request, principal: Principal, form: Mapping[str, str], account_id: str | None
) -> Response:
    verb, where = verb_of(form), dead_letters_page(account_id)
    acts = BulkActs(services_of(request), principal)
    try:
        chosen, asked_at = _chosen(form, account_id), moment_of(form, "asked_at")
        action = acts.dead_letters(verb, chosen, form.get("action_id"), asked_at)
    except REFUSALS as refusal:
        return go(request, where, str(refusal), ok=False)
    return answered(request, where, action)


def _chosen(form: Mapping[str, str], account_id: str | None) -> DeadLetterFilter:
    """The ticked ones, or all that match the filter. Raises FieldRefused."""
    ids = picked(form)
    if ids is not None:
        return DeadLetterFilter(account_id, recording_ids=ids)
    return filter_of(form, account_id)


def _told(chosen: DeadLetterFilter, principal: Principal) -> dict[str, str]:
    """The filter in people's words."""
    told: dict[str, str] = {}
    if chosen.account_id is not None:
        told[_("Account")] = chosen.account_id
    if chosen.cause is not None:
        cause = cause_called(chosen.cause)
        told[_("Cause")] = f"{translated(cause.words)} ({chosen.cause})"
    if chosen.fault is not None:
        is_provider = principal.is_provider
        fault = chosen.fault
        words = fault.for_operators if is_provider else fault.for_customers
        told[_("Whose fault")] = translated(words)
    if chosen.since is not None:
        told[_("Arrived since")] = f"{chosen.since:%Y-%m-%d %H:%M} UTC"
    if chosen.until is not None:
        told[_("Arrived before")] = f"{chosen.until:%Y-%m-%d %H:%M} UTC"
    if chosen.recording_ids is not None:
        told[_("Chosen")] = _("the ticked ones")
    return told
