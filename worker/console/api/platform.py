"""The whole platform in a few numbers, and who changed what."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from config.audit import Action, AuditFilter
from config.permissions import Principal
from consumers.sharding.presence import workers
from worker.console.access import ApiAccess, Right, of_nobody
from worker.console.api.models import EntryShape, StatusShape
from worker.console.api.times import period
from worker.console.audit_asked import MAX_TEXT, actor_of
from worker.console.audit_words import entry_shape, for_customers, told
from worker.console.services import services_of
from worker.show import Shape, status_shape

router = APIRouter(tags=["platform"])
Anyone = Annotated[Principal, Depends(ApiAccess(Right.SIGNED_IN))]
Provider = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER, of_nobody))]


@router.get("/status", response_model=StatusShape)
def status(_: Provider, request: Request) -> Shape:
    """Accounts by state, files waiting, workers."""
    core = services_of(request).core
    return status_shape(core.ledger.totals(), workers(core.database))


@router.get("/audit", response_model=list[EntryShape])
def audit(
    principal: Anyone,
    request: Request,
    account_id: Annotated[str | None, Query(max_length=64)] = None,
    before: Annotated[str | None, Query(max_length=64, description="An entry's id.")] = None,
    actor: Annotated[
        str | None, Query(max_length=MAX_TEXT, description="A login, or how it begins.")
    ] = None,
    action: Action | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[Shape]:
    """Every change of the accounts that the token may see, the newest first."""
    first, last = period(since, until)
    actions = None if action is None else (action,)
    chosen = AuditFilter(actor_of(actor or None), actions, first, last)
    services = services_of(request)
    accounts: list[str] | None = None
    if principal.account_id is not None:
        accounts = services.ledger.summaries.ids(principal.account_id)
    if account_id is not None:
        accounts = [account_id] if accounts is None or account_id in accounts else []
    found = services.audit.list(accounts, limit, before, chosen)
    if principal.is_provider:
        return [entry_shape(each, told(each)) for each in found]
    return [entry_shape(for_customers(each), told(each, for_customer=True)) for each in found]
