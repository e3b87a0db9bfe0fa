"""What is known of an account's server, and tests that save nothing."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from config.capabilities import Capabilities
from config.permissions import Principal
from config.protocols import Protocol
from worker.account_facts import read_account
from worker.console.access import ApiAccess, NotFound, Right, check_provider_fields
from worker.console.api.models import Given, SettingsInput, StepShape, Time
from worker.console.api.problems import SettingsRefused
from worker.console.services import services_of
from worker.console.validation import END_SECONDS, Act
from worker.ftp_settings import NOTHING_GIVEN, Secrets, secrets_of
from worker.known_server import encryption, fact_shapes, server_shape
from worker.show import Shape

router = APIRouter(prefix="/accounts/{account_id}", tags=["accounts"])
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]


class FactShape(Given):
    """One thing that the test found, in words for people."""

    title: str
    words: str
    is_risk: bool
    """Whether the customer should know it."""


class HostKeysShape(Given):
    """A save that changed which host keys the server may show."""

    at: Time
    actor: str
    host_keys: list[str]
    """From then on."""
    before: list[str]


class ServerShape(Given):
    """What is known of the account's server."""

    account_id: str
    protocol: Protocol
    host: str
    port: int
    facts: list[FactShape]
    encryption: dict[str, str]
    """What both sides agreed on in the test: by what it is for, the name."""
    capabilities: Capabilities
    host_keys: list[str]
    host_key_history: list[HostKeysShape] | None
    """The newest first, of the last 50; null where it takes too long: ask again in a minute."""
    connects_from: list[str]
    """To be opened in the server's firewall; empty where the operator does not say."""


class TestedShape(Given):
    """How a test went that saved nothing."""

    steps: list[StepShape]
    host_keys: list[str]
    """Those that are pinned, or the one that was shown where none is."""
    facts: list[FactShape]
    encryption: dict[str, str]
    capabilities: Capabilities


@router.get("/server", response_model=ServerShape)
def show_server(_: Viewer, request: Request, account_id: str) -> Shape:
    """What the test on save found of the server, its host keys and when they were saved."""
    services = services_of(request)
    facts = read_account(services.core, account_id)
    if facts.account.settings is None:
        raise NotFound
    return server_shape(facts, facts.account.settings, services.audit)


@router.post("/settings/test", response_model=TestedShape)
def try_settings(
    principal: Changer, request: Request, account_id: str, entered: SettingsInput | None = None
) -> Shape:
    """Log in and upload a text file, and save nothing: with the settings that are given, as in
    `PUT /settings`, or without a body with those that are stored.

    What fails is answered as there. It may take up to five minutes; one test an account runs at
    once (429).
    """
    services = services_of(request)
    stored = services.directory.get(account_id).settings
    if entered is None:
        if stored is None:
            raise NotFound
        run = services.validations.start(principal, account_id, {}, NOTHING_GIVEN, Act.TRY_STORED)
    else:
        changes = entered.model_dump(exclude_unset=True, exclude={*Secrets._fields, "capabilities"})
        check_provider_fields(principal, changes, stored)
        given = secrets_of(entered)
        run = services.validations.start(principal, account_id, changes, given, Act.TRY)
    run.ended.wait(END_SECONDS)
    if run.tested is None:
        raise SettingsRefused(run)
    return {
        "steps": [step.document() for step in run.steps],
        "host_keys": list(run.tested.host_keys),
        "facts": fact_shapes(run.tested),
        "encryption": dict(encryption(run.tested)),
        "capabilities": run.tested.capabilities.model_dump(mode="json"),
    }
