"""The alerts of an account: who gets them, saved without a test; what was sent; a test e-mail."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import Response

from alerts.history import AlertHistory
from config.alert_settings import ALERT_FIELDS, AlertSettingsInput
from config.fields import declared, explain, read_form
from config.ftp_settings import FtpSettings
from config.permissions import Principal
from config.text import is_email
from worker.account_facts import read_state
from worker.alert_mail import KINDS, OUTCOMES, TESTS, TOLD_ALREADY, alerts_shape
from worker.console.access import FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.pages.frame import framed
from worker.console.pages.render import REFUSALS, go
from worker.console.services import services_of

SHOWN = 25

router = APIRouter(prefix="/accounts/{account_id}/alerts")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]


@router.get("")
def alerts(
    principal: Viewer, request: Request, account_id: str, before: str | None = None
) -> Response:
    """The form with what is stored, and the e-mails of the account."""
    stored = services_of(request).directory.get(account_id).settings
    values = {} if stored is None else _texts(stored)
    return _page(request, principal, account_id, values, before=before)


@router.post("")
def save(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Save the form. What is wrong with it is told beside its fields."""
    given = read_form(form)
    try:
        entered = AlertSettingsInput.model_validate(
            {name: given[name] for name in ALERT_FIELDS if name in given}
        )
        changes = {name: getattr(entered, name) for name in ALERT_FIELDS}
        Acts(services_of(request), principal).save_alerts(account_id, changes)
    except ValidationError as error:
        texts = {name: form.get(name, "") for name in ALERT_FIELDS}
        return _page(request, principal, account_id, texts, problems=explain(error))
    except REFUSALS as refusal:
        return go(request, f"/accounts/{account_id}/alerts", str(refusal), ok=False)
    words = _("The alerts are saved. The server was not tested: nothing else was changed.")
    return go(request, f"/accounts/{account_id}/alerts", words)


@router.post("/test")
def test(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Send a test e-mail."""
    where, to_actor = f"/accounts/{account_id}/alerts", form.get("to") == "me"
    try:
        sent = Acts(services_of(request), principal).send_test_mail(account_id, to_actor=to_actor)
    except REFUSALS as refusal:
        return go(request, where, str(refusal), ok=False)
    words = _("A test e-mail is on its way to %(addresses)s: reload to see what became of it.")
    return go(request, where, words % {"addresses": ", ".join(sent)})


def _page(
    request: Request,
    principal: Principal,
    account_id: str,
    values: dict[str, str],
    *,
    before: str | None = None,
    problems: dict[str, str] | None = None,
) -> Response:
    services = services_of(request)
    mails = list(AlertHistory(services.core.database).list(account_id, SHOWN + 1, before))
    return framed(
        request,
        principal,
        "alerts.html",
        read_state(services.core, account_id),
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK,
        fields=[declared(name) for name in ALERT_FIELDS],
        values=values,
        problems=problems or {},
        may_change=principal.may_change(account_id, services.directory.find),
        own_address=principal.login if is_email(principal.login) else "",
        most_tests=TESTS,
        mails=mails[:SHOWN],
        more=len(mails) > SHOWN,
        is_older=before is not None,
        kinds=KINDS,
        outcomes=OUTCOMES,
        told_already=TOLD_ALREADY,
        alert_addresses=services.alert_addresses.of(account_id),
        must_confirm=services.core.settings.confirm_alert_emails,
    )


def _texts(settings: FtpSettings) -> dict[str, str]:
    return {name: _text(value) for name, value in alerts_shape(settings).items()}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "" if value is False else str(value)
