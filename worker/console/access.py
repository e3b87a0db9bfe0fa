"""Access control: the one place where a request's principal and account are checked.

Every route declares an `Access`: which right, and of which account. A test walks the route table
and fails for a route without one.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from fastapi import Depends, HTTPException, Request, status
from pydantic import SecretStr
from starlette.formparsers import MultiPartException

from config.errors import TokenError, UserError
from config.fields import settings_fields
from config.ftp_settings import FtpSettings
from config.permissions import Principal
from consumers.ledger.bulk_actions import Stage
from worker.console.guards import SAFE
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import read_by, translated
from worker.console.parameters import refuse_unknown, refuse_unknown_filter
from worker.console.services import Services, services_of

SESSION_COOKIE = "courier_session"
HX_REQUEST = "HX-Request"
"""Set by the script that refreshes a part of a page."""
ASKED = "X-Asked"
"""Set beside it where a person has asked for that part, and not a clock."""
CSRF_FIELD = "csrf"
CSRF_HEADER = "X-CSRF-Token"
MAX_FIELDS = 520
_HOST_PREFIX = "__Host-"
"""Browsers accept a cookie of this name only over https, for one host and all its paths."""

Form = Mapping[str, str]


class Right(StrEnum):
    """What a route requires of its caller."""

    PUBLIC = "public"
    """Nothing: signing in."""
    SIGNED_IN = "signed in"
    """To be somebody; the route itself shows no more than the principal may see."""
    OWN = "own"
    """To be somebody; the route is about the principal's own password, sessions and sign-in."""
    SEE = "see"
    CHANGE = "change"
    """The account's FTP settings, numbers and deliveries: `Principal.may_change`."""
    GRANT = "grant"
    """The account's "FTP Access": `Principal.may_grant`."""
    ADMINISTER = "administer"
    """The account's users and tokens: for a principal that may see the account."""
    PROVIDER = "provider"
    """To be the service provider."""


class NotSignedIn(Exception):
    """Nobody is signed in, or the session is over."""


class NotFound(Exception):
    """The thing does not exist, or the principal may not see it."""


class Forbidden(Exception):
    """The principal may see it, and not do this. Its text says why."""


Owner = Callable[[Request, Principal], str | None]
"""The account that a request is about; None: the service provider's own."""


def in_path(request: Request, _principal: Principal) -> str | None:
    """The account that the path names."""
    return str(request.path_params["account_id"])


def in_query(request: Request, principal: Principal) -> str | None:
    """The account that the query names; by default the principal's own."""
    return request.query_params.get("account_id") or principal.account_id


def of_recording(request: Request, _principal: Principal) -> str | None:
    """The account whose recording the path names."""
    row = services_of(request).ledger.queries.row(str(request.path_params["recording_id"]))
    if row is None:
        raise NotFound
    return str(row["account_id"])


def of_user(request: Request, _principal: Principal) -> str | None:
    """The account whose user the path names."""
    try:
        return services_of(request).users.get(str(request.path_params["login"])).account_id
    except UserError:
        raise NotFound from None


def of_token(request: Request, _principal: Principal) -> str | None:
    """The account whose token the path names."""
    try:
        return services_of(request).tokens.get(str(request.path_params["token_id"])).account_id
    except TokenError:
        raise NotFound from None


def of_bulk_action(request: Request, _principal: Principal) -> str | None:
    """The account whose bulk action the path names; None: the service provider's."""
    action = services_of(request).ledger.bulk_actions.read(str(request.path_params["action_id"]))
    if action is None or action.stage is Stage.PLANNED:  # a plan is its maker's alone
        raise NotFound
    return action.account_id


def of_account_run(request: Request, principal: Principal) -> str | None:
    """The account of whoever has planned the act on many that the path names: nobody else's."""
    action = services_of(request).ledger.bulk_actions.read(str(request.path_params["run_id"]))
    if action is None or action.actor != principal.login:
        raise NotFound
    return principal.account_id


def of_nobody(_request: Request, _principal: Principal) -> str | None:
    """No account: the service provider's."""
    return None


async def form_of(request: Request) -> Form:
    """The submitted form's texts; empty where none was sent."""
    kind = request.headers.get("content-type", "")
    if request.method in SAFE or not kind.startswith("application/x-www-form-urlencoded"):
        return {}
    try:
        form = await request.form(max_files=0, max_fields=MAX_FIELDS)
    except MultiPartException as error:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, error.message) from None
    return {name: value for name, value in form.items() if isinstance(value, str)}


def cookie_name(request: Request, name: str) -> str:
    """A cookie's name. Over https a prefix keeps cookies out that were set over http."""
    return f"{_HOST_PREFIX}{name}" if request.url.scheme == "https" else name


