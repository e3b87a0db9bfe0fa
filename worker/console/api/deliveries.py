"""Recordings and what became of them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.exceptions import RequestValidationError

from config.permissions import Principal
from consumers.ledger import Selection, Status
from worker.console.access import ApiAccess, NotFound, Right, in_query, of_recording
from worker.console.acts import Acts
from worker.console.api.models import Chosen, DeliveryShape, Done
from worker.console.services import services_of
from worker.show import Shape, delivery_shape

router = APIRouter(tags=["deliveries"])
Asker = Annotated[Principal, Depends(ApiAccess(Right.SEE, in_query))]
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE, of_recording))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]
OfAccount = Annotated[
    str | None,
    Query(max_length=64, description="By default the token's own; of a provider's token: all."),
]
Limit = Annotated[int, Query(ge=1, le=1000)]
Since = Annotated[datetime | None, Query(description="Arrived at or after.")]
Until = Annotated[datetime | None, Query(description="Arrived before.")]


@router.get("/deliveries", response_model=list[DeliveryShape])
def list_deliveries(
    principal: Asker,
    request: Request,
    account_id: OfAccount = None,
    status: Status | None = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
) -> list[Shape]:
    """Recordings, the newest first."""
    account = account_id or principal.account_id
    chosen = Selection(account, None, status, _utc(since), _utc(until))
    return _rows(request, chosen, limit)


@router.get("/deliveries/{recording_id:path}", response_model=DeliveryShape)
def show_delivery(_: Viewer, request: Request, recording_id: str) -> Shape:
    """What became of a recording."""
    row = services_of(request).ledger.queries.row(recording_id)
    if row is None:
        raise NotFound
    return delivery_shape(row)


@router.get("/dead-letters", response_model=list[DeliveryShape], tags=["dead letters"])
def list_dead_letters(
    principal: Asker,
    request: Request,
    account_id: OfAccount = None,
    since: Since = None,
    until: Until = None,
    reason: Annotated[str | None, Query(max_length=100)] = None,
    limit: Limit = 50,
) -> list[Shape]:
    """Recordings that used up their tries, the newest first."""
    account = account_id or principal.account_id
    chosen = Selection(account, None, Status.DEAD_LETTERED, _utc(since), _utc(until), reason)
    return _rows(request, chosen, limit)


@router.post(
    "/accounts/{account_id}/dead-letters/replay", response_model=Done, tags=["dead letters"]
)
def replay(
    principal: Changer, request: Request, account_id: str, chosen: Chosen | None = None
) -> Shape:
    """Put dead letters back on their way with no tries counted, the oldest first."""
    acts = Acts(services_of(request), principal)
    return {"count": acts.replay(account_id, _selection(account_id, chosen), _ids(chosen))}


@router.post(
    "/accounts/{account_id}/dead-letters/discard", response_model=Done, tags=["dead letters"]
)
def discard(
    principal: Changer, request: Request, account_id: str, chosen: Chosen | None = None
) -> Shape:
    """Give dead letters up for good."""
    acts = Acts(services_of(request), principal)
    return {"count": acts.discard(account_id, _selection(account_id, chosen), _ids(chosen))}


def _rows(request: Request, chosen: Selection, limit: int) -> list[Shape]:
    return [
        delivery_shape(row) for row in services_of(request).ledger.queries.select(chosen, limit)
    ]


def _selection(account_id: str, chosen: Chosen | None) -> Selection:
    asked = chosen or Chosen()
    since, until = _utc(asked.since), _utc(asked.until)
    return Selection(account_id, None, Status.DEAD_LETTERED, since, until, asked.reason)


def _ids(chosen: Chosen | None) -> set[str] | None:
    given = chosen.recording_ids if chosen else None
    return None if given is None else set(given)


def _utc(moment: datetime | None) -> datetime | None:
    """A time without an offset is UTC."""
    if moment is None or moment.tzinfo is None:
        return moment and moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        words = "must be a time between the years 1 and 9999 in UTC"
        problem = {"type": "value_error", "loc": ("query", "since"), "msg": words}
        raise RequestValidationError([problem]) from None
