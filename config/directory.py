"""Accounts and their settings in MongoDB (`accounts`).

The running state of an account lives in the same document, under `run`; only the ledger knows
that part.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

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
    overtaken,
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
from config.documents import Document
from config.errors import AccountError, UnknownAccount
from config.notices import SettingsNotice
from config.numbers import Number
from config.permissions import check_grant, check_move, descendants
from config.reserved import ReservedIds
from config.secrets import Vault
from config.ssh_keys import KeyPair
from config.stored_numbers import StoredNumbers
from config.stored_passwords import Rotation
from config.stored_settings import replace_settings
from config.tokens import Tokens
from config.users import Users

__all__ = ["Directory", "Number", "Rotation", "StoredLogin", "account_of"]

_SETTINGS = {"run": 0, "standstills": 0}
"""All but what the ledger keeps of an account: it is long, and these are read at each request."""


class Directory(StoredNumbers):
    """What operators and customers set. Raises pymongo's errors where MongoDB is away."""

    def __init__(
        self, database: Database[Document], vault: Vault, country: str | None = None
    ) -> None:
        """`country`: the one whose numbers may be given without a country code, such as GB."""
        super().__init__(database, country)
        self._accounts = database["accounts"]
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
        document = self._accounts.find_one({"_id": account_id}, _SETTINGS)
        return None if document is None else account_of(document)

    def find_all(self, account_ids: Collection[str]) -> dict[str, Account | AccountError]:
        """The existing ones of these accounts, by id; an error for one that cannot be used."""
        query = {"_id": {"$in": list(account_ids)}}
        documents = self._accounts.find(query, _SETTINGS) if account_ids else ()
        return {document["_id"]: account_or_why(document) for document in documents}

    def get(self, account_id: str) -> Account:
        """The account. Raises UnknownAccount."""
        account = self.find(account_id)
        if account is None:
            raise UnknownAccount(account_id)
        return account

    def list(self) -> Iterator[Account]:
        """All accounts, by id."""
        with self._accounts.find({}, _SETTINGS).sort("_id") as cursor:
            for document in cursor:
                yield account_of(document)

    def ids(self, beginning: str, most: int) -> tuple[str, ...]:
        """So many ids that begin with this, in order."""
        query = {"_id": {"$gte": beginning, "$lt": f"{beginning}\U0010ffff"}}
        found = self._accounts.find(query, {"_id": 1}).sort("_id").limit(most)
        return tuple(each["_id"] for each in found)

    def children(self, account_id: str, limit: int = 0) -> tuple[Account, ...]:
        """The accounts directly beneath it, by id; 0 means no limit."""
        return tuple(self._children([account_id], limit))

    def descendants(self, account_id: str) -> tuple[Account, ...]:
        """Everything beneath the account, level by level."""
        return tuple(descendants(account_id, self._children))

    def may_use_ftp(self, account: Account) -> bool:
        """Whether the permission reaches the account from the top."""
        return may_use_ftp(account, self.find)

    def login(self, account_id: str) -> StoredLogin:
        """The settings and the secrets of one moment. Raises UnknownAccount, AccountError."""
        document = self._accounts.find_one({"_id": account_id}, _SETTINGS)
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
        client_key: SecretStr | None = None,
        instead_of: StoredLogin | None = None,
        actor: str = "",
    ) -> None:
        """Store settings that were tested, and enable them.

        A password that the logon does not need is not kept, nor a client key without certificate;
        `key`, where one is given, becomes the account's, and none waits any more. With `instead_of`
        only as long as nobody has changed those meanwhile; their Email Alerts addresses are told by
        whom recordings go elsewhere.
        Raises UnknownAccount, AccountError, SecretError.
        """
        stored = settings.model_dump(mode="json")
        values: Document = {"settings": stored, "password": None, "enabled": True}
        if settings.logon_type.needs_password:
            values["password"] = self._vault.encrypt(check_password(password))
        if key is not None:
            values["key"] = key_document(key.public, self._vault.encrypt(key.private))
            values["pending_key"] = None
        used = client_key if settings.client_certificate else None
        values["client_key"] = None if used is None else self._vault.encrypt(used)
        replace_settings(self._accounts, account_id, values, settings, instead_of, actor)

    def save_alerts(
        self, account_id: str, changes: Mapping[str, Any], actor: str = ""
    ) -> tuple[FtpSettings, FtpSettings]:
        """Change who hears of outages and how often, and nothing else: what was before, and after.

        `changes` are checked values of AlertSettingsInput. Addresses that are taken out are told.
        Raises UnknownAccount, and AccountError where there are no settings, or somebody else has
        changed them at the same time.
        """
        stored = self.login(account_id)
        if stored.settings is None:
            raise AccountError(
                f"The account {account_id!r} has no FTP settings, which alerts belong to: "
                "save those first."
            )
        settings = stored.settings.model_copy(update=dict(changes))
        written = settings.model_dump(mode="json", include=set(changes))
        values = {f"settings.{name}": value for name, value in written.items()}
        if values:
            replace_settings(self._accounts, account_id, values, settings, stored, actor)
        return stored.settings, settings

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
        gone = dict.fromkeys(("settings", "password", "key", "pending_key", "client_key"))
        values: Document = {**gone, "enabled": False}
        replace_settings(self._accounts, account_id, values, None, stored, actor)

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

    def set_number(self, number: Number) -> None:
        """Store a number's account and delivery method; it may have been another account's.

        The number is as `spelling` gives it. Raises UnknownAccount, and AccountError where it is
        malformed.
        """
        self.get(number.account_id)
        self._store_number(number)

    def _children(self, account_ids: Iterable[str], limit: int = 0) -> Iterator[Account]:
        query = {"parent": {"$in": list(account_ids)}}
        with self._accounts.find(query, _SETTINGS).sort("_id").limit(limit) as cursor:
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

    def _set(self, account_id: str, values: Document) -> None:
        if not self._accounts.update_one({"_id": account_id}, {"$set": values}).matched_count:
            raise UnknownAccount(account_id)


def _exists(account_id: str) -> AccountError:
    return AccountError(f"The account {account_id!r} exists already.")
