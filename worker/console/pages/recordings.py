"""Finding recordings: of all accounts, or of one. What is searched for stands in the address."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from config.errors import FieldRefused, SearchUnavailable
from config.permissions import Principal
from consumers.ledger import Found, Search, Time
from consumers.ledger.search import MOST
from transports.diagnosis import Whose
from worker.account_facts import read_state
from worker.console.access import PageAccess, Right, of_nobody
from worker.console.downloads import Csv
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import translated
from worker.console.pages.frame import framed
from worker.console.pages.render import initial, page
from worker.console.parameters import takes
from worker.console.services import Services, services_of
from worker.searching import FIELDS, MAX_TEXT, Order, read_place, read_search
from worker.show import CUSTOMERS_WORDS, STATUS_WORDS

SHOWN = 50
MOST_LOOKS = 30
"""A page looks once a second for a download that may have been refused."""
_DIGITS = 9
"""Digits of a number's end that tell it from others."""
OPERATORS_WHOSE = {
    Whose.CUSTOMER: N_("The customer's server"),
    Whose.NETWORK: N_("The network between"),
    Whose.PLATFORM: N_("Our platform"),
}
CUSTOMERS_WHOSE = {
    Whose.CUSTOMER: N_("Your server"),
    Whose.NETWORK: N_("The network between"),
    Whose.PLATFORM: N_("The service provider"),
}

router = APIRouter()
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]
Somebody = Annotated[Principal, Depends(PageAccess(Right.SIGNED_IN))]

_OF_A_PAGE, _OF_A_FILE = takes(*FIELDS, "after"), takes(*FIELDS, "download")
Looks = Annotated[int, Query(ge=0, le=MOST_LOOKS)]


@dataclass(frozen=True)
class Listed:
    """What the page shows: the recordings found, or why there are none to show."""

    found: Found
    count: int | None = None
    wrong: Mapping[str, str] | None = None
    """A sentence for a field that cannot be used."""
    trouble: str = ""
    is_filled: bool = True

    @property
    def status(self) -> int:
        """Of the answer."""
        if self.trouble:
            return HTTPStatus.SERVICE_UNAVAILABLE.value
        return HTTPStatus.UNPROCESSABLE_ENTITY.value if self.wrong else HTTPStatus.OK.value


@router.get("/recordings", dependencies=[_OF_A_PAGE])
def recordings(principal: Provider, request: Request) -> Response:
    """Of all accounts."""
    listed, values = _list(request, principal, None)
    return page(request, "recordings.html", status=listed.status, **values)


@router.get("/accounts/{account_id}/recordings", dependencies=[_OF_A_PAGE])
def of_account(principal: Viewer, request: Request, account_id: str) -> Response:
    """Of one account."""
    facts = read_state(services_of(request).core, account_id)
    listed, values = _list(request, principal, account_id)
    return framed(
        request, principal, "account_recordings.html", facts, status=listed.status, **values
    )


@router.get("/recordings.csv", dependencies=[_OF_A_FILE])
def all_as_csv(principal: Provider, request: Request) -> Response:
    """Those that the page of all accounts finds."""
    return _csv(request, principal, None)


@router.get("/accounts/{account_id}/recordings.csv", dependencies=[_OF_A_FILE])
def of_account_as_csv(principal: Viewer, request: Request, account_id: str) -> Response:
    """Those that the account's page finds."""
    return _csv(request, principal, account_id)


@router.get("/downloads")
def progress(principal: Somebody, request: Request, name: str = "", looks: Looks = 0) -> Response:
    """How far a download of the principal's is; `looks` before this one have found none."""
    download = services_of(request).downloads.find(principal, name)
    waits = looks < MOST_LOOKS
    found: dict[str, Any] = {"download": download, "looks": looks + 1, "waits": waits, "most": MOST}
    return page(request, "download.html", name=name, **found)


def _list(
    request: Request, principal: Principal, account_id: str | None
) -> tuple[Listed, dict[str, Any]]:
    typed = _typed(request)
    listed = _listed(services_of(request), typed, account_id, request.query_params.get("after"))
    base = f"/accounts/{account_id}/recordings" if account_id else "/recordings"
    asked = {name: text for name, text in typed.items() if text}
    further = {**asked, "after": str(listed.found.next)}
    download = secrets.token_urlsafe(9)
    part = _part_of_name(asked)
    by_name = {name: text for name, text in asked.items() if name != "number"}
    return listed, {
        "listed": listed,
        "typed": {"by": Time.RECORDED.value, "order": Order.NEWEST.value, **asked},
        "is_asked": bool(asked),
        "wrong": listed.wrong or {},
        "base": base,
        "of_all": account_id is None,
        "is_first": "after" not in request.query_params,
        "first": _address(base, asked),
        "next": _address(base, further) if listed.found.next else "",
        "csv": _address(f"{base}.csv", {**asked, "download": download}),
        "download": download,
        "statuses": _choices(STATUS_WORDS if principal.is_provider else CUSTOMERS_WORDS),
        "whose": _choices(OPERATORS_WHOSE if principal.is_provider else CUSTOMERS_WHOSE),
        "most": MOST,
        "part": part,
        "by_name": _address(base, {**by_name, "file_name": f"*{part}"}) if part else "",
    }


def _part_of_name(asked: Mapping[str, str]) -> str:
    """How a number that was asked for ends in the names of files, with its country's code or not.

    Empty where names are asked for as well.
    """
    digits = "".join(each for each in asked.get("number", "") if each in "0123456789")
    return "" if "file_name" in asked else digits[-_DIGITS:]


def _typed(request: Request) -> dict[str, str]:
    """What stands in the fields; a character more than may shows that it is too much."""
    return {name: request.query_params.get(name, "")[: MAX_TEXT + 1] for name in FIELDS}


def _listed(
    services: Services, typed: Mapping[str, str], account_id: str | None, after: str | None
) -> Listed:
    searches, nothing = services.ledger.searches, Found([])
    try:
        search = read_search(typed, account_id)
        found = searches.page(search, read_place(after), SHOWN)
        count = None if after else searches.count(search)
        return Listed(found, count, is_filled=_is_filled(services, search))
    except FieldRefused as refusal:
        return Listed(nothing, wrong={refusal.field: str(refusal)})
    except SearchUnavailable as unavailable:
        return Listed(nothing, trouble=str(unavailable))


def _is_filled(services: Services, search: Search) -> bool:
    """Whether the search can have missed no row of an earlier version."""
    may_miss = search.by is Time.RECORDED or search.number or search.whose
    return not may_miss or services.ledger.search_indexes.is_filled()


def _csv(request: Request, principal: Principal, account_id: str | None) -> Response:
    services = services_of(request)
    search = read_search(_typed(request), account_id)
    name = request.query_params.get("download", "")[:MAX_TEXT]
    total = services.ledger.searches.count(search)
    download = services.downloads.begin(principal, name, total)
    pages = services.ledger.searches.pages(search)
    answer = Csv(download, pages, for_customer=not principal.is_provider)
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    answer.headers["Content-Disposition"] = f'attachment; filename="recordings-{day}.csv"'
    return answer


def _choices(words: Mapping[Any, str]) -> list[tuple[str, str]]:
    """Values and what people read, after that for any."""
    told = ((str(value), initial(translated(text))) for value, text in words.items())
    return [("", _("Any")), *told]


def _address(base: str, query: Mapping[str, str]) -> str:
    return f"{base}?{urlencode(query)}" if query else base
