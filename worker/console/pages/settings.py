"""The FTP Settings of an account, tested live before they are saved."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ValidationError
from starlette.responses import RedirectResponse, Response

from config import destination
from config.fields import declared, explain, read_form, settings_fields
from config.fingerprints import as_of_host_key
from config.ftp_settings import FtpSettings, FtpSettingsInput
from config.permissions import Principal
from config.ssh_keys import KeyType
from worker.account_facts import AccountFacts, read_account
from worker.console.access import HX_REQUEST, Form, FormData, PageAccess, Right
from worker.console.acts import Acts
from worker.console.language import gettext as _
from worker.console.language import translated
from worker.console.limits import TooManyRequests
from worker.console.pages.frame import framed
from worker.console.pages.render import go, page
from worker.console.parameters import takes
from worker.console.services import Services, services_of
from worker.console.validation import Act, Run, TooManyTests
from worker.ftp_settings import Secrets, secrets_of
from worker.name_preview import FIELDS, preview

router = APIRouter(prefix="/accounts/{account_id}/ftp")
Viewer = Annotated[Principal, Depends(PageAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(PageAccess(Right.CHANGE))]


@router.get("")
def settings(principal: Viewer, request: Request, account_id: str, run: str = "") -> Response:
    """The form, with what is stored."""
    services = services_of(request)
    facts = read_account(services.core, account_id)
    return framed(
        request,
        principal,
        "settings.html",
        facts,
        **_form(services, principal, facts),
        run=services.validations.find(account_id, run) if run else None,
        alert_addresses=services.alert_addresses.of(account_id),
        must_confirm=services.core.settings.confirm_alert_emails,
        is_fragment=False,
    )


@router.post("")
def save(principal: Changer, request: Request, account_id: str, form: FormData) -> Response:
    """Begin the test, which saves unless it was asked for alone; without the box ticked, switch the
    settings off."""
    services = services_of(request)
    act = Act.TRY if form.get("act") == Act.TRY else Act.SAVE
    if "enabled" not in form and act is Act.SAVE:
        return _switch_off(request, services, principal, account_id)
    try:
        entered = FtpSettingsInput.model_validate(read_form(form))
        stored = services.directory.get(account_id).settings
        if stored is None and entered.password is None and entered.logon_type.needs_password:
            return _refused(request, {"password": "Password is required."})
        changes = without_hidden(principal, changes_of(entered, stored))
        given = secrets_of(entered)
        run = services.validations.start(principal, account_id, changes, given, act)
    except ValidationError as error:
        return _refused(request, explain(error))
    except (TooManyTests, TooManyRequests) as error:
        return _refused(request, {"": str(error)})
    return _begun(request, principal, account_id, run)


@router.get("/tests/{run_id}")
def progress(principal: Viewer, request: Request, account_id: str, run_id: str) -> Response:
    """The progress of the test."""
    run = services_of(request).validations.find(account_id, run_id)
    if run is None:
        return _forgotten(request)
    return _test(request, principal, run)


@router.get("/preview", dependencies=[takes(*FIELDS)])
def preview_name(_: Viewer, request: Request, account_id: str) -> Response:
    """The path that a recording would get by what stands in the form."""
    stored = services_of(request).directory.get(account_id).settings
    given = {name: request.query_params.get(name, "") for name in FIELDS}
    entered = read_form({name: text for name, text in given.items() if text})
    changes = {name: entered.get(name, declared(name).default) for name in FIELDS}
    return page(request, "name_preview.html", **_preview(account_id, stored, changes))


@router.get("/after")
def after_save(_: Viewer, request: Request, account_id: str) -> Response:
    """The account and its files after a save."""
    facts = read_account(services_of(request).core, account_id)
    return page(request, "after_save.html", facts=facts, account=facts.account, is_fragment=True)


@router.post("/tests/{run_id}/approve")
def approve(
    principal: Changer, request: Request, account_id: str, run_id: str, form: FormData
) -> Response:
    """Trust the key that the server showed, and test again with it.

    With `keep` in the form the pinned keys stay trusted too.
    """
    services = services_of(request)
    run = services.validations.find(account_id, run_id)
    if run is None:
        return _forgotten(request)
    try:
        again = services.validations.approve(principal, run, keep=bool(form.get("keep")))
    except (TooManyTests, TooManyRequests) as error:
        return _refused(request, {"": str(error)})
    return _begun(request, principal, account_id, again)


def changes_of(entered: FtpSettingsInput, stored: FtpSettings | None) -> dict[str, Any]:
    """The changes of a whole form, without the secrets.

    A pinned host key does not count as entered: with another server it is not kept. Of SFTP none
    entered means the same; of FTPS it means that the certificate is to be verified.
    """
    changes = entered.model_dump(exclude=set(Secrets._fields))
    is_left_out = not entered.host_keys and not entered.protocol.uses_tls
    if is_left_out or (stored is not None and _are_the_same(entered.host_keys, stored.host_keys)):
        del changes["host_keys"]
    return changes


def _are_the_same(fingerprints: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """However they are written: each protocol has a spelling of its own."""
    return [*map(as_of_host_key, fingerprints)] == [*map(as_of_host_key, others)]


def without_hidden(principal: Principal, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes without the fields that the form does not show to this user."""
    if principal.is_provider:
        return changes
    hidden = {field.name for field in settings_fields() if field.by_provider}
    return {name: value for name, value in changes.items() if name not in hidden}


