"""The accounts of a benchmark: saved as a person saves them, with the test upload."""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from config.accounts import LogonType, Protocol
from consumers.amqp import topology
from consumers.ledger import bucket_of
from deploy.local.customers import CustomerServer
from worker import ftp_settings
from worker.core import Core

_AT_ONCE = 1000


class NotSaved(Exception):
    """The test upload failed; the message says of which account and why."""


@dataclass(frozen=True)
class Accounts:
    """Makes accounts that have had events before: their queues are declared, nothing is due."""

    core: Core

    def save(
        self,
        account_id: str,
        server: CustomerServer,
        protocol: Protocol,
        path: str = ".",
        key: SecretStr | None = None,
    ) -> None:
        """One account, its settings tested and saved as `courier accounts set` does it.

        `key`: a private key to log in with, instead of the password. Raises NotSaved.
        """
        self.core.directory.create(account_id, ftp_access=True)
        values = {
            "protocol": protocol,
            "host": server.host,
            "port": server.port,
            "username": server.username,
            "path": path,
            "ca_certificates": server.authority,
            "logon_type": LogonType.NORMAL if key is None else LogonType.KEY,
        }
        secret = ftp_settings.Secrets(None if key else SecretStr(server.password), key)
        saved = ftp_settings.change(
            self.core, account_id, values, secret, lambda _: None, actor="bench"
        )
        if saved.settings is None:
            raise NotSaved(f"{account_id}: {saved.report.failure}")
        self.rest()

    def copy(self, account_id: str, copies: Sequence[str], *, own_path: bool = True) -> None:
        """The same settings for others, each with a folder of its own name."""
        documents = self.core.database["accounts"]
        original = documents.find_one({"_id": account_id})
        assert original is not None
        for start in range(0, len(copies), _AT_ONCE):
            documents.insert_many(
                [
                    {
                        **original,
                        "_id": copy,
                        "settings": {
                            **original["settings"],
                            **({"path": copy} if own_path else {}),
                        },
                        "run": {**original["run"], "bucket": bucket_of(copy)},
                    }
                    for copy in copies[start : start + _AT_ONCE]
                ]
            )

    def create_paused(self, account_ids: Sequence[str]) -> None:
        """Accounts whose files wait: somebody has paused them."""
        for account_id in account_ids:
            self.core.directory.create(account_id)
            self.core.ledger.accounts.pause(account_id)

    def point_at(self, account_ids: Sequence[str], port: int) -> None:
        """Their server is from now on at another port, without a test."""
        self.core.database["accounts"].update_many(
            {"_id": {"$in": list(account_ids)}}, {"$set": {"settings.port": port}}
        )

    def rest(self) -> None:
        """Nothing is due: no account has a reason to be looked at."""
        self.core.database["accounts"].update_many({}, {"$set": {"run.next_due": None}})

    def anything_due(self) -> bool:
        """Whether an account is worked, or is to be."""
        due = {"run.next_due": {"$ne": None}}
        return self.core.database["accounts"].find_one(due, {"_id": 1}) is not None

    def declare_queues(self, account_ids: Sequence[str]) -> None:
        """The queues, as an account's first event leaves them."""
        queues = [topology.account_queue(account_id) for account_id in account_ids]
        topology.declare_once(self.core.settings.rabbitmq, *queues)
