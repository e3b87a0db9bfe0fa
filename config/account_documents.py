"""The documents of accounts in MongoDB (`accounts`): written and read."""

from dataclasses import dataclass

from pydantic import ValidationError

from config.accounts import Account, DeliveryMethod, FtpSettings
from config.documents import Document
from config.errors import AccountError
from config.fields import explain
from config.numbers import Number
from config.public_keys import PublicKey


@dataclass(frozen=True)
class StoredLogin:
    """An account with the secrets of its settings, as of one moment."""

    account: Account
    token: str | None
    """The password, encrypted; None where the logon needs none."""
    saves: int | None
    """How often the settings were saved or removed; None where that was not counted yet."""
    key_token: str | None
    """The private half of the account's key, encrypted."""
    pending_key_token: str | None
    """The private half of the key that is to take its place, encrypted."""
    client_key_token: str | None = None
    """The key of the client certificate, encrypted."""

    @property
    def settings(self) -> FtpSettings | None:
        """The settings that the password belongs to."""
        return self.account.settings


def login_of(document: Document) -> StoredLogin:
    """The account with its secrets that a document of `accounts` holds. Raises AccountError."""
    return StoredLogin(
        account_of(document),
        document.get("password"),
        document.get("settings_saves"),
        (document.get("key") or {}).get("private"),
        (document.get("pending_key") or {}).get("private"),
        document.get("client_key"),
    )


def key_document(public: PublicKey, token: str) -> Document:
    """A key pair as it is stored; `token` is the private half, encrypted."""
    return {**public.model_dump(), "private": token}


def account_of(document: Document) -> Account:
    """The account that a document of `accounts` holds. Raises AccountError."""
    try:
        return _from(document)
    except ValidationError as error:
        problems = " ".join(explain(error).values())
        raise AccountError(f"The account {document['_id']!r} cannot be used: {problems}") from None


def account_or_why(document: Document) -> Account | AccountError:
    """The account, or why it cannot be used."""
    try:
        return account_of(document)
    except AccountError as error:
        return error


def _from(document: Document) -> Account:
    stored = {key: document[key] for key in Account.model_fields if key in document}
    return Account(account_id=document["_id"], **stored)


def checked_account(values: Document) -> Account:
    """The account of entered values. Raises AccountError with a sentence for each wrong field."""
    try:
        return Account.model_validate(values)
    except ValidationError as error:
        raise AccountError(" ".join(explain(error).values())) from None


def overtaken(account_id: str) -> AccountError:
    """The error of a move that was taken back."""
    return AccountError(
        f"The account {account_id!r} or one above its new place was moved at the same time: "
        "look where they are now, and try again."
    )


def account_document(account: Account) -> Document:
    """The document of a new account."""
    document = account.model_dump(mode="json", exclude={"account_id", "key", "pending_key"})
    return {"_id": account.account_id, **document}


def number_of(document: Document) -> Number:
    """The number that a document of `numbers` holds."""
    return Number(document["_id"], document["account_id"], DeliveryMethod(document["method"]))
