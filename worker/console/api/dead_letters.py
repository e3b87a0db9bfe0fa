"""Dead letters: of one account or of all, by cause, and what is done with many of them."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from config.permissions import Principal
from consumers.ledger import Document
from consumers.ledger.bulk_actions import Verb
from consumers.ledger.dead_letter_causes import Fault, cause_of
from consumers.ledger.dead_letter_lists import DeadGroup, DeadLetterFilter
from worker.console.access import ApiAccess, Right, in_query
from worker.console.acts import MAX_DEAD_LETTERS, Acts
from worker.console.api.bulk_actions import BulkActionShape, bulk_shape
from worker.console.api.models import DeliveryShape, Given, Taken, Time
from worker.console.api.times import period
from worker.console.bulk_acts import BulkActs
from worker.console.services import services_of
from worker.show import Shape, delivery_shape, iso

router = APIRouter(tags=["dead letters"])
Asker = Annotated[Principal, Depends(ApiAccess(Right.SEE, in_query))]
Decider = Annotated[Principal, Depends(ApiAccess(Right.CHANGE, in_query))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]
OfAccount = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        description="By default the token's own; of a provider's token: all.",
    ),
]
Reason = Annotated[
    str | None, Query(max_length=100, description="The kind of failure, or `crash-loop`.")
]
Cause = Annotated[
    str | None, Query(max_length=100, description="The code of the catalogue of causes.")
]
OfFault = Annotated[Fault | None, Query(description="Whose fault it is.")]
Since = Annotated[datetime | None, Query(description="Arrived at or after.")]
Until = Annotated[datetime | None, Query(description="Arrived before.")]


class DeadLetterShape(DeliveryShape):
    """A recording that used up its tries."""

    cause: str
    """The code of its cause; where none is stored the kind of failure, or `crash-loop`."""
    fault: Fault
    """Whose fault it is: the customer's server, this one file, or the platform."""
    next_step: str
    """What to do about it."""


class DeadGroupShape(Given):
    """The dead letters of one cause."""

    cause: str
    fault: Fault
    words: str
    next_step: str
    files: int
    accounts: int
    oldest_at: Time
    """When the first of them arrived."""
    newest_at: Time


class ChosenLetters(Taken):
    """Which dead letters; what is left out means any."""

    recording_ids: list[Annotated[str, Field(max_length=128)]] | None = Field(
        default=None, max_length=MAX_DEAD_LETTERS
    )
    reason: Annotated[str, Field(max_length=100)] | None = None
    cause: Annotated[str, Field(max_length=100)] | None = None
    fault: Fault | None = None
    since: datetime | None = None
    until: datetime | None = None

    def of(self, account_id: str | None) -> DeadLetterFilter:
        """The same, of an account or of all."""
        since, until = period(self.since, self.until)
        ids = None if self.recording_ids is None else tuple(self.recording_ids)
        return DeadLetterFilter(account_id, self.cause, self.fault, self.reason, since, until, ids)


class Done(Given):
    """How many it was done with."""

    count: int


@router.get("/dead-letters", response_model=list[DeadLetterShape])
def list_dead_letters(
    principal: Asker,
    request: Request,
    account_id: OfAccount = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = None,
    cause: Cause = None,
    fault: OfFault = None,
    before: Annotated[
        str | None, Query(max_length=128, description="Only those behind this recording.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[Shape]:
    """Recordings that used up their tries, the newest first."""
    account = account_id or principal.account_id
    chosen = DeadLetterFilter(account, cause, fault, reason, *period(since, until))
    rows = services_of(request).ledger.dead_letter_lists.page(chosen, limit, before)
    return [dead_letter_shape(row, is_operator=principal.is_provider) for row in rows]


@router.get("/dead-letters/groups", response_model=list[DeadGroupShape])
def list_groups(
    principal: Asker,
    request: Request,
    account_id: OfAccount = None,
    since: Since = None,
    until: Until = None,
    reason: Reason = None,
    cause: Cause = None,
    fault: OfFault = None,
) -> list[Shape]:
    """The same by cause, most files first: how many there are, and what to do."""
    account = account_id or principal.account_id
    chosen = DeadLetterFilter(account, cause, fault, reason, *period(since, until))
    groups = services_of(request).ledger.dead_letter_lists.groups(chosen)
    return [_group_shape(each, is_operator=principal.is_provider) for each in groups]


@router.post(
    "/dead-letters/replay", response_model=BulkActionShape, status_code=HTTPStatus.ACCEPTED
)
def replay_many(
    principal: Decider,
    request: Request,
    account_id: OfAccount = None,
    chosen: ChosenLetters | None = None,
) -> Shape:
    """Begin to put all that match back on their way; `/bulk-actions/{action_id}` tells how far."""
    return _begun(principal, request, Verb.REPLAY, account_id, chosen)


@router.post(
    "/dead-letters/discard", response_model=BulkActionShape, status_code=HTTPStatus.ACCEPTED
)
def discard_many(
    principal: Decider,
    request: Request,
    account_id: OfAccount = None,
    chosen: ChosenLetters | None = None,
) -> Shape:
    """Begin to give all that match up for good; `/bulk-actions/{action_id}` tells how far."""
    return _begun(principal, request, Verb.DISCARD, account_id, chosen)


@router.post("/accounts/{account_id}/dead-letters/replay", response_model=Done)
def replay(
    principal: Changer, request: Request, account_id: str, chosen: ChosenLetters | None = None
) -> Shape:
    """Put the account's dead letters back on their way, the oldest 1,000 that match."""
    acts = Acts(services_of(request), principal)
    return {"count": acts.replay(account_id, (chosen or ChosenLetters()).of(account_id))}


@router.post("/accounts/{account_id}/dead-letters/discard", response_model=Done)
def discard(
    principal: Changer, request: Request, account_id: str, chosen: ChosenLetters | None = None
) -> Shape:
    """Give the account's dead letters up for good, the oldest 1,000 that match."""
    acts = Acts(services_of(request), principal)
    return {"count": acts.discard(account_id, (chosen or ChosenLetters()).of(account_id))}


def dead_letter_shape(row: Document, *, is_operator: bool) -> Shape:
    """A dead letter's row of the ledger."""
    shape = delivery_shape(row, for_customer=not is_operator)
    cause = cause_of(shape["reason"], shape["last_error_cause"])
    advice = cause.advice(is_operator=is_operator)
    return {**shape, "cause": cause.code, "fault": cause.fault.value, "next_step": advice}


def _group_shape(group: DeadGroup, *, is_operator: bool) -> Shape:
    return {
        "cause": group.cause.code,
        "fault": group.cause.fault.value,
        "words": group.cause.words,
        "next_step": group.cause.advice(is_operator=is_operator),
        "files": group.files,
        "accounts": group.accounts,
        "oldest_at": iso(group.oldest),
        "newest_at": iso(group.newest),
    }


def _begun(
    principal: Principal,
    request: Request,
    verb: Verb,
    account_id: str | None,
    chosen: ChosenLetters | None,
) -> Shape:
    asked = (chosen or ChosenLetters()).of(account_id or principal.account_id)
    return bulk_shape(BulkActs(services_of(request), principal).dead_letters(verb, asked))
