"""What is stored encrypted, customers' passwords and private keys above all: whether it can be
read, and the change of the keys that encrypt it."""

from collections.abc import Sequence
from dataclasses import dataclass

from pymongo.collection import Collection

from config.documents import Document
from config.errors import SecretError, UnreadableSecret
from config.secrets import Vault

_SECRETS = ("password", "key.private", "pending_key.private", "client_key")
"""Where an account's document holds what is encrypted."""
_STORED = {"$or": [{name: {"$type": "string"}} for name in _SECRETS]}


@dataclass(frozen=True)
class Rotation:
    """What a change of keys did to the stored secrets."""

    rotated: int
    unreadable: tuple[str, ...]
    """Accounts, or logins of users, of which none of the keys can read a secret."""


def unreadable(accounts: Collection[Document], vault: Vault, most: int) -> str | None:
    """A sentence about a secret that cannot be read; looks at so many accounts at most."""
    for document in accounts.find(_STORED, dict.fromkeys(_SECRETS, 1), limit=most):
        try:
            for token in filter(None, (_token(document, name) for name in _SECRETS)):
                vault.decrypt(token)
        except SecretError as error:
            return f"{document['_id']}: {error}"
    return None


def rotate(
    documents: Collection[Document], vault: Vault, names: Sequence[str] = _SECRETS
) -> Rotation:
    """Encrypt every stored secret with the vault's first key; safe to repeat.

    `names` says where the documents hold secrets; by default where accounts do. What is saved
    meanwhile stays as it was saved. What no key can read stays too, and its document is named in
    the answer. Raises SecretError without a key.
    """
    rotated, lost = 0, []
    stored = {"$or": [{name: {"$type": "string"}} for name in names]}
    for document in list(documents.find(stored, {"_id": 1}).sort("_id")):
        for name in names:
            try:
                rotated += _rotate_one(documents, document["_id"], name, vault)
            except UnreadableSecret:
                lost.append(document["_id"])
    return Rotation(rotated, tuple(dict.fromkeys(lost)))


def _rotate_one(documents: Collection[Document], key: str, name: str, vault: Vault) -> bool:
    while True:
        document = documents.find_one({"_id": key}, {name: 1}) or {}
        token = _token(document, name)
        if token is None or vault.is_current(token):
            return False
        change = {"$set": {name: vault.rotate(token)}}
        if documents.update_one({"_id": key, name: token}, change).matched_count:
            return True


def _token(document: Document, name: str) -> str | None:
    within, _, last = name.rpartition(".")
    holder = document.get(within) if within else document
    token: str | None = (holder or {}).get(last)
    return token
