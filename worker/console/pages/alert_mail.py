"""The page of an alert's link: its reader stops the e-mails, resumes or confirms them.

The link names the address; nobody signs in. Opening the page changes nothing, because programs that
check e-mails open every link. A mail program's own button sends the form (RFC 8058).
"""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from config.audit import Action
from config.mail_links import PATH, Recipient
from worker.console.access import Form, FormData, NotFound, PageAccess, Right
from worker.console.pages.render import page
from worker.console.services import Services, services_of

HOUR = 3600
router = APIRouter(prefix=PATH)
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


@router.get("")
def alert_mail(_: Anybody, request: Request, token: str = "") -> Response:
    """What the reader can do."""
    services = services_of(request)
    return _page(request, services, _recipient(services, token), token)


@router.post("")
def change_alert_mail(_: Anybody, request: Request, form: FormData, token: str = "") -> Response:
    """Stop, resume, confirm."""
    services = services_of(request)
    given = form.get("token", token)
    recipient = _recipient(services, given)
    action = _act(services, recipient, form)
    actor = f"mail:{recipient.address}"
    services.audit.count(
        actor, action, recipient.account_id, _address_of(request), every=HOUR, target=None
    )
    return _page(request, services, recipient, given)


def _recipient(services: Services, token: str) -> Recipient:
    """The link's recipient. Raises NotFound where it is not ours, or the account is gone."""
    recipient = services.mail_links.read(token)
    if recipient is None or services.directory.find(recipient.account_id) is None:
        raise NotFound
    return recipient


def _act(services: Services, recipient: Recipient, form: Form) -> Action:
    do = "stop" if form.get("List-Unsubscribe") == "One-Click" else form.get("do", "")
    addresses = services.alert_addresses
    if do == "stop":
        addresses.stop(recipient)
        return Action.ALERTS_STOPPED
    if do == "resume":
        addresses.resume(recipient)
        return Action.ALERTS_RESUMED
    if do == "confirm":
        addresses.confirm(recipient)
        return Action.ALERTS_CONFIRMED
    raise NotFound


def _page(request: Request, services: Services, recipient: Recipient, token: str) -> Response:
    known = services.alert_addresses.find(recipient)
    must_confirm = services.core.settings.confirm_alert_emails
    return page(
        request,
        "alert_mail.html",
        status=HTTPStatus.OK,
        recipient=recipient,
        token=token,
        is_stopped=known is not None and known.stopped_at is not None,
        must_confirm=must_confirm and (known is None or known.confirmed_at is None),
    )


def _address_of(request: Request) -> str:
    return request.client.host if request.client else "unknown"
