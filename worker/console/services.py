"""The collaborators of the console's routes, made once at its start."""

from dataclasses import dataclass
from typing import cast

from fastapi import Request

from config.alert_addresses import AlertAddresses
from config.audit import Audit
from config.directory import Directory
from config.mail_links import MailLinks
from config.permissions import Principal
from config.sessions import OpenSessions
from config.signins import SignIns
from config.tokens import TOKEN, Tokens
from config.users import Users
from consumers.ledger import Ledger
from worker.console.limits import Limits
from worker.console.recent import Recent
from worker.console.sessions import Sessions
from worker.console.validation import Validations
from worker.core import Core, Messaging, make_addresses
from worker.show import AccountFacts, read_accounts


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
    accounts: Recent[list[AccountFacts]]
    """All accounts, for pages that refresh themselves."""

    @property
    def directory(self) -> Directory:
        """Accounts' settings and numbers."""
        return self.core.directory

    @property
    def ledger(self) -> Ledger:
        """Recordings and running states."""
        return self.core.ledger


def make_services(core: Core, messaging: Messaging) -> Services:
    """The collaborators, with their indexes. Raises pymongo's errors where MongoDB is away."""
    users = Users(core.database, core.directory.find)
    tokens = Tokens(core.database, core.directory.find)
    audit, signins = Audit(core.database), SignIns(core.database)
    opened = OpenSessions(core.database)
    for each in (users, tokens, audit, signins, opened):
        each.ensure_indexes()
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
        Recent(lambda: list(read_accounts(core))),
    )


def _stands(users: Users, tokens: Tokens, sessions: Sessions, principal: Principal) -> bool:
    """Whether the principal still may act: not removed, revoked, locked out or signed out."""
    if principal.login.startswith(TOKEN):
        return tokens.stands(principal)
    has_session = principal.session_id is None or sessions.is_open(principal.session_id)
    return has_session and users.stands(principal)


def services_of(request: Request) -> Services:
    """The collaborators of the application that answers the request."""
    return cast("Services", request.app.state.services)