def cookie_of(request: Request, name: str) -> str:
    """A cookie's text; empty where there is none."""
    return request.cookies.get(cookie_name(request, name), "")


FormData = Annotated[Form, Depends(form_of)]


class Access:
    """The check that a route declares: `right` on the account that `of` finds.

    As a dependency it gives the principal. Raises NotSignedIn, NotFound, Forbidden.
    """

    door: ClassVar[str]
    only_looks: ClassVar[str]
    """What a principal is told that may look and change nothing."""

    def __init__(self, right: Right, of: Owner = in_path) -> None:
        self.right = right
        self.of = of

    def check(self, services: Services, request: Request, principal: Principal) -> None:
        """Raises NotFound where the account may not be seen, Forbidden where the right lacks.

        Here, for pages and API alike, whoever may only look is kept from every change but those
        of its own sign-in.
        """
        if self.right is Right.OWN:
            return
        if principal.read_only and request.method not in SAFE:
            raise Forbidden(self.only_looks)
        if self.right is Right.SIGNED_IN:
            return
        account_id = self.of(request, principal)
        check(services, self.right, principal, account_id)


class PageAccess(Access):
    """For pages: by the session's cookie, every change with the session's token."""

    door = "page"
    only_looks = N_("You may look at everything here and change nothing: ask an administrator.")

    def __call__(self, request: Request, form: FormData) -> Principal | None:
        if self.right is Right.PUBLIC:
            return None
        services = services_of(request)
        principal = signed_in(services, request)
        if principal is None:
            raise NotSignedIn
        if request.method not in SAFE:
            _check_csrf(request, form)
        request.state.principal = principal
        self.check(services, request, principal)
        if request.method in SAFE:
            refuse_unknown_filter(request)
        return principal


class ApiAccess(Access):
    """For the API: by a bearer token (RFC 6750) and never by a cookie."""

    door = "api"
    only_looks = (
        "This token may look and change nothing: use one of the scope 'write', made by somebody "
        "who may change things."
    )

    def __call__(self, request: Request) -> Principal:
        services = services_of(request)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise NotSignedIn
        principal = services.tokens.verify(SecretStr(secret.strip()))
        if principal is None:
            raise NotSignedIn
        services.limits.request(principal)
        self.check(services, request, principal)
        refuse_unknown(request)
        return principal


def signed_in(services: Services, request: Request) -> Principal | None:
    """The principal of the request's session; None where there is none.

    A page that refreshes itself does not count as a use of the session.
    """
    is_by_clock = HX_REQUEST in request.headers and ASKED not in request.headers
    is_use = request.method not in SAFE or not is_by_clock
    session = services.sessions.read(cookie_of(request, SESSION_COOKIE), is_use=is_use)
    if session is None:
        return None
    request.state.session = session
    principal = services.users.session(session.login, session.epoch)
    if principal is not None:
        read_by(principal.language)
    return principal and replace(principal, session_id=session.session_id)


def _check_csrf(request: Request, form: Form) -> None:
    given = request.headers.get(CSRF_HEADER) or form.get(CSRF_FIELD, "")
    if not secrets.compare_digest(given.encode(), request.state.session.csrf.encode()):
        raise Forbidden(
            N_("This form is not of your session any more: reload the page and try again.")
        )


def check(services: Services, right: Right, principal: Principal, account_id: str | None) -> None:
    """The rule. Raises NotFound where it may not be seen, Forbidden where the right lacks."""
    find = services.directory.find
    if principal.is_provider:
        if account_id is not None and find(account_id) is None:
            raise NotFound
        return
    if right is Right.PROVIDER:
        raise Forbidden(N_("Only the service provider may do this."))
    if account_id is None or not principal.may_see(account_id, find):
        raise NotFound
    if right is Right.CHANGE and not principal.may_change(account_id, find):
        raise Forbidden(
            N_(
                "This account has no FTP access: it is granted by the account above it or by your "
                "service provider."
            )
        )
    if right is Right.GRANT and not principal.may_grant(account_id, find):
        raise Forbidden(
            N_(
                "FTP access can be passed on only to accounts beneath yours, and only while your "
                "own account has it."
            )
        )


def check_provider_fields(
    principal: Principal, changes: Mapping[str, Any], stored: FtpSettings | None
) -> None:
    """Raises Forbidden where a tenant changes what only the service provider may."""
    if principal.is_provider:
        return
    for field in (each for each in settings_fields() if each.by_provider):
        before = getattr(stored, field.name) if stored else field.default
        if changes.get(field.name, before) != before:
            raise Forbidden(
                _("Only the service provider may change %(field)s.")
                % {"field": translated(field.title)}
            )
