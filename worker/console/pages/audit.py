"""The pages of the audit: who changed what, in sentences."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from markupsafe import Markup
from starlette.responses import Response

from config.audit import Entry
from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import HX_REQUEST, PageAccess, Right, of_nobody
from worker.console.audit_asked import FIELDS, TOPICS, read_filter
from worker.console.audit_words import Line, Told, told
from worker.console.language import gettext as _
from worker.console.pages.address import Address
from worker.console.pages.frame import framed
from worker.console.pages.render import page
from worker.console.parameters import takes
from worker.console.services import services_of

SHOWN = 50
_TAKEN = takes(*FIELDS, "before")

router = APIRouter()
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER, of_nobody))]


@router.get("/audit", dependencies=[_TAKEN])
def audit(principal: Provider, request: Request) -> Response:
    """Every change on the platform."""
    template = "audit_body.html" if _is_fragment(request) else "audit.html"
    return page(request, template, **_listed(request, principal, None))


@router.get("/accounts/{account_id}/audit", dependencies=[_TAKEN])
def account_audit(principal: Viewer, request: Request, account_id: str) -> Response:
    """Every change of one account."""
    listed = _listed(request, principal, account_id)
    if _is_fragment(request):
        return page(request, "audit_body.html", **listed)
    facts = read_account(services_of(request).core, account_id)
    return framed(request, principal, "account_audit.html", facts, **listed)


def _is_fragment(request: Request) -> bool:
    return request.headers.get(HX_REQUEST) == "true"


def _listed(request: Request, principal: Principal, account_id: str | None) -> dict[str, Any]:
    """A page of entries, the newest first. Raises FieldRefused."""
    address = Address.of(request)
    chosen, asked_account = read_filter(address.values)
    of = account_id or asked_account
    before = address.values.get("before")
    entries = list(
        services_of(request).audit.list(None if of is None else [of], SHOWN + 1, before, chosen)
    )
    return {
        "address": address,
        "asked": {name: address.values.get(name, "") for name in FIELDS},
        "of_all": account_id is None,
        "topics": [
            ("", _("Anything")),
            *((name, _(words)) for name, (words, *_rest) in TOPICS.items()),
        ],
        "entries": [_row(each, principal) for each in entries[:SHOWN]],
        "first": address.url() if before else "",
        "next": address.url(before=entries[SHOWN - 1].entry_id) if len(entries) > SHOWN else "",
    }


def _row(entry: Entry, principal: Principal) -> dict[str, Any]:
    in_words = told(entry, for_customer=not principal.is_provider)
    return {
        "entry": entry,
        "sentence": _sentence(in_words, entry),
        "details": [_marked(each) for each in in_words.details],
        "names_account": in_words.names_account,
    }


def _sentence(in_words: Told, entry: Entry) -> Markup:
    """The sentence; who did it stands out, and an account leads to its page."""
    marked = {"who": Markup("<strong>{}</strong>").format(in_words.sentence.values.get("who", ""))}
    if entry.account_id is not None and in_words.names_account:
        link = Markup('<a href="/accounts/{0}">{0}</a>')
        marked["account"] = link.format(entry.account_id)
    return _marked(in_words.sentence, marked)


def _marked(line: Line, marked: dict[str, Markup] | None = None) -> Markup:
    """The line as a part of a page: what stands in its places is escaped."""
    values = {name: Markup("<span>{}</span>").format(given) for name, given in line.values.items()}
    return Markup(line.template) % {**values, **(marked or {})}  # noqa: S704 - of our catalogues
