"""The overview of all accounts, and the tree of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import RedirectResponse, Response

from config.permissions import Principal
from consumers.ledger import AccountSummary, Disabled
from consumers.sharding.presence import workers
from transports.diagnosis import Whose, by_code
from worker.account_list import AccountFilter, Order
from worker.console import listing
from worker.console.access import HX_REQUEST, MAX_FIELDS, FormData, PageAccess, Right, of_nobody
from worker.console.account_acts import AccountAct
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.language import translated
from worker.console.numerals import number
from worker.console.pages.address import FOLDS, ORDER, Address
from worker.console.pages.render import REFUSALS, go, initial, page
from worker.console.parameters import takes
from worker.console.services import services_of

EVERYTHING, NOTHING = "*", "-"
"""In the address of the tree: all of it is unfolded, or all folded."""
_TAKEN = takes(*(each.name for each in fields(AccountFilter)), ORDER, FOLDS, "page")
MOST_SELECTED = MAX_FIELDS - 20
"""Accounts that a form may name, of several pages: the other fields have their room too."""

router = APIRouter()
Somebody = Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/")
def home(principal: Somebody) -> Response:
    """The provider's overview; everybody else's own account."""
    where = "/overview" if principal.is_provider else f"/accounts/{principal.account_id}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


@router.get("/overview", dependencies=[_TAKEN])
def overview(principal: Somebody, request: Request) -> Response:
    """The accounts that may be seen as a list, the suspended ones first."""
    services, is_fragment = services_of(request), _is_fragment(request)
    address = Address.of(request, "urgency")
    asked, order = _asked(address)
    everything = listing.visible(services, principal, recent=is_fragment)
    listed = listing.as_list(services, everything, asked, order, address.values.get("page", ""))
    return page(
        request,
        "overview_body.html" if is_fragment else "overview.html",
        address=address,
        asked=asked,
        listed=listed,
        choices=_choices(listed, asked),
        acts=list(AccountAct),
        most_selected=MOST_SELECTED,
        workers=len(workers(services.core.database)) if principal.is_provider else None,
        fold_url=None,
    )


@router.get("/accounts", dependencies=[_TAKEN])
def accounts(principal: Somebody, request: Request) -> Response:
    """The accounts as a tree, folded but for what the address unfolds; a small one is unfolded."""
    services, is_fragment = services_of(request), _is_fragment(request)
    address = Address.of(request, "account")
    asked, order = _asked(address)
    everything = listing.visible(services, principal, recent=is_fragment)
    opened = _opened(address, everything)
    listed = listing.as_tree(
        services,
        everything,
        asked,
        order,
        address.values.get("page", ""),
        lambda account_id: account_id in opened or EVERYTHING in opened,
    )
    return page(
        request,
        "accounts_body.html" if is_fragment else "accounts.html",
        address=address,
        asked=asked,
        listed=listed,
        choices=_choices(listed, asked),
        acts=list(AccountAct),
        most_selected=MOST_SELECTED,
        fold_url=_fold_url(address, opened),
        is_unfolded=EVERYTHING in opened,
    )


@router.post("/accounts")
def create(principal: Provider, request: Request, form: FormData) -> Response:
    """Add an account."""
    account_id = form.get("account_id", "").strip()
    try:
        Acts(services_of(request), principal).create_account(
            account_id,
            name=form.get("name", "").strip(),
            parent=form.get("parent", "").strip() or None,
            ftp_access="ftp_access" in form,
        )
    except REFUSALS as refusal:
        return go(request, "/accounts", str(refusal), ok=False)
    words = _("The account %(account)s was created.")
    return go(request, f"/accounts/{account_id}", words % {"account": account_id})


def _is_fragment(request: Request) -> bool:
    return request.headers.get(HX_REQUEST) == "true"


def _asked(address: Address) -> tuple[AccountFilter, Order]:
    order = Order.of(address.values.get("sort", address.order))
    return AccountFilter.of(address.values), order


def _choices(listed: listing.Listing, asked: AccountFilter) -> Mapping[str, list[tuple[str, str]]]:
    """What can be filtered by: values and labels, the first for any."""
    causes = {asked.cause: 0} if asked.cause else {}  # also where no account has it any more
    causes |= listed.causes
    any_ = ("", _("Any"))
    return {
        "state": [any_, *((each, initial(translated(each))) for each in listed.states)],
        "disabled": [any_, *((each.value, initial(translated(each.label))) for each in Disabled)],
        "whose": [
            ("", _("Anybody")),
            (Whose.CUSTOMER.value, _("The customer")),
            (Whose.NETWORK.value, _("The network")),
            (Whose.PLATFORM.value, _("The platform")),
        ],
        "cause": [any_, *((code, _told(code, n)) for code, n in causes.items())],
    }


def _told(code: str, count: int) -> str:
    entry = by_code(code)
    cause = translated(entry.cause) if entry else code
    return _("%(number)s x %(cause)s") % {"number": number(count), "cause": cause}


def _opened(address: Address, everything: Sequence[AccountSummary]) -> set[str]:
    """The accounts that are unfolded."""
    given = address.values.get("open")
    if given is None and len(everything) <= listing.SHOWN:
        return {each.parent for each in everything if each.parent}
    return set((given or "").split(",")) - {"", NOTHING}


def _fold_url(address: Address, opened: set[str]) -> Callable[[str], str]:
    """Makes the link that folds an account, or unfolds it."""

    def url(account_id: str) -> str:
        changed = sorted(opened ^ {account_id})
        opened_then = ",".join(changed) or NOTHING
        return address.url(open=opened_then, page=address.values.get("page"))

    return url
