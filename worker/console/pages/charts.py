"""The charts of the whole service, and of one account."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.errors import FieldRefused
from config.permissions import Principal
from consumers.ledger import ALL
from worker.account_facts import read_account
from worker.charts import Span, charts, points
from worker.console.access import PageAccess, Right, of_nobody
from worker.console.language import gettext as _
from worker.console.pages.frame import framed
from worker.console.pages.render import page
from worker.console.services import Services, services_of

router = APIRouter()
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/charts")
def of_all(_provider: Provider, request: Request, span: str = Span.HOURS) -> Response:
    """What all accounts did."""
    return page(
        request, "charts.html", **_shown(services_of(request), ALL, span, _("Dead letters"))
    )


@router.get("/accounts/{account_id}/charts")
def of_account(
    principal: Viewer, request: Request, account_id: str, span: str = Span.HOURS
) -> Response:
    """What one account did."""
    services = services_of(request)
    facts = read_account(services.core, account_id)
    given_up = _("Dead letters") if principal.is_provider else _("Skipped files")
    shown = _shown(services, account_id, span, given_up)
    return framed(request, principal, "account_charts.html", facts, **shown)


def _shown(services: Services, account_id: str, asked: str, given_up: str) -> dict[str, Any]:
    """`asked`: as typed into the address. Raises FieldRefused where it is no span."""
    if asked not in set(Span):
        words = _("'span' must be hours or weeks.")
        raise FieldRefused("span", words)
    span = Span(asked)
    now = datetime.now(UTC)
    found = points(services.ledger.hours.read(account_id, span.since(now)), span, now)
    return {
        "span": span,
        "spans": list(Span),
        "points": found,
        "charts": charts(found, span),
        "given_up": given_up,
    }
