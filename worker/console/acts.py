"""The changes of accounts that pages and API offer, each with its entry in the audit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import SecretStr

from config.accounts import DeliveryMethod
from config.audit import Action
from config.directory import Number
from config.ftp_settings import FtpSettings
from config.ssh_keys import KeyType
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from consumers.upkeep.removal import GivenUp, check_removable, remove_account
from worker import audit_facts
from worker.account_facts import read_account
from worker.account_keys import discard_key, generate_key, import_key
from worker.alert_mail import save_alerts, send_test_mail
from worker.console.acting import Acting
from worker.console.errors import Conflict
from worker.console.language import gettext as _
from worker.console.language import ngettext, translated
from worker.console.numerals import number
from worker.permission import set_ftp_access, wake_beneath

MAX_DEAD_LETTERS = 1000
"""Most dead letters that one request replays or discards."""


class Acts(Acting):
    """Changes of accounts, their numbers and their files."""

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
            words = ngettext(
                "%(number)s file is queued for it: wait for it, or give it up.",
                "%(number)s files are queued for it: wait for them, or give them up.",
                facts.queued,
            )
            raise Conflict(words % {"number": number(facts.queued)})
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
            raise Conflict(_("There are no FTP settings to switch on or off: save them first."))
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

    def save_alerts(self, account_id: str, changes: Mapping[str, Any]) -> FtpSettings:
        """Change who hears of outages. Raises AccountError, TooManyRequests."""
        self.services.limits.alerts(self.principal, account_id)
        return save_alerts(self.services.core, account_id, changes, actor=self.principal.login)

    def send_test_mail(self, account_id: str, *, to_actor: bool) -> tuple[str, ...]:
        """Send a test e-mail. Raises AccountError. Returns the addresses."""
        core, actor = self.services.core, self.principal.login
        return send_test_mail(core, account_id, actor=actor, to_actor=to_actor)

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
            raise Conflict(_("The account is paused already."))
        self._note(Action.ACCOUNT_PAUSED, account_id)

    def resume(self, account_id: str) -> None:
        """End a pause. Raises Conflict where there is none."""
        if not self.services.ledger.accounts.resume(account_id):
            state = read_account(self.services.core, account_id).state
            words = _("The account is not paused but %(word_state)s: there is nothing to resume.")
            raise Conflict(words % {"word_state": translated(state)})
        self._note(Action.ACCOUNT_RESUMED, account_id)

    def try_now(self, account_id: str) -> None:
        """Begin a suspended account's probe at once; outside of its delivery window, send what
        waits.

        Raises Conflict where it waits for neither, TooManyRequests where it was tried just now.
        """
        facts = read_account(self.services.core, account_id)
        waits, state = facts.window_opens_at is not None, facts.state
        may_be_tried = waits or state == "suspended"
        if may_be_tried:
            self.services.limits.try_now(self.principal, account_id)
        tries = self.services.ledger.accounts.try_now
        if not (may_be_tried and tries(account_id, waits_for_window=waits)):
            words = _("The account is not suspended but %(word_state)s: there is no timer to cut.")
            raise Conflict(words % {"word_state": translated(state)})
        self._note(Action.ACCOUNT_TRIED_NOW, account_id)

    # --- numbers ------------------------------------------------------------------------------

    def set_number(self, given: Number, *, allow_short: bool = False) -> Number:
        """Store a number's method. Returns the number as stored.

        Only the provider may give an account another number; a short code or an extension only
        where `allow_short` says that it is meant."""
        directory = self.services.directory
        spelled = directory.spelling(given.number, allow_short=allow_short)
        number = given._replace(number=spelled)
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
            raise Conflict(_("That is not a number of this account."))
        self.services.directory.remove_number(known.number)
        before = audit_facts.number_removed(known)
        self._note(Action.NUMBER_REMOVED, account_id, before, {}, target=known.number)

    # --- dead letters -------------------------------------------------------------------------

    def replay(self, account_id: str, chosen: DeadLetterFilter) -> int:
        """Put dead letters of the account back on their way, the oldest first."""
        act = self.services.messaging.dead_letters.replay_all
        return self._each(Action.DEAD_LETTERS_REPLAYED, account_id, chosen, act)

    def discard(self, account_id: str, chosen: DeadLetterFilter) -> int:
        """Give dead letters of the account up for good."""
        act = self.services.messaging.dead_letters.discard_all
        return self._each(Action.DEAD_LETTERS_DISCARDED, account_id, chosen, act)

    def _each(
        self,
        action: Action,
        account_id: str,
        chosen: DeadLetterFilter,
        act: Callable[[Sequence[str]], Sequence[str]],
    ) -> int:
        """The oldest ones, as many as one request may deal with: bulk actions take all."""
        lists = self.services.ledger.dead_letter_lists
        mine = replace(chosen, account_id=account_id)
        done = act([row["_id"] for row in lists.oldest(mine, MAX_DEAD_LETTERS)])
        if done:
            self.services.messaging.dead_letters.sweep(account_id)
            self._note(action, account_id, {}, audit_facts.recordings(done))
        return len(done)
