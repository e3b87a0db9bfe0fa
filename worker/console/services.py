"""The collaborators of the console's routes, made once at its start."""

from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from alerts.outbox import Outbox
from alerts.relay import AlertTried
from config.alert_addresses import AlertAddresses
from config.audit import Audit
from config.directory import Directory
from config.factors import Factors
from config.mail_links import MailLinks
from config.password_links import PasswordLinks
from config.permissions import Principal
from config.secrets import Vault
from config.sessions import OpenSessions
from config.signins import SignIns
from config.tokens import TOKEN, Tokens
from config.users import Users
from consumers.ledger import AccountSummary, Ledger
from consumers.upkeep.bulk import BulkRunner
from worker.console.downloads import Downloads
from worker.console.late_indexes import ensure_beside
from worker.console.limits import Limits
from worker.console.recent import Recent
from worker.console.sessions import Sessions
from worker.console.validation import Validations
from worker.core import Core, Messaging, make_addresses, make_bulk_runner, make_outbox


@dataclass(frozen=True)
class Services:
    """The collaborators of the routes, none of them their own."""

    core: Core
    messaging: Messaging
    users: Users
    tokens: Tokens
    audit: Audit
    signins: SignIns
    sessions: Sessions
    validations: Validations
    limits: Limits
    alert_addresses: AlertAddresses
    mail_links: MailLinks
    factors: Factors
    password_links: PasswordLinks
    outbox: Outbox
    """Where e-mails are put; another part of the program sends them."""
    summaries: Recent[list[AccountSummary]]
    """All accounts, for pages that refresh themselves."""
    bulk: BulkRunner
    """Begins what is done with many at once; the workers go on with it."""
    downloads: Downloads = field(default_factory=Downloads, kw_only=True)

    @property
    def directory(self) -> Directory:
        """Accounts' settings and numbers."""
        return self.core.directory

    @property
    def ledger(self) -> Ledger:
        """Recordings and running states."""
        return self.core.ledger


def make_services(core: Core, messaging: Messaging) -> Services:
    """The collaborators, with their indexes; those of large collections may follow. Raises
    pymongo's errors where MongoDB is away."""
    users = Users(core.database, core.directory.find)
    tokens = Tokens(core.database, core.directory.find)
    audit, signins = Audit(core.database), SignIns(core.database)
    opened = OpenSessions(core.database)
    for each in (users, tokens, signins, opened, core.ledger.bulk_actions, core.ledger.try_paces):
        each.ensure_indexes()
    ensure_beside((core.directory, audit))
    sessions = Sessions(core.settings.secret_keys, opened)
    limits = Limits(core.directory.find)

    def may_save(principal: Principal, account_id: str) -> bool:
        has_right = principal.may_change(account_id, core.directory.find)
        return has_right and _stands(users, tokens, sessions, principal)

    return Services(
        core,
        messaging,
        users,
        tokens,
        audit,
        signins,
        sessions,
        Validations(core, audit, limits, may_save),
        limits,
        make_addresses(core),
        MailLinks(core.settings.secret_keys, core.settings.console_url),
        Factors(core.database, Vault(core.settings.secret_keys)),
        PasswordLinks(core.database, core.settings.console_url),
        make_outbox(core, _unheard),
        Recent(core.ledger.summaries.read),
        make_bulk_runner(core, messaging),
    )


def _stands(users: Users, tokens: Tokens, sessions: Sessions, principal: Principal) -> bool:
    """Whether the principal still may act: not removed, revoked, locked out or signed out."""
    if principal.login.startswith(TOKEN):
        return tokens.stands(principal)
    has_session = principal.session_id is None or sessions.is_open(principal.session_id)
    return has_session and users.stands(principal)


def _unheard(_tried: AlertTried) -> None:
    """The console sends no e-mail itself."""


def services_of(request: Request) -> Services:
    """The collaborators of the application that answers the request."""
    return cast("Services", request.app.state.services)
