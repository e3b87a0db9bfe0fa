"""What a bulk action does with one account: try now, pause, resume, in the name of who began it.

Each act is conditional, and an account remembers the action: a step that is repeated, because its
worker died in it, does nothing twice. Its line in the audit is one as well.
"""

from dataclasses import dataclass

from config.accounts import Account
from config.audit import Action, Audit
from config.directory import Directory
from config.errors import ConfigError
from config.permissions import Principal
from config.tokens import TOKEN, Tokens
from config.users import Users
from consumers.delivery.policy import State
from consumers.ledger import Ledger, shown_state, window_opens_at
from consumers.ledger.bulk_actions import BulkAction, Verb

GONE = "There is no such account any more, or it is not for you to see."
NO_ACCESS = (
    "This account has no FTP access: it is granted by the account above it or by your service "
    "provider."
)
UNUSABLE = (
    "What is stored of this account, or of one above it, cannot be used: save its settings anew."
)
UNFIT = {
    Verb.TRY_NOW: "The account is not suspended any more: there is no timer to cut.",
    Verb.PAUSE: "The account is paused already.",
    Verb.RESUME: "The account is not paused any more: there is nothing to resume.",
}
_ACTIONS = {
    Verb.TRY_NOW: Action.ACCOUNT_TRIED_NOW,
    Verb.PAUSE: Action.ACCOUNT_PAUSED,
    Verb.RESUME: Action.ACCOUNT_RESUMED,
}


@dataclass(frozen=True)
class AccountActs:
    """Raises pymongo's errors where MongoDB is away."""

    ledger: Ledger
    directory: Directory
    users: Users
    tokens: Tokens
    audit: Audit

    def may_go_on(self, action: BulkAction) -> bool:
        """Whether who began it may act still: not removed, revoked, locked out or signed out
        everywhere, and with the same role."""
        principal = _principal(action)
        if action.actor.startswith(TOKEN):
            return self.tokens.stands(principal)
        user = self.users.find(action.actor)
        is_same = user is not None and user.session_epoch == action.session_epoch
        return is_same and self.users.stands(principal)

    def act(self, action: BulkAction, account_id: str) -> str | None:
        """Do it with the account. Returns the sentence of a refusal, None where it is done."""
        try:
            return self._act(action, account_id)
        except ConfigError:  # it must not hold up those behind it
            return UNUSABLE

    def _act(self, action: BulkAction, account_id: str) -> str | None:
        principal, find = _principal(action), self.directory.find
        account = find(account_id)
        if account is None or not principal.may_see(account_id, find):
            return GONE
        if not principal.may_change(account_id, find):
            return NO_ACCESS
        done = self._do(action, account)
        if not done and not self.ledger.accounts.was_acted_on(account_id, action.action_id):
            return UNFIT[action.verb]
        once = f"{action.action_id} {account_id}"
        self.audit.record(action.actor, _ACTIONS[action.verb], account_id, once=once)
        return None

    def _do(self, action: BulkAction, account: Account) -> bool:
        accounts, once = self.ledger.accounts, action.action_id
        if action.verb is Verb.PAUSE:
            return accounts.pause(account.account_id, once=once)
        if action.verb is Verb.RESUME:
            return accounts.resume(account.account_id, once=once)
        run = accounts.read(account.account_id)
        state = shown_state(account, run, permitted=self.directory.may_use_ftp(account))
        opens_at = window_opens_at(account.settings, run)
        waits = opens_at is not None and state in {State.ACTIVE, State.SUSPENDED, State.PROBING}
        if not waits and state != State.SUSPENDED:
            return False
        return accounts.try_now(account.account_id, waits_for_window=waits, once=once)


def _principal(action: BulkAction) -> Principal:
    return Principal(action.actor, action.account_id)
