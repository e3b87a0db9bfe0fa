"""An account's alerts: who gets them, what was sent, a test e-mail."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, status

from alerts.history import AlertHistory
from config.accounts import AlertFrequency
from config.alert_settings import AlertSettingsInput
from config.permissions import Principal
from worker.alert_mail import alerts_shape, sent_mail_shape
from worker.console.access import ApiAccess, NotFound, Right
from worker.console.acts import Acts
from worker.console.api.models import Given, Taken, Time
from worker.console.services import services_of
from worker.show import Shape

MAX_MAILS = 200

router = APIRouter(prefix="/accounts/{account_id}/alerts", tags=["alerts"])
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]


class AlertsShape(Given):
    """Who hears of outages, and how often."""

    email_alerts: list[str]
    alert_frequency: AlertFrequency
    recovery_email: bool


class AddressedShape(Given):
    """What became of one recipient's copy."""

    address: str
    outcome: Literal[
        "sent",
        "waiting",
        "failed",
        "refused",
        "stopped",
        "unconfirmed",
        "limited",
        "later",
    ]
    """The last four were left out: by their reader's wish, for want of it, by the limits; `later`
    is in an entry of its own."""
    words: str | None
    """The mail server's."""


class SentMailShape(Given):
    """One e-mail about an account."""

    alert_id: str
    kind: Literal["suspension", "recovery", "settings", "confirmation", "test"]
    at: Time
    why: str
    state: Literal["waiting", "sent", "failed", "left-out", "unaddressed"]
    """`unaddressed`: nobody was to get it."""
    told_already: bool
    """Nobody was to get it because the outage is told once, and then daily."""
    recipients: list[AddressedShape]
    last_error: str | None
    finished_at: Time | None


class NewTestMail(Taken):
    """A test e-mail."""

    to: Literal["addresses", "me"] = "addresses"
    """`addresses`: those of Email Alerts; `me`: the caller's login, where it is an address."""


class TestMailShape(Given):
    """A test e-mail on its way."""

    recipients: list[str]


@router.get("", response_model=AlertsShape)
def show_alerts(_: Viewer, request: Request, account_id: str) -> Shape:
    """Who hears of outages, and how often; 404 without FTP settings."""
    settings = services_of(request).directory.get(account_id).settings
    if settings is None:
        raise NotFound
    return alerts_shape(settings)


@router.put("", response_model=AlertsShape)
def save_alerts(
    principal: Changer, request: Request, account_id: str, entered: AlertSettingsInput
) -> Shape:
    """Change who hears of outages and how often, without a test of the server.

    Fields left out keep their stored value. Addresses that are taken out are told of it.
    """
    changes = {name: getattr(entered, name) for name in entered.model_fields_set}
    return alerts_shape(Acts(services_of(request), principal).save_alerts(account_id, changes))


@router.get("/history", response_model=list[SentMailShape])
def history(
    _: Viewer,
    request: Request,
    account_id: str,
    before: Annotated[str | None, Query(max_length=500)] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_MAILS)] = 50,
) -> list[Shape]:
    """The e-mails about the account, the newest first: why, to whom, sent or not; those older than
    `before`, the id of one of them. They are kept for 90 days."""
    found = AlertHistory(services_of(request).core.database).list(account_id, limit, before)
    return [sent_mail_shape(mail) for mail in found]


@router.post("/test", status_code=status.HTTP_202_ACCEPTED, response_model=TestMailShape)
def send_test_mail(
    principal: Changer, request: Request, account_id: str, new: NewTestMail
) -> Shape:
    """Have a test e-mail sent the way of every alert; the history tells what became of it.

    Three in ten minutes (429).
    """
    acts = Acts(services_of(request), principal)
    return {"recipients": acts.send_test_mail(account_id, to_actor=new.to == "me")}
