"""What happened in each hour or day: the numbers of the charts."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from config.permissions import Principal
from consumers.ledger import ALL
from worker.charts import Point, Span, points
from worker.console.access import ApiAccess, Right, of_nobody
from worker.console.services import services_of
from worker.show import iso

router = APIRouter(tags=["platform"])
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
Provider = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER, of_nobody))]
Asked = Annotated[Span, Query(description="`hours`: 48 hours; `weeks`: 91 days.")]


class PointShape(BaseModel):
    """What happened from `at` on, for an hour or a day."""

    at: str
    delivered: int
    bytes: int
    half_seconds: float | None = Field(
        description="Seconds from the event to the file's place, of half of the files; those that "
        "were replayed or delivered once more are left out."
    )
    most_seconds: float | None = Field(description="The same of 95 of 100 files.")
    oldest_seconds: float
    failed: dict[str, int] = Field(description="Failed tries by whose fault they were.")
    dead_lettered: int
    suspensions: int


@router.get("/history")
def of_all(_: Provider, request: Request, span: Asked = Span.HOURS) -> list[PointShape]:
    """Of all accounts."""
    return _read(request, ALL, span)


@router.get("/accounts/{account_id}/history")
def of_account(
    _: Viewer, request: Request, account_id: str, span: Asked = Span.HOURS
) -> list[PointShape]:
    """Of one account."""
    return _read(request, account_id, span)


def _read(request: Request, account_id: str, span: Span) -> list[PointShape]:
    now = datetime.now(UTC)
    hours = services_of(request).ledger.hours.read(account_id, span.since(now))
    return [_shape(each) for each in points(hours, span, now)]


def _shape(point: Point) -> PointShape:
    return PointShape(
        at=iso(point.at) or "",
        delivered=point.sums.delivered,
        bytes=point.sums.bytes,
        half_seconds=point.quantile(0.5),
        most_seconds=point.quantile(0.95),
        oldest_seconds=point.sums.oldest,
        failed=dict(point.sums.failed),
        dead_lettered=point.sums.dead_lettered,
        suspensions=point.sums.suspensions,
    )
