"""The customers' stored passwords: whether they can be read, and the change of their keys."""

from dataclasses import dataclass

from pymongo.collection import Collection

from config.documents import Document
from config.errors import SecretError, UnreadableSecret
from config.secrets import Vault


@dataclass(frozen=True)
class Rotation:
    """What a change of keys did to the stored passwords."""

    rotated: int
    unreadable: tuple[str, ...]
    """Accounts whose password none of the keys can read."""


def unreadable(accounts: Collection[Document], vault: Vault, most: int) -> str | None:
    """A sentence about a password that cannot be read; looks at so many accounts at most."""
    stored = {"password": {"$type": "string"}}
    for document in accounts.find(stored, {"password": 1}, limit=most):
        try:
            vault.decrypt(document["password"])
        except SecretError as error:
            return f"{document['_id']}: {error}"
    return None


def rotate(accounts: Collection[Document], vault: Vault) -> Rotation:
    """Encrypt every stored password with the vault's first key; safe to repeat.

    A password that is saved meanwhile stays as it was saved. A password that no key can read
    stays too, and its account is named in the answer. Raises SecretError without a key.
    """
    rotated, lost = 0, []
    stored = {"password": {"$exists": True}}
    for document in list(accounts.find(stored, {"_id": 1}).sort("_id")):
        try:
            rotated += _rotate_one(accounts, document["_id"], vault)
        except UnreadableSecret:
            lost.append(document["_id"])
    return Rotation(rotated, tuple(lost))


def _rotate_one(accounts: Collection[Document], account_id: str, vault: Vault) -> bool:
    while True:
        document = accounts.find_one({"_id": account_id}, {"password": 1}) or {}
        token = document.get("password")
        if token is None or vault.is_current(token):
            return False
        seen = {"_id": account_id, "password": token}
        change = {"$set": {"password": vault.rotate(token)}}
        if accounts.update_one(seen, change).matched_count:
            return True
