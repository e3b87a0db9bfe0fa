"""Accounts' settings and numbers in MongoDB (`accounts`, `numbers`).

The running state of an account lives in the same document, under `run`; only the ledger knows
that part.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr, ValidationError
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.accounts import (
    Account,
    DeliveryMethod,
    FtpSettings,
    check_account_id,
    check_password,
    may_use_ftp,
)
from config.errors import AccountError, UnknownAccount
from config.secrets import Vault

Document = dict[str, Any]


@dataclass(frozen=True)
class Number:
    """A telephone number, the account it belongs to, and where its recordings go."""

    number: str
    account_id: str
    method: DeliveryMethod


class Directory:
    """What operators and customers set. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], vault: Vault) -> None:
        self._accounts = database["accounts"]
        self._numbers = database["numbers"]
        self._vault = vault

    def create(
        self,
        account_id: str,
        *,
        name: str = "",
        parent: str | None = None,
        ftp_access: bool = False,
    ) -> Account:
        """Add an account. Raises AccountError where it exists or its parent cannot pass FTP on."""
        account = _account(
            {
                "_id": check_account_id(account_id),
                "name": name,
                "parent": parent,
                "ftp_access": ftp_access,
            }
        )
        if parent is not None:
            above = self.get(parent)
            if ftp_access and not may_use_ftp(above, self.find):
                raise AccountError(
                    f"The parent account {parent!r} has no FTP access to pass on: "
                    "give it the permission first, or create this account without --ftp-access."
                )
        try:
            self._accounts.insert_one(_document(account))
        except DuplicateKeyError:
            raise AccountError(f"The account {account_id!r} exists already.") from None
        return account

    def find(self, account_id: str) -> Account | None:
        """The account, or None."""
        document = self._accounts.find_one({"_id": account_id})
        return None if document is None else _account(document)

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
                yield _account(document)

    def may_use_ftp(self, account: Account) -> bool:
        """Whether the permission reaches the account from the top."""
        return may_use_ftp(account, self.find)

    def password(self, account_id: str) -> SecretStr:
        """The stored password. Raises AccountError where there is none, SecretError without key."""
        document = self._accounts.find_one({"_id": account_id}, {"password": 1})
        if document is None:
            raise UnknownAccount(account_id)
        if "password" not in document:
            raise AccountError(f"The account {account_id!r} has no FTP settings yet.")
        return self._vault.decrypt(document["password"])

    def save_settings(self, account_id: str, settings: FtpSettings, password: SecretStr) -> None:
        """Store settings that were tested, and enable them. Raises UnknownAccount, SecretError."""
        token = self._vault.encrypt(check_password(password))
        self._set(
            account_id,
            {"settings": settings.model_dump(mode="json"), "password": token, "enabled": True},
        )

    def set_enabled(self, account_id: str, *, enabled: bool) -> None:
        """Switch the FTP settings on or off. Raises AccountError where there are none."""
        if self.get(account_id).settings is None:
            raise AccountError(
                f"The account {account_id!r} has no FTP settings to switch on or off: "
                "'courier accounts set' stores them."
            )
        self._set(account_id, {"enabled": enabled})

    def remove(self, account_id: str) -> None:
        """Delete the account and its numbers. Raises AccountError while sub accounts hang on it."""
        child = self._accounts.find_one({"parent": account_id}, {"_id": 1})
        if child is not None:
            raise AccountError(
                f"The account {account_id!r} has the sub account {child['_id']!r}: "
                "remove that first."
            )
        self._numbers.delete_many({"account_id": account_id})
        if not self._accounts.delete_one({"_id": account_id}).deleted_count:
            raise UnknownAccount(account_id)

    def number(self, number: str) -> Number | None:
        """What is known of a telephone number, or None."""
        document = self._numbers.find_one({"_id": number})
        return None if document is None else _number(document)

    def numbers(self) -> Iterator[Number]:
        """All numbers, in order."""
        with self._numbers.find().sort("_id") as cursor:
            for document in cursor:
                yield _number(document)

    def set_number(self, number: Number) -> None:
        """Store a number's account and delivery method. Raises UnknownAccount."""
        self.get(number.account_id)
        self._numbers.replace_one(
            {"_id": number.number},
            {"account_id": number.account_id, "method": number.method.value},
            upsert=True,
        )

    def remove_number(self, number: str) -> None:
        """Forget a number. Raises AccountError where it is not known."""
        if not self._numbers.delete_one({"_id": number}).deleted_count:
            raise AccountError(f"The number {number!r} is not known.")

    def _set(self, account_id: str, values: Document) -> None:
        if not self._accounts.update_one({"_id": account_id}, {"$set": values}).matched_count:
            raise UnknownAccount(account_id)


def _account(document: Document) -> Account:
    try:
        return Account(
            account_id=document["_id"],
            **{key: document[key] for key in Account.model_fields if key in document},
        )
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in problem["loc"])
        words = problem["msg"].removeprefix("Value error, ")
        raise AccountError(
            f"The account {document['_id']!r} cannot be used: its {field}: {words}."
        ) from None


def _document(account: Account) -> Document:
    document = account.model_dump(mode="json", exclude={"account_id"})
    return {"_id": account.account_id, **document}


def _number(document: Document) -> Number:
    return Number(document["_id"], document["account_id"], DeliveryMethod(document["method"]))
