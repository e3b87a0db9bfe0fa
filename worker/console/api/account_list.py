"""Lists of accounts: searched, filtered, sorted, page by page."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from config.permissions import Principal
from consumers.ledger import ACCOUNT_STATES
from transports.errors import Kind
from worker.account_facts import read_listed
from worker.account_list import ORDERS, AccountFilter, Order
from worker.console import listing
from worker.console.access import ApiAccess, Right
from worker.console.api.models import AccountShape
from worker.console.services import services_of
from worker.show import Shape, account_shape

MAX_ACCOUNTS = 1000

router = APIRouter(tags=["accounts"])
Anyone = Annotated[Principal, Depends(ApiAccess(Right.SIGNED_IN))]


class AccountsAsked(BaseModel):
    """Which accounts: all that is given must hold, and what is empty is not asked for."""

    search: str = Field(default="", description="Words that are all in its id, name or server.")
    state: str = Field(default="", description=f"One of {', '.join(ACCOUNT_STATES)}.")
    disabled: str = Field(default="", description="One of its `disabled_by`.")
    dead_letters: str = Field(default="", description="`yes`: only those that have some.")
    dormant: str = Field(
        default="", description="`yes`: only those whose `dormant_since` is not null."
    )
    queued: str = Field(default="", description="`yes`: only those that have some.")
    whose: str = Field(default="", description="Who can mend its last error.")
    kind: str = Field(default="", description=f"Of its last error: {', '.join(Kind)}.")
    cause: str = Field(default="", description="Of its last error: as `last_error_cause`.")
    server: str = Field(default="", description="Its server, as in its settings.")
    beneath: str = Field(default="", description="Only those that hang on this account.")

    @property
    def filter(self) -> AccountFilter:
        """The same, understood. Raises FieldRefused."""
        return AccountFilter.of(self.model_dump(include=set(AccountsAsked.model_fields)))


class ListAsked(AccountsAsked):
    """One page of them."""

    sort: str = Field(default="", description=f"{', '.join(ORDERS)}; with `-` the other way round.")
    cursor: str = Field(default="", description="From the `Link` of the page before.")
    after: str = Field(default="", description="Only ids after this one.")
    limit: int = Field(default=100, ge=1, le=MAX_ACCOUNTS)


@router.get("/accounts", response_model=list[AccountShape])
def list_accounts(
    principal: Anyone,
    request: Request,
    response: Response,
    asked: Annotated[ListAsked, Query()],
) -> list[Shape]:
    """The token's own account and what is beneath it, by id where no `sort` is given.

    Where there are more, the header `Link` has the address of the next page (RFC 8288). An account
    whose stored settings cannot be used is left out.
    """
    services = services_of(request)
    order = Order.of(asked.sort or "account")
    found = order.sorted(listing.matching(listing.visible(services, principal), asked.filter))
    rest = order.after(asked.cursor, found) if asked.cursor else found
    rest = [each for each in rest if each.account_id > asked.after]
    shown = rest[: asked.limit]
    if len(rest) > asked.limit:
        query = {**request.query_params, "cursor": order.cursor(shown[-1])}
        response.headers["Link"] = f'<{request.url.path}?{urlencode(query)}>; rel="next"'
    facts = read_listed(services.core, shown)
    return [
        account_shape(facts[each.account_id], for_customer=not principal.is_provider)
        for each in shown
        if each.account_id in facts
    ]
