"""The Account tab: its name, its place in the tree, its settings and itself, to be forgotten."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.errors import Conflict
from worker.console.language import gettext as _
from worker.console.numerals import number
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of

router = APIRouter(prefix="/accounts/{account_id}/account")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]
Provider = Annotated[Principal, Depends(PageAccess(Right.PROVIDER))]


@router.get("")
def administration(principal: Viewer, request: Request, account_id: str) -> Response:
    """What the account is, and what may be changed of that."""
    services = services_of(request)
    return framed(
        request,
        principal,
        "administration.html",
        read_account(services.core, account_id),
        may_change=principal.may_change(account_id, services.directory.find),
        has_children=bool(services.directory.children(account_id)),
    )


@router.post("/name")
def rename(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Change the name that people read."""
    name = form.get("name", "").strip()
    try:
        Acts(services_of(request), principal).rename(account_id, name)
    except REFUSALS as refusal:
        return _back(request, account_id, str(refusal), ok=False)
    called = _("The account is called %(name)s now.") % {"name": name}
    words = called if name else _("The account has no name now.")
    return _back(request, account_id, words)


@router.post("/place")
def move(principal: Provider, request: Request, account_id: str, form: FormData) -> Response:
    """Move it to another account, or to the top."""
    parent = form.get("parent", "").strip() or None
    try:
        Acts(services_of(request), principal).move(account_id, parent)
    except REFUSALS as refusal:
        return _back(request, account_id, str(refusal), ok=False)
    beneath = _("The account is beneath %(parent)s now.") % {"parent": parent}
    return _back(request, account_id, beneath if parent else _("The account is at the top now."))


@router.post("/settings")
def forget_settings(
    principal: Changer, request: Request, account_id: str, form: FormData
) -> Response:
    """Forget its FTP settings."""
    try:
        _check_typed(form.get("confirm", ""), account_id)
        Acts(services_of(request), principal).forget_settings(account_id)
    except REFUSALS as refusal:
        return _back(request, account_id, str(refusal), ok=False)
    return _back(request, account_id, _("The FTP settings are forgotten; files stay queued."))


@router.post("/removal")
def remove(principal: Provider, request: Request, account_id: str, form: FormData) -> Response:
    """Remove it for good."""
    discard_files = form.get("discard_files") == "yes"
    try:
        _check_typed(form.get("confirm", ""), account_id)
        acts = Acts(services_of(request), principal)
        lost = acts.remove_account(account_id, discard_files=discard_files)
    except REFUSALS as refusal:
        return _back(request, account_id, str(refusal), ok=False)
    words = _("The account %(account_id)s was removed.") % {"account_id": account_id}
    if lost.files:
        also = _("Files of it that were discarded: %(number)s.") % {"number": number(lost.files)}
        words = f"{words} {also}"
    return go(request, "/accounts", words)


def _check_typed(typed: str, account_id: str) -> None:
    """Raises Conflict where not the account's id was typed."""
    if typed.strip() != account_id:
        raise Conflict(
            _("Nothing was done: type %(account_id)s to confirm it.") % {"account_id": account_id}
        )


def _back(request: Request, account_id: str, sentence: str, *, ok: bool = True) -> Response:
    return go(request, f"/accounts/{account_id}/account", sentence, ok=ok)
