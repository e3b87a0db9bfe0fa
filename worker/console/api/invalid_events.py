"""Events that could not be used: what lies in `recordings.invalid`, for the service provider."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from config.permissions import Principal
from consumers.intake.invalid_queue import (
    PART,
    InvalidFilter,
    InvalidGroup,
    InvalidMessage,
    InvalidPage,
    look_at_invalid,
)
from consumers.ledger.bulk_actions import Verb
from worker.console.access import ApiAccess, Right, of_nobody
from worker.console.api.bulk_actions import BulkActionShape, bulk_shape
from worker.console.api.models import Given, Taken, Time
from worker.console.bulk_acts import BulkActs
from worker.console.services import services_of
from worker.show import Shape, iso

router = APIRouter(tags=["invalid events"])
Provider = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER, of_nobody))]


class InvalidEventShape(Given):
    """An event that could not be used."""

    event_id: str
    """By what it is chosen; copies of one event have the same."""
    reason: str
    recording_id: str | None
    account_id: str | None
    size: int
    since: Time | None
    """Since when it lies there; null: that was not kept then."""
    payload: str
    """Its body in part, without secrets."""


class InvalidGroupShape(Given):
    """The events of one reason."""

    reason: str
    meaning: str
    events: int
    oldest_at: Time | None


class InvalidPageShape(Given):
    """A look at the queue, from its oldest event on."""

    events: list[InvalidEventShape]
    groups: list[InvalidGroupShape]
    """Of all events that were looked at."""
    matching: int
    looked_at: int
    in_queue: int
    """More than `looked_at` where there are so many that a look does not reach them."""


class ChosenEvents(Taken):
    """Which events; what is left out means any."""

    event_ids: list[Annotated[str, Field(max_length=64)]] | None = Field(
        default=None, max_length=1000
    )
    reason: Annotated[str, Field(max_length=500)] | None = None
    account_id: Annotated[str, Field(max_length=64)] | None = None

    @property
    def filter(self) -> InvalidFilter:
        """The same as the queue's reader takes it."""
        ids = None if self.event_ids is None else tuple(self.event_ids)
        return InvalidFilter(self.reason or "", self.account_id, ids)


@router.get("/invalid-events", response_model=InvalidPageShape)
def list_invalid_events(
    _: Provider,
    request: Request,
    reason: Annotated[str, Query(max_length=500, description="How the reason begins.")] = "",
    account_id: Annotated[str | None, Query(max_length=64)] = None,
    skip: Annotated[int, Query(ge=0, le=PART)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Shape:
    """The events that match, the oldest first, and how many there are for each reason."""
    rabbitmq = services_of(request).core.settings.rabbitmq
    return _page(look_at_invalid(rabbitmq, InvalidFilter(reason, account_id), skip, limit))


@router.post(
    "/invalid-events/replay", response_model=BulkActionShape, status_code=HTTPStatus.ACCEPTED
)
def replay(principal: Provider, request: Request, chosen: ChosenEvents | None = None) -> Shape:
    """Begin to publish all that match again; those that still cannot be used come back."""
    return _begun(principal, request, Verb.REPLAY, chosen)


@router.post(
    "/invalid-events/discard", response_model=BulkActionShape, status_code=HTTPStatus.ACCEPTED
)
def discard(principal: Provider, request: Request, chosen: ChosenEvents | None = None) -> Shape:
    """Begin to take all that match out for good."""
    return _begun(principal, request, Verb.DISCARD, chosen)


def _begun(
    principal: Principal, request: Request, verb: Verb, chosen: ChosenEvents | None
) -> Shape:
    acts = BulkActs(services_of(request), principal)
    return bulk_shape(acts.invalid_events(verb, (chosen or ChosenEvents()).filter))


def _page(found: InvalidPage) -> Shape:
    return {
        "events": [_event(each) for each in found.events],
        "groups": [_group(each) for each in found.groups],
        "matching": found.matching,
        "looked_at": found.looked_at,
        "in_queue": found.in_queue,
    }


def _event(message: InvalidMessage) -> Shape:
    return {
        "event_id": message.event_id,
        "reason": message.reason,
        "recording_id": message.recording_id,
        "account_id": message.account_id,
        "size": message.size,
        "since": iso(message.since),
        "payload": message.payload,
    }


def _group(group: InvalidGroup) -> Shape:
    return {
        "reason": group.code,
        "meaning": group.meaning,
        "events": group.events,
        "oldest_at": iso(group.oldest),
    }
