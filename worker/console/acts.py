"""The changes that pages and API offer, each with its entry in the audit."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import SecretStr

from config.accounts import DeliveryMethod
from config.audit import Action
from config.directory import Number
from config.errors import LoginTaken, UserError
from config.permissions import Principal
from config.ssh_keys import KeyType
from config.users import User, generate_password
from consumers.ledger import Selection, Status
from consumers.upkeep.removal import GivenUp, check_removable, remove_account
from worker import audit_facts
from worker.account_keys import discard_key, generate_key, import_key
from worker.console.errors import Conflict
from worker.console.services import Services
from worker.permission import set_ftp_access, wake_beneath
from worker.show import read_account

MAX_DEAD_LETTERS = 1000
"""Most dead letters that one request replays or discards."""


@dataclass(frozen=True)
class Acts:
    """Changes in one principal's name. The route has checked that it may."""

    services: Services
    principal: Principal

    # --- accounts -----------------------------------------------------------------------------

    def create_account(
        self, account_id: str, *, name: str, parent: str | None, ftp_access: bool
    ) -> None:
        """Add an account. Raises AccountError."""
        account = self.services.directory.create(
            account_id, name=name, parent=parent, ftp_access=ftp_access
        )
        self._note(Action.ACCOUNT_CREATED, account_id, {}, audit_facts.account_created(account))

    def rename(self, account_id: str, name: str) -> None:
        """Change the name people read. Raises AccountError."""
        before = self.services.directory.get(account_id).name
        self.services.directory.rename(account_id, name)
        self._note(Action.ACCOUNT_RENAMED, account_id, {"name": before}, {"name": name})

    def move(self, account_id: str, parent: str | None) -> None:
        """Move it to another parent. Raises AccountError."""
        before = self.services.directory.get(account_id).parent
        self.services.directory.move(account_id, parent)
        self._note(Action.ACCOUNT_MOVED, account_id, {"parent": before}, {"parent": parent})
        wake_beneath(self.services.core, account_id)

    def set_default_method(self, account_id: str, method: DeliveryMethod) -> None:
        """Set where recordings without a known number go."""
        before = self.services.directory.get(account_id).default_method
        self.services.directory.set_default_method(account_id, method)
        self._note(
            Action.DEFAULT_METHOD_SET,
            account_id,
            audit_facts.default_method(before),
            audit_facts.default_method(method),
        )

    def set_ftp_access(self, account_id: str, *, granted: bool) -> None:
        """Grant or revoke FTP Access. Raises AccountError."""
        before = self.services.directory.get(account_id).ftp_access
        set_ftp_access(self.services.core, account_id, granted=granted)
        action = Action.FTP_GRANTED if granted else Action.FTP_REVOKED
        self._note(action, account_id, {"ftp_access": before}, {"ftp_access": granted})

    def remove_account(self, account_id: str, *, discard_files: bool) -> GivenUp:
        """Remove it with its numbers, users, tokens and queues. Returns the files given up."""
        services = self.services
        check_removable(services.directory, account_id)
        facts = read_account(services.core, account_id)
        if facts.queued and not discard_files:
            raise Conflict(
                f"{facts.queued} files are queued for it: wait for them, or give them up."
            )
        lost = remove_account(
            services.directory, services.ledger, services.messaging.broker, account_id
        )
        before = audit_facts.account_removed(facts.account)
        after = {"discarded_files": lost.files}
        self._note(Action.ACCOUNT_REMOVED, account_id, before, after)
        return lost

    # --- settings and state -------------------------------------------------------------------

    def set_enabled(self, account_id: str, *, enabled: bool) -> None:
        """Switch the stored settings on or off. Raises Conflict where there are none."""
        account = self.services.directory.get(account_id)
        if account.settings is None:
            raise Conflict("There are no FTP settings to switch on or off: save them first.")
        self.services.directory.set_enabled(account_id, enabled=enabled)
        if enabled:
            self.services.ledger.accounts.wake(account_id)
        action = Action.SETTINGS_ENABLED if enabled else Action.SETTINGS_DISABLED
        self._note(action, account_id, {"enabled": account.enabled}, {"enabled": enabled})

    def forget_settings(self, account_id: str) -> None:
        """Remove the stored settings and the password. Raises AccountError where there are none."""
        account = self.services.directory.get(account_id)
        self.services.directory.forget_settings(account_id, self.principal.login)
        before, after = audit_facts.settings_before(account), {"enabled": False}
        self._note(Action.SETTINGS_REMOVED, account_id, before, after)

    def generate_key(self, account_id: str, kind: KeyType) -> None:
        """Make a key that waits for the test on save. Raises TooManyRequests."""
        self.services.limits.key(self.principal, account_id)
        generate_key(self.services.core, account_id, kind, actor=self.principal.login)

    def import_key(self, account_id: str, text: SecretStr, passphrase: SecretStr | None) -> None:
        """Take one of the customer's own. Raises FieldRefused, TooManyRequests."""
        self.services.limits.key(self.principal, account_id)
        import_key(self.services.core, account_id, text, passphrase, actor=self.principal.login)

    def discard_key(self, account_id: str) -> None:
        """Forget the key that waits. Raises AccountError where none does."""
        discard_key(self.services.core, account_id, actor=self.principal.login)

    def pause(self, account_id: str) -> None:
        """Stop deliveries until somebody resumes. Raises Conflict where it is paused already."""
        if not self.services.ledger.accounts.pause(account_id):
            raise Conflict("The account is paused already.")
        self._note(Action.ACCOUNT_PAUSED, account_id)

    def resume(self, account_id: str) -> None:
        """End a pause. Raises Conflict where there is none."""
        if not self.services.ledger.accounts.resume(account_id):
            state = read_account(self.services.core, account_id).state
            raise Conflict(f"The account is not paused but {state}: there is nothing to resume.")
        self._note(Action.ACCOUNT_RESUMED, account_id)

    def try_now(self, account_id: str) -> None:
        """Begin a suspended account's probe at once.

        Raises Conflict where it is not suspended, TooManyRequests where it was tried just now.
        """
        state = read_account(self.services.core, account_id).state
        if state == "suspended":
            self.services.limits.try_now(self.principal, account_id)
        if state != "suspended" or not self.services.ledger.accounts.try_now(account_id):
            raise Conflict(f"The account is not suspended but {state}: there is no timer to cut.")
        self._note(Action.ACCOUNT_TRIED_NOW, account_id)

    # --- numbers ------------------------------------------------------------------------------

    def set_number(self, given: Number) -> Number:
        """Store a number's method. Returns the number as stored.

        Only the provider may give an account another number."""
        directory = self.services.directory
        number = replace(given, number=directory.spelling(given.number))
        before = directory.number(number.number)
        if self.principal.is_provider:
            directory.set_number(number)
        else:
            directory.set_number_method(number)
        for each in audit_facts.number_set(before, number):
            self._note(*each, target=number.number)
        return number

    def remove_number(self, account_id: str, given: str) -> None:
        """Forget a number of the account. Raises Conflict where it is another's, or unknown."""
        known = self.services.directory.number(given)
        if known is None or known.account_id != account_id:
            raise Conflict("That is not a number of this account.")
        self.services.directory.remove_number(known.number)
        before = audit_facts.number_removed(known)
        self._note(Action.NUMBER_REMOVED, account_id, before, {}, target=known.number)

    # --- dead letters -------------------------------------------------------------------------

    def replay(self, account_id: str, chosen: Selection, ids: Collection[str] | None) -> int:
        """Put dead letters of the account back on their way, the oldest first."""
        act = self.services.messaging.dead_letters.replay
        return self._each(Action.DEAD_LETTERS_REPLAYED, account_id, chosen, ids, act)

    def discard(self, account_id: str, chosen: Selection, ids: Collection[str] | None) -> int:
        """Give dead letters of the account up for good."""
        act = self.services.messaging.dead_letters.discard
        return self._each(Action.DEAD_LETTERS_DISCARDED, account_id, chosen, ids, act)

    # --- users and tokens ---------------------------------------------------------------------

    def create_user(
        self, login: str, account_id: str | None, password: SecretStr | None
    ) -> tuple[User, SecretStr | None]:
        """Add a user. Returns the user, and the generated password where none was given.

        Raises LoginTaken, and TooManyRequests where the account has found many logins taken.
        """
        self.services.limits.may_create_user(self.principal)
        made = generate_password() if password is None else None
        secret = made or password
        assert secret is not None  # noqa: S101 - one of the two
        try:
            user = self.services.users.create(login, account_id, secret)
        except LoginTaken:
            self.services.limits.taken_login(self.principal)
            raise
        self._note(Action.USER_CREATED, account_id, target=user.login)
        return user, made

    def reset_password(self, login: str, password: SecretStr | None) -> SecretStr | None:
        """Store another password, which ends the sessions. Returns it where it was generated."""
        user = self.services.users.get(login)
        made = generate_password() if password is None else None
        secret = made or password
        assert secret is not None  # noqa: S101 - one of the two
        self.services.users.reset_password(login, secret)
        after = {"password": secret}
        self._note(Action.PASSWORD_RESET, user.account_id, {}, after, target=user.login)
        return made

    def set_user_disabled(self, login: str, *, disabled: bool) -> None:
        """Lock a user out, or let it in again. Raises UserError for oneself."""
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        self.services.users.set_disabled(login, disabled=disabled)
        action = Action.USER_DISABLED if disabled else Action.USER_ENABLED
        self._note(action, user.account_id, target=user.login)

    def remove_user(self, login: str) -> None:
        """Forget a user. Raises UserError for oneself."""
        self._refuse_oneself(login)
        user = self.services.users.get(login)
        self.services.users.remove(login)
        self._note(Action.USER_REMOVED, user.account_id, target=user.login)

    def create_token(
        self,
        name: str,
        account_id: str | None,
        *,
        read_only: bool = False,
        days: int | None = None,
    ) -> tuple[str, SecretStr]:
        """Add a token: its id, and the secret that is shown once."""
        tokens = self.services.tokens
        token_id, secret = tokens.create(
            name, account_id, read_only=read_only, days=days, creator=self.principal.login
        )
        made = audit_facts.token_created(tokens.get(token_id))
        self._note(Action.TOKEN_CREATED, account_id, {}, made, target=token_id)
        return token_id, secret

    def revoke_token(self, token_id: str) -> None:
        """Forget a token."""
        token = self.services.tokens.get(token_id)
        self.services.tokens.revoke(token_id)
        self._note(
            Action.TOKEN_REVOKED, token.account_id, {"name": token.name}, {}, target=token_id
        )

    # --- one way for each thing ---------------------------------------------------------------

    def _refuse_oneself(self, login: str) -> None:
        if login.lower() == self.principal.login:
            raise UserError("You cannot lock yourself out: ask another administrator.")

    def _each(
        self,
        action: Action,
        account_id: str,
        chosen: Selection,
        ids: Collection[str] | None,
        act: Callable[[str], bool],
    ) -> int:
        rows = list(self.services.ledger.queries.select(chosen))[::-1]
        found = [row["_id"] for row in rows if ids is None or row["_id"] in ids]
        done = [each for each in found[:MAX_DEAD_LETTERS] if act(each)]
        if done:
            self.services.messaging.dead_letters.sweep(account_id)
            self._note(action, account_id, {}, audit_facts.recordings(done))
        return len(done)

    def _note(
        self,
        action: Action,
        account_id: str | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        *,
        target: str | None = None,
    ) -> None:
        self.services.audit.record(
            self.principal.login, action, account_id, before, after, target=target
        )


def dead_letters_of(account_id: str) -> Selection:
    """All dead letters of an account."""
    return Selection(account_id=account_id, status=Status.DEAD_LETTERED)
