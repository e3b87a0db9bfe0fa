"""Recordings and what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from config.permissions import Principal
from consumers.ledger import Search, Status, Time
from transports.diagnosis import Whose
from worker.console.access import ApiAccess, NotFound, Right, in_query, of_recording
from worker.console.api.models import DeliveryShape
from worker.console.api.story import DeliveryStoryShape, delivery_story
from worker.console.api.times import utc
from worker.console.downloads import Csv
from worker.console.services import services_of
from worker.searching import Order, read_place, search_of
from worker.show import Shape, delivery_shape

_AFTER = "Where the page begins: follow the link of the page before."
_LINK = 'The next page (RFC 8288), `rel="next"`; none after the last one.'

router = APIRouter(tags=["deliveries"])
Asker = Annotated[Principal, Depends(ApiAccess(Right.SEE, in_query))]
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE, of_recording))]
OfAccount = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=64,
        description="By default the token's own; of a provider's token: all.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=1000)]


@dataclass(frozen=True)
class Filter:
    """What is searched for, as a query has it."""

    number: Annotated[
        str | None,
        Query(max_length=64, description="As you have it, or at least four digits of its end."),
    ] = None
    file_name: Annotated[
        str | None, Query(max_length=300, description="Its beginning; `*part`: any part of it.")
    ] = None
    recording_id: Annotated[str | None, Query(max_length=128)] = None
    status: Status | None = None
    whose: Annotated[Whose | None, Query(description="Who can mend its last failure.")] = None
    by: Annotated[Time, Query(description="Which time since, until and the order are about.")] = (
        Time.ARRIVED
    )
    since: Annotated[datetime | None, Query(description="At or after.")] = None
    until: Annotated[datetime | None, Query(description="Before.")] = None
    order: Order = Order.NEWEST

    def search(self, account_id: str | None) -> Search:
        """Raises FieldRefused."""
        times = {"since": utc(self.since), "until": utc(self.until)}
        return search_of(account_id=account_id, **{**vars(self), **times})


@router.get(
    "/deliveries",
    response_model=list[DeliveryShape],
    responses={200: {"headers": {"Link": {"schema": {"type": "string"}, "description": _LINK}}}},
)
def list_deliveries(
    principal: Asker,
    request: Request,
    response: Response,
    asked: Annotated[Filter, Depends()],
    account_id: OfAccount = None,
    after: Annotated[str | None, Query(max_length=100, description=_AFTER)] = None,
    limit: Limit = 50,
) -> list[Shape]:
    """Recordings that match, the newest first, page by page.

    A page may have fewer than `limit`, or none, and a next one all the same: it has looked at ten
    thousand recordings.
    """
    search = asked.search(account_id or principal.account_id)
    found = services_of(request).ledger.searches.page(search, read_place(after), limit)
    if found.next is not None:
        further = request.url.include_query_params(after=str(found.next))
        response.headers["Link"] = f'<{further.path}?{further.query}>; rel="next"'
    return [delivery_shape(row, for_customer=not principal.is_provider) for row in found.rows]


@router.get("/deliveries.csv", response_class=Response)
def export_deliveries(
    principal: Asker,
    request: Request,
    asked: Annotated[Filter, Depends()],
    account_id: OfAccount = None,
) -> Response:
    """All recordings that match as CSV (RFC 4180)."""
    services = services_of(request)
    search = asked.search(account_id or principal.account_id)
    download = services.downloads.begin(principal, "", None)
    pages = services.ledger.searches.pages(search)
    return Csv(download, pages, for_customer=not principal.is_provider)


@router.get("/deliveries/{recording_id:path}", response_model=DeliveryStoryShape)
def show_delivery(principal: Viewer, request: Request, recording_id: str) -> Shape:
    """What became of a recording, and how: the tries, what it waited for, and how it stands now."""
    services = services_of(request)
    row = services.ledger.queries.row(recording_id)
    if row is None:
        raise NotFound
    return delivery_story(services.core, row, is_operator=principal.is_provider)
