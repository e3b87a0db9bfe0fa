"""Accounts' settings and numbers in MongoDB (`accounts`, `numbers`).

The running state of an account lives in the same document, under `run`; only the ledger knows
that part.
"""

from collections.abc import Collection, Iterable, Iterator

from pydantic import SecretStr
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config import stored_passwords
from config.account_documents import (
    StoredLogin,
    account_document,
    account_of,
    account_or_why,
    checked_account,
    key_document,
    login_of,
    number_of,
    overtaken,
    settings_changes,
)
from config.accounts import (
    Account,
    DeliveryMethod,
    FtpSettings,
    check_account_id,
    check_password,
    may_use_ftp,
)
from config.alert_addresses import AlertAddresses
from config.credentials import Credentials, stored_credentials, stored_password
from config.destination import check_logon_stays, check_password_stays
from config.documents import Document, of_accounts
from config.errors import AccountError, UnknownAccount
from config.notices import SettingsNotice, notice_facts
from config.numbers import Number, check_number, spellings
from config.permissions import check_grant, check_move, descendants
from config.reserved import ReservedIds
from config.secrets import Vault
from config.ssh_keys import KeyPair
from config.stored_passwords import Rotation
from config.tokens import Tokens
from config.users import Users

__all__ = ["Directory", "Number", "Rotation", "StoredLogin", "account_of"]


