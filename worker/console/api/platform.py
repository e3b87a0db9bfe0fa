"""The whole platform in a few numbers, and who changed what."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from config.audit import Entry
from config.permissions import Principal
from consumers.sharding.presence import workers
from worker.console import reading
from worker.console.access import ApiAccess, Right, of_nobody
from worker.console.api.models import EntryShape, StatusShape
from worker.console.services import services_of
from worker.show import Shape, iso, status_shape

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
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> list[Shape]:
    """Every change of the accounts that the token may see, the newest first."""
    services = services_of(request)
    accounts: list[str] | None = None
    if not principal.is_provider:
        accounts = [each.account.account_id for each in reading.visible(services, principal)]
    if account_id is not None:
        accounts = [account_id] if accounts is None or account_id in accounts else []
    return [_entry(each) for each in services.audit.list(accounts, limit, before)]


def _entry(entry: Entry) -> Shape:
    return {
        "id": entry.entry_id,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "account_id": entry.account_id,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
    }
