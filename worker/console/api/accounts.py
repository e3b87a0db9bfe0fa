"""Accounts, their FTP settings, their permission, and what can be done about their state."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status
from pydantic import ValidationError

from config.permissions import Principal
from worker.account_facts import read_account
from worker.console.access import (
    ApiAccess,
    Forbidden,
    NotFound,
    Right,
    check_provider_fields,
    of_nobody,
)
from worker.console.acts import Acts
from worker.console.api.models import (
    AccountChange,
    AccountShape,
    KeysShape,
    NewAccount,
    NewKey,
    OwnKey,
    PermissionShape,
    RemovedShape,
    SavedShape,
    SettingsInput,
    SettingsShape,
)
from worker.console.api.problems import SettingsRefused
from worker.console.errors import Conflict
from worker.console.services import Services, services_of
from worker.console.validation import END_SECONDS
from worker.ftp_settings import Secrets, secrets_of
from worker.show import Shape, account_shape, keys_shape, settings_shape

router = APIRouter(tags=["accounts"])
one = APIRouter(prefix="/accounts/{account_id}", tags=["accounts"])
Provider = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER, of_nobody))]
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]
Granter = Annotated[Principal, Depends(ApiAccess(Right.GRANT))]
Owner = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER))]


@router.post("/accounts", status_code=status.HTTP_201_CREATED, response_model=AccountShape)
def create_account(principal: Provider, request: Request, new: NewAccount) -> Shape:
    """Add an account."""
    Acts(services_of(request), principal).create_account(
        new.account_id, name=new.name, parent=new.parent, ftp_access=new.ftp_access
    )
    return _shown(principal, request, new.account_id)


@one.get("", response_model=AccountShape)
def show_account(principal: Viewer, request: Request, account_id: str) -> Shape:
    """One account with its state."""
    return _shown(principal, request, account_id)


@one.patch("", response_model=AccountShape)
def change_account(
    principal: Viewer, request: Request, account_id: str, change: AccountChange
) -> Shape:
    """Change its name or default method; the service provider may also move it."""
    services = services_of(request)
    acts = Acts(services, principal)
    _check_change(services, principal, account_id, change)
    if "parent" in change.model_fields_set:
        acts.move(account_id, change.parent)
    if change.name is not None:
        acts.rename(account_id, change.name)
    if change.default_method is not None:
        acts.set_default_method(account_id, change.default_method)
    return _shown(principal, request, account_id)


@one.delete("", response_model=RemovedShape)
def remove_account(
    principal: Owner,
    request: Request,
    account_id: str,
    discard_files: bool = False,  # noqa: FBT001, FBT002 - the query's parameter
) -> Shape:
    """Remove it with its numbers, users, tokens and queues; refused while files are queued.

    Its dead letters are given up with it, and what is queued where `discard_files` says so; the
    answer counts them.
    """
    acts = Acts(services_of(request), principal)
    discarded = acts.remove_account(account_id, discard_files=discard_files)
    return {"account_id": account_id, "discarded": vars(discarded)}


@one.get("/settings", response_model=SettingsShape)
def show_settings(_: Viewer, request: Request, account_id: str) -> Shape:
    """The FTP settings; never the password."""
    shape = settings_shape(services_of(request).directory.get(account_id).settings)
    if shape is None:
        raise NotFound
    return shape


@one.put("/settings", response_model=SavedShape)
def save_settings(
    principal: Changer, request: Request, account_id: str, entered: SettingsInput
) -> Shape:
    """Log in, upload a text file, and save only where that works; saving switches them on.

    Protocol, host and username are always given; other fields left out keep their stored value,
    the password only with the same protocol, host, port and username. A `private_key` becomes the
    account's once the test has logged in with it. A changed host key is
    refused with 409 and both fingerprints; give the new one as `host_key` to approve it instead of
    those stored, or in `host_keys` with those that stay. A certificate of FTPS that nobody known
    has issued is refused with 409 and its fingerprint, which is approved the same way; empty
    `host_keys` have it verified again. It may take up to five minutes; one test
    an account runs at once (429).
    """
    services = services_of(request)
    changes = entered.model_dump(exclude_unset=True, exclude={*Secrets._fields, "capabilities"})
    stored = services.directory.get(account_id).settings
    if stored is None and entered.password is None and entered.logon_type.needs_password:
        raise ValidationError.from_exception_data(
            "settings", [{"type": "missing", "loc": ("password",), "input": None}]
        )
    check_provider_fields(principal, changes, stored)
    run = services.validations.start(principal, account_id, changes, secrets_of(entered))
    run.ended.wait(END_SECONDS)
    if run.saved is None or run.settings is None:
        raise SettingsRefused(run)
    return {
        "settings": settings_shape(run.settings),
        "steps": [step.document() for step in run.steps],
        "pinned": run.saved.pinned,
        "capabilities": run.settings.capabilities.model_dump(mode="json"),
    }


@one.delete("/settings", status_code=status.HTTP_204_NO_CONTENT)
def remove_settings(principal: Changer, request: Request, account_id: str) -> None:
    """Remove the FTP settings with the password; files stay queued, and 409 where there are none.

    To stop deliveries for a while, disable the settings or suspend the account instead.
    """
    Acts(services_of(request), principal).forget_settings(account_id)


@one.get("/key", response_model=KeysShape)
def show_key(_: Viewer, request: Request, account_id: str) -> Shape:
    """The public halves of the account's keys; never a private one."""
    return _keys(request, account_id)