def _shown(stored: FtpSettings | None) -> Form:
    """The fields' texts; a password is never among them."""
    values: dict[str, Any] = {field.name: field.default for field in settings_fields()}
    if stored is None:
        return {**{name: _text(value) for name, value in values.items()}, "protocol": "sftp"}
    values |= {name: value for name, value in stored.model_dump().items() if name in values}
    return {name: _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    if value is None or value is False:
        return ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _switch_off(
    request: Request, services: Services, principal: Principal, account_id: str
) -> Response:
    account = services.directory.get(account_id)
    if account.settings is None or not account.enabled:
        words = _("Nothing was saved: tick 'Enable FTP Settings' and fill in the form.")
        return _refused(request, {"": words})
    Acts(services, principal).set_enabled(account_id, enabled=False)
    words = _("The FTP settings are switched off and stay stored; files stay queued.")
    response = go(request, f"/accounts/{account_id}/ftp", words)
    if HX_REQUEST in request.headers:
        response.headers["HX-Redirect"] = response.headers["location"]
        response.status_code = HTTPStatus.OK
    return response


def _form(services: Services, principal: Principal, facts: AccountFacts) -> dict[str, Any]:
    """What the form shows."""
    stored = facts.account.settings
    return {
        "fields": settings_fields(),
        "destination": destination.FIELDS,
        "key_types": list(KeyType),
        "problem": "",
        "values": _shown(stored),
        "stored": stored,
        **_preview(facts.account.account_id, stored, {}),
        "has_password": stored is not None and stored.logon_type.needs_password,
        "may_change": principal.may_change(facts.account.account_id, services.directory.find),
    }


def _preview(
    account_id: str, stored: FtpSettings | None, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """The path of an example, or what is wrong with the templates."""
    try:
        shown = preview(account_id, stored, changes, {})
    except ValidationError as error:
        return {"preview": None, "preview_problems": explain(error)}
    return {"preview": shown, "preview_problems": {}}


def _test(request: Request, principal: Principal, run: Run) -> Response:
    """The progress of the test; after a save also the form as stored now, and the state."""
    if run.settings is None:
        return page(request, "test.html", run=run, is_fragment=True)
    services = services_of(request)
    facts = read_account(services.core, run.account_id)
    form = _form(services, principal, facts)
    return page(
        request, "test.html", run=run, is_fragment=True, facts=facts, account=facts.account, **form
    )


def _begun(request: Request, principal: Principal, account_id: str, run: Run) -> Response:
    if HX_REQUEST in request.headers:
        return _test(request, principal, run)
    where = f"/accounts/{account_id}/ftp?run={run.run_id}"
    return RedirectResponse(where, HTTPStatus.SEE_OTHER)


def _forgotten(request: Request) -> Response:
    """The answer for a test that is not known: an old one, or one from before a restart."""
    words = _("This test is not known any more: look at what is stored, and save again.")
    return _refused(request, {"": words})


def _refused(request: Request, problems: dict[str, str]) -> Response:
    if HX_REQUEST in request.headers:
        return page(request, "refused.html", status=422, problems=problems)
    sentence = " ".join(map(translated, problems.values()))
    title = _("Nothing was saved")
    return page(request, "problem.html", status=422, title=title, sentence=sentence, others=[])
