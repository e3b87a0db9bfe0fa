"""Policies at RabbitMQ that would lose messages. `courier check` and one of the workers look."""

import time
from datetime import UTC, datetime

from pymongo.collection import Collection
from pymongo.database import Database

from config.tls import Endpoint
from consumers.amqp import policy_probe, queue_policies
from consumers.ledger import Document
from consumers.observe import Observer, Trouble
from worker.database import Core

AFTER_SECONDS = 20.0
"""A worker that has just started has more urgent things to do."""
AGAIN_SECONDS = 3600
ADVICE = (
    "have the broker's administrator except Courier's queues from the policies "
    "(rabbitmqctl list_policies, list_operator_policies): docs/brokers.md tells which."
)
_COLLECTION = "platform"
_ID = "policies"


def losing(core: Core) -> list[str]:
    """A sentence for each policy, or kind of queue, that loses messages.

    RabbitMQ's management API lists all policies. Where its URL is not set, or it does not answer,
    messages are put into temporary queues to see whether they stay. Raises BrokerAway, and
    pymongo's errors.
    """
    settings = core.settings
    api = settings.rabbitmq_management
    if api is None:
        return policy_probe.losing(settings.rabbitmq)
    return _told_by(core, api)


def _told_by(core: Core, api: Endpoint) -> list[str]:
    settings = core.settings
    accounts = [account.account_id for account in core.directory.list()]
    try:
        return queue_policies.losing(settings.rabbitmq, api, accounts)
    except queue_policies.ApiFailed as failed:
        unknown = (
            f"the management API cannot tell the policies: {failed}; correct "
            "COURIER_RABBITMQ_MANAGEMENT_URL, or give its user the tag management"
        )
        return [unknown, *policy_probe.losing(settings.rabbitmq)]


def known(database: Database[Document]) -> list[str]:
    """What the last look of a worker found. Raises pymongo's errors."""
    found = database[_COLLECTION].find_one({"_id": _ID}) or {}
    return list(found.get("losing", []))


class PolicyWatch:
    """One of all workers looks once in AGAIN_SECONDS, first soon after the first worker's start."""

    def __init__(self, core: Core, observe: Observer) -> None:
        self._core = core
        self._observe = observe
        self._begin_at = time.monotonic() + AFTER_SECONDS

    def look(self) -> None:
        """Look, if it is time and no other worker looks. Raises what `losing` raises."""
        if time.monotonic() < self._begin_at or not self._is_ours():
            return
        found = losing(self._core)
        self._collection.update_one({"_id": _ID}, {"$set": {"losing": found}})
        for words in found:
            self._observe(Trouble("rabbitmq", f"messages would be lost: {words}"))

    def _is_ours(self) -> bool:
        """Whether this worker is the one that looks this time, by the database's clock."""
        never = {"looked_at": datetime.fromtimestamp(0, UTC), "losing": []}
        self._collection.update_one({"_id": _ID}, {"$setOnInsert": never}, upsert=True)
        before = {"$subtract": ["$$NOW", AGAIN_SECONDS * 1000]}
        taken = self._collection.update_one(
            {"_id": _ID, "$expr": {"$lt": ["$looked_at", before]}},
            [{"$set": {"looked_at": "$$NOW"}}],
        )
        return taken.modified_count == 1

    @property
    def _collection(self) -> Collection[Document]:
        return self._core.database[_COLLECTION]