class Directory:
    """What operators and customers set. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], vault: Vault) -> None:
        self._accounts = database["accounts"]
        self._numbers = database["numbers"]
        self._users = Users(database, self.find)
        self._tokens = Tokens(database, self.find)
        self._reserved = ReservedIds(database)
        self._alert_addresses = AlertAddresses(database)
        self._vault = vault

    def create(
        self,
        account_id: str,
        *,
        name: str = "",
        parent: str | None = None,
        ftp_access: bool = False,
    ) -> Account:
        """Add an account.

        Raises AccountError where it exists or has existed, or its parent cannot pass FTP on.
        """
        account = checked_account(
            {
                "account_id": check_account_id(account_id),
                "name": name,
                "parent": parent,
                "ftp_access": ftp_access,
            }
        )
        if parent is not None:
            self.get(parent)
            if ftp_access:
                check_grant(account, self.find)
        if self.find(account_id) is not None:
            raise _exists(account_id)
        self._reserved.check_free(account_id)
        try:
            self._accounts.insert_one(account_document(account))
        except DuplicateKeyError:
            raise _exists(account_id) from None
        self._check_not_removed(account_id)
        return account

    def find(self, account_id: str) -> Account | None:
        """The account, or None."""
        document = self._accounts.find_one({"_id": account_id})
        return None if document is None else account_of(document)

    def find_all(self, account_ids: Collection[str]) -> dict[str, Account | AccountError]:
        """The existing ones of these accounts, by id; an error for one that cannot be used."""
        query = {"_id": {"$in": list(account_ids)}}
        documents = self._accounts.find(query, {"run": 0}) if account_ids else ()
        return {document["_id"]: account_or_why(document) for document in documents}

    def get(self, account_id: str) -> Account:
        """The account. Raises UnknownAccount."""
        account = self.find(account_id)
        if account is None:
            raise UnknownAccount(account_id)
        return account

    def list(self) -> Iterator[Account]:
        """All accounts, by id."""
        with self._accounts.find().sort("_id") as cursor:
            for document in cursor:
                yield account_of(document)

    def children(self, account_id: str) -> tuple[Account, ...]:
        """The accounts directly beneath, by id."""
        return tuple(self._children([account_id]))

    def descendants(self, account_id: str) -> tuple[Account, ...]:
        """Everything beneath the account, level by level."""
        return tuple(descendants(account_id, self._children))

    def may_use_ftp(self, account: Account) -> bool:
        """Whether the permission reaches the account from the top."""
        return may_use_ftp(account, self.find)

    def login(self, account_id: str) -> StoredLogin:
        """The settings and the secrets of one moment. Raises UnknownAccount, AccountError."""
        document = self._accounts.find_one({"_id": account_id}, {"run": 0})
        if document is None:
            raise UnknownAccount(account_id)
        return login_of(document)

    def credentials_of(self, login: StoredLogin) -> Credentials:
        """What its logon needs. Raises AccountError where it is not stored, SecretError."""
        return stored_credentials(login, self._vault)

    def password(self, account_id: str) -> SecretStr:
        """The stored password. Raises AccountError where there is none, SecretError without key."""
        return stored_password(self.login(account_id), self._vault)

    def unreadable(self, most: int) -> str | None:
        """A sentence about a secret that cannot be read; looks at so many accounts at most."""
        return stored_passwords.unreadable(self._accounts, self._vault, most)

    def credentials_for(self, account_id: str, settings: FtpSettings) -> Credentials:
        """What is stored for a login with settings that were read before.

        Raises PasswordAsked where those stored now lead elsewhere or log in by other means,
        AccountError where there are none, SecretError without key.
        """
        login = self.login(account_id)
        if login.settings is not None:
            check_password_stays(login.settings, settings)
            check_logon_stays(login.settings, settings)
        return self.credentials_of(login)

    def save_settings(
        self,
        account_id: str,
        settings: FtpSettings,
        password: SecretStr,
        *,
        key: KeyPair | None = None,
        instead_of: StoredLogin | None = None,
        actor: str = "",
    ) -> None:
        """Store settings that were tested, and enable them.

        A password that the logon does not need is not kept; `key`, where one is given, becomes the
        account's, and none waits any more. With `instead_of` only as long as nobody has changed
        those meanwhile; their Email Alerts addresses are told by whom recordings go elsewhere.
        Raises UnknownAccount, AccountError, SecretError.
        """
        stored = settings.model_dump(mode="json")
        values: Document = {"settings": stored, "password": None, "enabled": True}
        if settings.logon_type.needs_password:
            values["password"] = self._vault.encrypt(check_password(password))
        if key is not None:
            values["key"] = key_document(key.public, self._vault.encrypt(key.private))
            values["pending_key"] = None
        self._replace_settings(account_id, values, settings, instead_of, actor)

    def set_enabled(self, account_id: str, *, enabled: bool) -> None:
        """Switch the FTP settings on or off. Raises AccountError where there are none."""
        if self.get(account_id).settings is None:
            raise AccountError(
                f"The account {account_id!r} has no FTP settings to switch on or off: "
                "'courier accounts set' stores them."
            )
        self._set(account_id, {"enabled": enabled})

    def forget_settings(self, account_id: str, actor: str = "") -> None:
        """Remove the FTP settings, the password and the key; files stay queued.

        Their Email Alerts addresses are told. Raises UnknownAccount, and AccountError where there
        are none.
        """
        stored = self.login(account_id)
        if stored.settings is None:
            raise AccountError(f"The account {account_id!r} has no FTP settings to remove.")
        gone = dict.fromkeys(("settings", "password", "key", "pending_key"))
        values: Document = {**gone, "enabled": False}
        self._replace_settings(account_id, values, None, stored, actor)

    def pending_notices(self) -> Iterator[SettingsNotice]:
        """The notices about changed settings that are not in the outbox yet."""
        with self._accounts.find({"notices.key": {"$exists": True}}, {"notices": 1}) as cursor:
            for document in cursor:
                for each in document["notices"]:
                    yield SettingsNotice(**{**each, "recipients": tuple(each["recipients"])})

    def notice_stored(self, notice: SettingsNotice) -> None:
        """Note that the outbox has the notice."""
        stored = {"$pull": {"notices": {"key": notice.key}}}
        self._accounts.update_one({"_id": notice.account_id}, stored)

    def set_ftp_access(self, account_id: str, *, granted: bool) -> Account:
        """Grant or revoke "FTP Access". Returns the account after it.

        Revoking takes it from everything beneath; settings stay stored, and work again with it.
        The caller has asked `Principal.may_grant`. Raises UnknownAccount, and AccountError where
        the account above has no permission to pass on.
        """
        account = self.get(account_id)
        if granted:
            check_grant(account, self.find)
        self._set(account_id, {"ftp_access": granted})
        return account.model_copy(update={"ftp_access": granted})

    def move(self, account_id: str, parent: str | None) -> None:
        """Move the account, with everything beneath it, to another parent; None is the top.

        Its FTP permission follows from its new place. Raises UnknownAccount, and AccountError where
        it would be beneath itself, or another move came first.
        """
        account = self.get(account_id)
        check_move(account, parent, self.find)
        seen = {"_id": account_id, "parent": account.parent}
        moved = self._accounts.update_one(seen, {"$set": {"parent": parent}}).matched_count
        if not moved:
            raise overtaken(account_id)
        self._check_moved(account, parent)

    def rename(self, account_id: str, name: str) -> None:
        """Change the name people read. Raises UnknownAccount, AccountError."""
        account = checked_account({"account_id": account_id, "name": name})
        self._set(account_id, {"name": account.name})

    def set_default_method(self, account_id: str, method: DeliveryMethod) -> None:
        """Set where recordings without a known number go."""
        self._set(account_id, {"default_method": method.value})

    def rotate(self, vault: Vault) -> Rotation:
        """Encrypt every stored password with the vault's first key. Raises SecretError."""
        return stored_passwords.rotate(self._accounts, vault)

    def remove(self, account_id: str) -> None:
        """Delete the account, its numbers, users and tokens; its id is not given out again.

        The account goes last, so that a removal that was cut short can be repeated. Raises
        UnknownAccount, and AccountError while sub accounts hang on it.
        """
        child = self._accounts.find_one({"parent": account_id}, {"_id": 1})
        if child is not None:
            raise AccountError(
                f"The account {account_id!r} has the sub account {child['_id']!r}: "
                "remove that first."
            )
        self.get(account_id)
        self._reserved.reserve(account_id)
        self._users.remove_of(account_id)
        self._tokens.remove_of(account_id)
        self._alert_addresses.forget(account_id)
        self._numbers.delete_many({"account_id": account_id})
        if not self._accounts.delete_one({"_id": account_id}).deleted_count:
            raise UnknownAccount(account_id)

    def number(self, number: str) -> Number | None:
        """What is known of a telephone number, however it is spelled, or None."""
        known = self.find_numbers(spellings(number))
        return next((known[each] for each in spellings(number) if each in known), None)

    def find_numbers(self, numbers: Collection[str]) -> dict[str, Number]:
        """What is known of these telephone numbers."""
        documents = self._numbers.find({"_id": {"$in": list(numbers)}}) if numbers else ()
        return {document["_id"]: number_of(document) for document in documents}

    def numbers(self, account_ids: Collection[str] | None = None) -> Iterator[Number]:
        """All numbers, or those of the accounts named, in order."""
        with self._numbers.find(of_accounts(account_ids)).sort("_id") as cursor:
            for document in cursor:
                yield number_of(document)

    def spelling(self, number: str) -> str:
        """A number as it is stored, or is to be. Raises AccountError where it is none.

        A number that an earlier version stored as it was typed is known by that spelling too.
        """
        known = self.number(number)
        return check_number(number) if known is None else known.number

    def set_number(self, number: Number) -> None:
        """Store a number's account and delivery method; it may have been another account's.

        Raises UnknownAccount, and AccountError where the number is malformed.
        """
        spelled = self.spelling(number.number)
        self.get(number.account_id)
        self._numbers.replace_one(
            {"_id": spelled},
            {"account_id": number.account_id, "method": number.method.value},
            upsert=True,
        )

    def set_number_method(self, number: Number) -> None:
        """Change the delivery method of a number, as long as it is still this account's.

        For callers who may not take another account's number. Raises AccountError otherwise.
        """
        query = {"_id": self.spelling(number.number), "account_id": number.account_id}
        change = {"$set": {"method": number.method.value}}
        if not self._numbers.update_one(query, change).matched_count:
            raise AccountError(
                f"The number {number.number!r} is not one of the account {number.account_id!r}."
            )

    def remove_number(self, number: str) -> None:
        """Forget a number. Raises AccountError where it is not known."""
        known = self.number(number)
        if known is None or not self._numbers.delete_one({"_id": known.number}).deleted_count:
            raise AccountError(f"The number {number!r} is not known.")

    def _children(self, account_ids: Iterable[str]) -> Iterator[Account]:
        with self._accounts.find({"parent": {"$in": list(account_ids)}}).sort("_id") as cursor:
            for document in cursor:
                yield account_of(document)

    def _check_not_removed(self, account_id: str) -> None:
        """Take a new account back if the former account of its id was removed at the same time."""
        if self._reserved.is_reserved(account_id):
            self._accounts.delete_one({"_id": account_id})
            self._reserved.check_free(account_id)

    def _check_moved(self, account: Account, parent: str | None) -> None:
        """Take the move back if another move at the same time closed a circle with it.

        Each move looks after it has written, so that the later of two sees both.
        """
        try:
            check_move(account, parent, self.find)
        except AccountError:
            moved = {"_id": account.account_id, "parent": parent}
            self._accounts.update_one(moved, {"$set": {"parent": account.parent}})
            raise overtaken(account.account_id) from None

    def _replace_settings(
        self,
        account_id: str,
        values: Document,
        settings: FtpSettings | None,
        stored: StoredLogin | None,
        actor: str,
    ) -> None:
        """The settings and the notice of their change, in one update."""
        query: Document = {"_id": account_id}
        facts = None
        if stored is not None:
            query["settings_saves"] = stored.saves
            if "pending_key" in values:  # another one may have been made meanwhile
                waiting = stored.account.pending_key
                query["pending_key.line"] = waiting.line if waiting else None
            facts = notice_facts(account_id, actor, stored.settings, settings)
        changes = settings_changes(values, facts)
        if not self._accounts.update_one(query, [{"$set": changes}]).matched_count:
            self.get(account_id)
            raise AccountError(
                "The FTP settings were changed by somebody else meanwhile, and nothing was saved: "
                "look at them, and try again."
            )

    def _set(self, account_id: str, values: Document) -> None:
        if not self._accounts.update_one({"_id": account_id}, {"$set": values}).matched_count:
            raise UnknownAccount(account_id)


def _exists(account_id: str) -> AccountError:
    return AccountError(f"The account {account_id!r} exists already.")
