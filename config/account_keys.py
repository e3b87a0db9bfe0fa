"""The key that is to become an account's, in MongoDB (`accounts`).

A customer has to put a new key's public half on the server before it can log in, and until then
the old key has to go on. So a new pair waits beside it: the next save with a logon by key tests
the new one, and only a test that logged in makes it the account's.
"""

from pymongo.database import Database

from config.account_documents import key_document
from config.documents import Document
from config.errors import AccountError, UnknownAccount
from config.secrets import Vault
from config.ssh_keys import KeyPair


class AccountKeys:
    """Keys that wait for the test on save. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], vault: Vault) -> None:
        self._accounts = database["accounts"]
        self._vault = vault

    def propose(self, account_id: str, key: KeyPair) -> None:
        """Have the key wait, instead of one that waited before.

        Raises UnknownAccount, SecretError.
        """
        waiting = key_document(key.public, self._vault.encrypt(key.private))
        change = {"$set": {"pending_key": waiting}}
        if not self._accounts.update_one({"_id": account_id}, change).matched_count:
            raise UnknownAccount(account_id)

    def discard(self, account_id: str) -> None:
        """Forget the key that waits. Raises AccountError where there is none."""
        waits = {"_id": account_id, "pending_key": {"$exists": True}}
        change = {"$unset": {"pending_key": ""}}
        if not self._accounts.update_one(waits, change).matched_count:
            raise AccountError(f"No new key of the account {account_id!r} waits to be used.")
