"""What was decided of many dead letters or invalid events, and how far it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from config.permissions import Principal
from consumers.ledger.bulk_actions import BulkAction, Stage, Subject, Verb
from worker.console.access import ApiAccess, NotFound, Right, in_query, of_bulk_action
from worker.console.api.models import Given, Time
from worker.console.bulk_acts import BulkActs
from worker.console.services import services_of
from worker.show import Shape, iso

router = APIRouter(tags=["bulk actions"])
Asker = Annotated[Principal, Depends(ApiAccess(Right.SEE, in_query))]
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE, of_bulk_action))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE, of_bulk_action))]


class BulkActionShape(Given):
    """A decision about many at once: dead letters, events or accounts.

    It goes on by itself until its state is not `running`.
    """

    action_id: str
    subject: Subject
    act: Verb
    account_id: str | None
    actor: str
    filter: dict[str, Any]
    """What was chosen; empty: all."""
    total: int
    """How many matched when it was decided."""
    done: int
    refused: int
    """Accounts with which it was not done; `GET /account-acts/{action_id}` tells why."""
    state: Stage
    problem: str | None
    """Why it does not go on just now."""
    created_at: Time
    ended_at: Time | None


@router.get("/bulk-actions", response_model=list[BulkActionShape])
def list_bulk_actions(
    principal: Asker,
    request: Request,
    account_id: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> list[Shape]:
    """Those of the last 30 days, the newest first."""
    account = account_id or principal.account_id
    found = services_of(request).ledger.bulk_actions.recent(account, limit)
    return [bulk_shape(each) for each in found]


@router.get("/bulk-actions/{action_id}", response_model=BulkActionShape)
def show_bulk_action(_: Viewer, request: Request, action_id: str) -> Shape:
    """How far one is."""
    return _shown(request, action_id)


@router.post("/bulk-actions/{action_id}/stop", response_model=BulkActionShape)
def stop_bulk_action(principal: Changer, request: Request, action_id: str) -> Shape:
    """End it after the step that runs. What is done stays done."""
    BulkActs(services_of(request), principal).stop(action_id)
    return _shown(request, action_id)


def bulk_shape(action: BulkAction) -> Shape:
    """A bulk action as programs read it."""
    moments = {name: iso(action.chosen.get(name)) for name in ("since", "until")}
    told = {name: moment for name, moment in moments.items() if moment}
    return {
        "action_id": action.action_id,
        "subject": action.subject.value,
        "act": action.verb.value,
        "account_id": action.account_id,
        "actor": action.actor,
        "filter": {**action.chosen, **told},
        "total": action.total,
        "done": action.done,
        "refused": action.refused,
        "state": action.stage.value,
        "problem": action.problem or None,
        "created_at": iso(action.created_at),
        "ended_at": iso(action.ended_at),
    }


def _shown(request: Request, action_id: str) -> Shape:
    action = services_of(request).ledger.bulk_actions.read(action_id)
    if action is None:
        raise NotFound
    return bulk_shape(action)