@one.post("/key", status_code=status.HTTP_201_CREATED, response_model=KeysShape)
def make_key(principal: Changer, request: Request, account_id: str, new: NewKey) -> Shape:
    """Make a key pair. Put `public_key` on the server; the next save with `logon_type` `key` or
    `key-and-password` tests the key, and uses it from then on."""
    Acts(services_of(request), principal).generate_key(account_id, new.type)
    return _keys(request, account_id)


@one.put("/key", response_model=KeysShape)
def import_key(principal: Changer, request: Request, account_id: str, own: OwnKey) -> Shape:
    """Take a key of the customer's own, to be used as one that was made here."""
    acts = Acts(services_of(request), principal)
    acts.import_key(account_id, own.private_key, own.passphrase)
    return _keys(request, account_id)


@one.delete("/key", status_code=status.HTTP_204_NO_CONTENT)
def discard_key(principal: Changer, request: Request, account_id: str) -> None:
    """Forget the new key that waits for its test; the one in use stays. 409 where none waits."""
    Acts(services_of(request), principal).discard_key(account_id)


@one.post("/settings/enable", response_model=AccountShape)
def enable(principal: Changer, request: Request, account_id: str) -> Shape:
    """Switch the stored settings on."""
    Acts(services_of(request), principal).set_enabled(account_id, enabled=True)
    return _shown(principal, request, account_id)


@one.post("/settings/disable", response_model=AccountShape)
def disable(principal: Changer, request: Request, account_id: str) -> Shape:
    """Switch the stored settings off; files stay queued."""
    Acts(services_of(request), principal).set_enabled(account_id, enabled=False)
    return _shown(principal, request, account_id)


@one.get("/permission", response_model=PermissionShape)
def permission(_: Viewer, request: Request, account_id: str) -> Shape:
    """The account's FTP Access."""
    return _permission(services_of(request), account_id)


@one.put("/permission", response_model=PermissionShape)
def grant(principal: Granter, request: Request, account_id: str) -> Shape:
    """Grant FTP Access; only an account that has it itself can pass it on."""
    Acts(services_of(request), principal).set_ftp_access(account_id, granted=True)
    return _permission(services_of(request), account_id)


@one.delete("/permission", response_model=PermissionShape)
def revoke(principal: Granter, request: Request, account_id: str) -> Shape:
    """Revoke FTP Access: everything beneath loses it too; settings stay stored."""
    Acts(services_of(request), principal).set_ftp_access(account_id, granted=False)
    return _permission(services_of(request), account_id)


@one.post("/suspend", response_model=AccountShape)
def suspend(principal: Changer, request: Request, account_id: str) -> Shape:
    """Pause it until somebody resumes; files stay queued."""
    Acts(services_of(request), principal).pause(account_id)
    return _shown(principal, request, account_id)


@one.post("/resume", response_model=AccountShape)
def resume(principal: Changer, request: Request, account_id: str) -> Shape:
    """End a pause, and nothing else."""
    Acts(services_of(request), principal).resume(account_id)
    return _shown(principal, request, account_id)


@one.post("/try-now", response_model=AccountShape)
def try_now(principal: Changer, request: Request, account_id: str) -> Shape:
    """Begin a suspended account's probe at once; outside of its window, send what waits."""
    Acts(services_of(request), principal).try_now(account_id)
    return _shown(principal, request, account_id)


router.include_router(one)


def _shown(principal: Principal, request: Request, account_id: str) -> Shape:
    facts = read_account(services_of(request).core, account_id)
    return account_shape(facts, for_customer=not principal.is_provider)


def _keys(request: Request, account_id: str) -> Shape:
    return keys_shape(services_of(request).directory.get(account_id))


def _permission(services: Services, account_id: str) -> Shape:
    account = services.directory.get(account_id)
    return {
        "account_id": account_id,
        "ftp_access": account.ftp_access,
        "effective": services.directory.may_use_ftp(account),
    }


def _check_change(
    services: Services, principal: Principal, account_id: str, change: AccountChange
) -> None:
    """Everything that may be refused is refused before anything is changed."""
    if "parent" in change.model_fields_set and not principal.is_provider:
        raise Forbidden("Only the service provider may move accounts.")
    if not principal.may_change(account_id, services.directory.find):
        raise Forbidden("This account has no FTP access.")
    if not change.model_fields_set:
        raise Conflict("Nothing was given to change.")
