"""The rows of `deliveries`: one a recording, and every transition it can make.

Each transition is one conditional update: it holds or it does not, and repeating it changes
nothing. Times are the database's.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from bson import ObjectId
from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from consumers.events import RecordingReady
from consumers.ledger.records import (
    WAITING,
    Claim,
    Claimant,
    Document,
    Glance,
    LastError,
    Routing,
    Status,
    Waiting,
    part_path,
)
from transports.names import join, numbered
from transports.upload import Intent, Uploaded

OLDEST_FIRST = [("created_at", ASCENDING), ("arrival", ASCENDING)]
MAX_COPIES = 100_000
MAX_LEFTOVERS = 100
_ENDED = {
    Status.DELIVERED: "delivered_at",
    Status.SKIPPED: "created_at",
    Status.DISCARDED: "discarded_at",
}
"""When the story of a row ended that may be forgotten, by its status."""
_RESERVATION = ["intent", "remote_path", "wanted", "copy", "replaces"]
_READY: Document = {"$lte": [{"$ifNull": ["$not_before", "$$NOW"]}, "$$NOW"]}


@dataclass(frozen=True)
class Opened:
    """The row of an event: `new`, `again` (a duplicate) or in `conflict` with an earlier one."""

    outcome: Literal["new", "again", "conflict"]
    routed: bool
    status: Status


@dataclass(frozen=True)
class Selection:
    """Which rows a person asked for; None and empty mean any."""

    account_id: str | None = None
    recording_id: str | None = None
    status: Status | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None

    def query(self) -> Document:
        query: Document = {
            "account_id": self.account_id,
            "_id": self.recording_id,
            "status": self.status.value if self.status else None,
            "reason": self.reason,
        }
        times = {"$gte": self.since, "$lt": self.until}
        moments = {key: moment for key, moment in times.items() if moment}
        query["created_at"] = moments or None
        return {key: value for key, value in query.items() if value is not None}


class Deliveries:
    """The ledger of recordings. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._rows = database["deliveries"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._rows.create_index([("account_id", ASCENDING), ("status", ASCENDING), *OLDEST_FIRST])
        self._rows.create_index([("status", ASCENDING), *OLDEST_FIRST])
        self._rows.create_index([("created_at", DESCENDING)])
        self._rows.create_index([("status", ASCENDING), ("delivered_at", ASCENDING)])
        self._rows.create_index(
            [("account_id", ASCENDING), ("status", ASCENDING), ("not_before", ASCENDING)]
        )
        self._rows.create_index(
            "unrouted_at",
            partialFilterExpression={"status": Status.QUEUED.value, "routed_at": None},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("remote_path", ASCENDING)],
            unique=True,
            partialFilterExpression={"remote_path": {"$exists": True}},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("wanted", ASCENDING), ("copy", DESCENDING)],
            partialFilterExpression={"wanted": {"$exists": True}},
        )
        self._rows.create_index(
            [("account_id", ASCENDING), ("casualty", ASCENDING)],
            partialFilterExpression={"casualty": {"$exists": True}},
        )

    # --- arrival -------------------------------------------------------------------------

    def open(self, event: RecordingReady, body: bytes, *, skipped: bool) -> Opened:
        """Insert the event's row, or tell what the row that stands means for it."""
        fresh = {
            "$mergeObjects": [
                {"$literal": _new_row(event, body, skipped=skipped)},
                {"created_at": "$$NOW", "unrouted_at": "$$NOW"},
            ]
        }
        missing = {"$eq": [{"$type": "$account_id"}, "missing"]}
        row = self._rows.find_one_and_update(
            {"_id": event.recording_id},
            [{"$replaceWith": {"$cond": [missing, fresh, "$$ROOT"]}}],
            upsert=True,
            return_document=ReturnDocument.BEFORE,
        )
        if row is None:
            status = Status.SKIPPED if skipped else Status.QUEUED
            return Opened("new", routed=False, status=status)
        same = (row["account_id"], row["file_url"]) == (event.account_id, event.file_url)
        return Opened(
            "again" if same else "conflict",
            routed=row["routed_at"] is not None,
            status=Status(row["status"]),
        )

    def next_turn(self, recording_id: str) -> Routing | None:
        """Raise the turn of a queued row for one more publish; None where it is not queued."""
        row = self._rows.find_one_and_update(
            {"_id": recording_id, "status": Status.QUEUED},
            {"$inc": {"turn": 1}},
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else _routing(row)

    def routed(self, recording_id: str, turn: int) -> None:
        """The broker has confirmed this turn's message."""
        self._rows.update_one(
            {"_id": recording_id, "turn": turn}, [{"$set": {"routed_at": "$$NOW"}}]
        )

    def unrouted(self, age: timedelta, limit: int) -> list[Routing]:
        """Queued rows whose publish did not come to its end, with their turn as it stands."""
        query = {
            "status": Status.QUEUED,
            "routed_at": None,
            "$expr": {"$lt": ["$unrouted_at", _later(-age.total_seconds())]},
        }
        return [_routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]

    def routed_of(self, account_id: str, limit: int) -> list[Routing]:
        """The account's queued rows that were routed, oldest first."""
        query = {
            "account_id": account_id,
            "status": Status.QUEUED,
            "routed_at": {"$ne": None},
        }
        return [_routing(row) for row in self._rows.find(query).sort(OLDEST_FIRST).limit(limit)]

    # --- the session's side --------------------------------------------------------------

    def glance(self, recording_ids: Sequence[str]) -> dict[str, Glance]:
        """What stands in these rows, by recording id; ids without a row are left out."""
        projection = {
            "status": 1,
            "turn": 1,
            "tries": 1,
            "wait": {"$subtract": ["$not_before", "$$NOW"]},
        }
        rows = self._rows.find({"_id": {"$in": list(recording_ids)}}, projection)
        return {
            row["_id"]: Glance(
                Status(row["status"]), row["turn"], row["tries"], (row["wait"] or 0) / 1000
            )
            for row in rows
        }

    def claim(self, recording_id: str, turn: int, claimant: Claimant, folder: str) -> Claim | None:
        """Start a queued recording; None where it is not to be started now."""
        query = {"_id": recording_id, "status": Status.QUEUED, "turn": turn, "$expr": _READY}
        return self._start(query, claimant, folder)

    def claim_probe(
        self, account_id: str, streak: int, claimant: Claimant, folder: str, passed: Iterable[str]
    ) -> Claim | None:
        """Start the account's oldest file, delays ignored; `passed` are those just tried."""
        query = self._candidates(account_id, streak, passed)
        return self._start(query, claimant, folder)

    def claim_overtaking(
        self, account_id: str, tries: float, claimant: Claimant, folder: str
    ) -> Claim | None:
        """Start a file that has failed less than `tries` times, the least tried and oldest one."""
        query = {
            "account_id": account_id,
            "status": Status.QUEUED.value,
            "tries": {"$lt": tries},
            "routed_at": {"$ne": None},
            "$expr": _READY,
        }
        return self._start(query, claimant, folder, [("tries", ASCENDING), *OLDEST_FIRST])

    def claim_casualty(
        self, account_id: str, streak: int, claimant: Claimant, folder: str
    ) -> Claim | None:
        """Start the oldest file that this outage has dead-lettered."""
        return self._start(_casualties(account_id, streak), claimant, folder)

    def has_candidate(self, account_id: str, streak: int, passed: Iterable[str] = ()) -> bool:
        """Whether there is a file to probe the account with."""
        query = self._candidates(account_id, streak, passed)
        return self._rows.find_one(query, {"_id": 1}) is not None

    def has_casualty(self, account_id: str, streak: int) -> bool:
        """Whether this outage has dead-lettered a file."""
        return self._rows.find_one(_casualties(account_id, streak), {"_id": 1}) is not None

    def count_casualties(self, account_id: str, streak: int) -> int:
        """How many files this outage has dead-lettered."""
        return self._rows.count_documents(_casualties(account_id, streak))

    def next_retry(self, account_id: str) -> datetime | None:
        """When the first of the account's waiting files may be tried again; None: at once."""
        row = self._rows.find_one(
            {"account_id": account_id, "status": Status.QUEUED},
            {"not_before": 1},
            sort=[("not_before", ASCENDING)],
        )
        moment: datetime | None = row["not_before"] if row else None
        return moment

    def copies(self, claim: Claim, folder: str) -> Iterator[tuple[int, str]]:
        """The paths the file may take by the ledger, as (copy, path): the wanted one first."""
        wanted = join(folder, claim.file_name)
        last = self._rows.find_one(
            {"account_id": claim.account_id, "wanted": wanted, "_id": {"$ne": claim.recording_id}},
            {"copy": 1},
            sort=[("copy", DESCENDING)],
        )
        first = last["copy"] + 1 if last else 1
        for copy in range(first, first + MAX_COPIES):
            yield copy, join(folder, numbered(claim.file_name, copy))

    def intend(
        self, claim: Claim, intent: Intent, folder: str, copy: int, *, overwrite: bool = False
    ) -> bool:
        """Write down what the rename will do, and reserve its path for this recording.

        With `overwrite` the path is taken over from a recording that is at its end; one on its
        way keeps it. False where the path is another recording's, or the claim is no longer this
        session's.
        """
        reservation: Document = {
            "intent": asdict(intent),
            "remote_path": intent.final,
            "wanted": join(folder, claim.file_name),
            "copy": copy,
        }
        if self._reserve(claim, reservation):
            return True
        if not overwrite or not self.is_mine(claim):
            return False
        replaced = self._take_over(claim, intent.final)
        return self._reserve(claim, {**reservation, **({"replaces": replaced} if replaced else {})})

    def withdraw(self, claim: Claim) -> bool:
        """Take the intent back, the path stays reserved. False where the claim is lost."""
        return bool(self._rows.update_one(_mine(claim), {"$unset": {"intent": ""}}).matched_count)

    def is_on_its_way(self, claim: Claim, folder: str) -> bool:
        """Whether another recording that is on its way has the path that this one wants."""
        query = {
            "account_id": claim.account_id,
            "remote_path": join(folder, claim.file_name),
            "_id": {"$ne": claim.recording_id},
            "status": {"$in": WAITING},
        }
        return self._rows.find_one(query, {"_id": 1}) is not None

    def is_mine(self, claim: Claim) -> bool:
        """Whether the claim still holds: another session has not taken it over."""
        return self._rows.find_one(_mine(claim), {"_id": 1}) is not None

    def delivered(self, claim: Claim, uploaded: Uploaded) -> float | None:
        """The file stands in its place. Seconds since its arrival; None where it was not ours.

        A casualty has come back by it, as by a replay: its tries are forgotten.
        """
        alive = {"tries": 0, "account_tries": 0, "dead_at": None, "reason": None}
        row = self._rows.find_one_and_update(
            _mine(claim),
            [
                {
                    "$set": {
                        "status": Status.DELIVERED.value,
                        "delivered_at": "$$NOW",
                        "remote_path": {"$literal": uploaded.remote_path},
                        "size": uploaded.size,
                        "sha256": uploaded.sha256,
                        "verified": uploaded.verified.value,
                        "parts": [],
                        "claim": None,
                        **(alive if claim.casualty else {}),
                    }
                },
                {"$unset": ["casualty", "intent", "replaces", "replaced"]},
            ],
            return_document=ReturnDocument.AFTER,
        )
        return (row["delivered_at"] - row["created_at"]).total_seconds() if row else None

    def waits(
        self,
        claim: Claim,
        *,
        delay: float,
        counted: bool,
        by_account: bool,
        error: LastError,
        part_left: bool,
    ) -> bool:
        """The try failed; the file may be tried again after `delay` seconds."""
        values = {
            "status": Status.QUEUED.value,
            "not_before": _later(delay),
            **_tried(claim, counted=counted, by_account=by_account),
        }
        return self._settle(claim, values, error, part_left=part_left)

    def dead_lettered(
        self,
        claim: Claim,
        *,
        counted: bool,
        by_account: bool,
        casualty_of: int | None,
        error: LastError,
        part_left: bool,
    ) -> bool:
        """The file has used up its tries; `casualty_of` is the streak whose end brings it back."""
        values: Document = {
            "status": Status.DEAD_LETTERED.value,
            "dead_at": "$$NOW",
            "reason": error.kind,
            "casualty": "$$REMOVE" if casualty_of is None else casualty_of,
            **_tried(claim, counted=counted, by_account=by_account),
        }
        return self._settle(claim, values, error, part_left=part_left)

    def release(self, claim: Claim, *, part_left: bool = True) -> bool:
        """Give the start back: nothing is counted, the file is as it was."""
        return self._settle(claim, {"status": "$claim.was"}, None, part_left=part_left)

    def free_claims(self, account_id: str, claimant: Claimant) -> int:
        """Free the account's claims whose session has ended without settling them.

        Only one session at a time works an account in an epoch: any other claim of this epoch
        or an earlier one is of a session that is gone.
        """
        result = self._rows.update_many(
            {
                "account_id": account_id,
                "status": Status.UPLOADING,
                "claim.session": {"$ne": claimant.session},
                "epoch": {"$lte": claimant.epoch},
            },
            [{"$set": {"status": "$claim.was", "claim": None}}],
        )
        return result.modified_count

    def leftovers(self, account_id: str) -> list[tuple[str, list[str]]]:
        """Dead or discarded files with the temporary files that their tries may have left."""
        gone = [Status.DEAD_LETTERED.value, Status.DISCARDED.value]
        query = {
            "account_id": account_id,
            "status": {"$in": gone},
            "parts.0": {"$exists": True},
            "intent": {"$exists": False},
        }
        rows = self._rows.find(query, {"parts": 1}).limit(MAX_LEFTOVERS)
        return [
            (row["_id"], [part_path(row["_id"], part) for part in row["parts"]]) for row in rows
        ]

    def cleaned(self, recording_id: str) -> None:
        """Nothing of a file that is not tried again stands at the customer any more."""
        gone = [Status.DEAD_LETTERED.value, Status.DISCARDED.value]
        self._rows.update_one(
            {"_id": recording_id, "status": {"$in": gone}}, {"$set": {"parts": []}}
        )

    # --- coming back, and leaving ----------------------------------------------------------

    def casualties_before(self, account_id: str, streak: int) -> list[str]:
        """Dead letters of outages that are over, oldest first."""
        query = {
            "account_id": account_id,
            "casualty": {"$lt": streak},
            "status": Status.DEAD_LETTERED,
        }
        return [row["_id"] for row in self._rows.find(query, {"_id": 1}).sort(OLDEST_FIRST)]

    def revive(self, recording_id: str) -> Routing | None:
        """Put a dead letter back on its route with no tries counted; None where it is not one."""
        row = self._rows.find_one_and_update(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            [
                {
                    "$set": {
                        "status": Status.QUEUED.value,
                        "tries": 0,
                        "account_tries": 0,
                        "turn": {"$add": ["$turn", 1]},
                        "routed_at": None,
                        "unrouted_at": "$$NOW",
                        "not_before": None,
                        "dead_at": None,
                        "reason": None,
                    }
                },
                {"$unset": "casualty"},
            ],
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else _routing(row)

    def discard(self, recording_id: str) -> bool:
        """Give a dead letter up for good. False where it is not one."""
        result = self._rows.update_one(
            {"_id": recording_id, "status": Status.DEAD_LETTERED},
            [
                {"$set": {"status": Status.DISCARDED.value, "discarded_at": "$$NOW"}},
                {"$unset": "casualty"},
            ],
        )
        return bool(result.modified_count)

    def discard_queued(self, account_id: str) -> int:
        """Give up what waits for an account that is being removed. The number of files."""
        result = self._rows.update_many(
            {"account_id": account_id, "status": {"$in": WAITING}},
            [
                {
                    "$set": {
                        "status": Status.DISCARDED.value,
                        "claim": None,
                        "discarded_at": "$$NOW",
                    }
                }
            ],
        )
        return result.modified_count

    def forget_final(self, age: timedelta, limit: int) -> int:
        """Remove rows that ended longer ago than `age`, dead letters excepted; how many."""
        forgotten = 0
        for status, ended in _ENDED.items():
            query = {
                "status": status.value,
                ended: {"$type": "date"},
                "$expr": {"$lt": [f"${ended}", _later(-age.total_seconds())]},
            }
            rows = self._rows.find(query, {"_id": 1}).sort(ended).limit(limit)
            ids = [row["_id"] for row in rows]
            if ids:
                query["_id"] = {"$in": ids}
                forgotten += self._rows.delete_many(query).deleted_count
        return forgotten

    # --- looking ---------------------------------------------------------------------------

    def row(self, recording_id: str) -> Document | None:
        """The whole row, for showing."""
        return self._rows.find_one({"_id": recording_id})

    def select(self, selection: Selection, limit: int = 0) -> Iterator[Document]:
        """The rows asked for, newest first; 0 means no limit."""
        newest = [("created_at", DESCENDING), ("arrival", DESCENDING)]
        with self._rows.find(selection.query()).sort(newest).limit(limit) as cursor:
            yield from cursor

    def counts(self, account_id: str) -> dict[Status, int]:
        """How many rows an account has in each status."""
        pipeline: list[Document] = [
            {"$match": {"account_id": account_id}},
            {"$group": {"_id": "$status", "n": {"$sum": 1}}},
        ]
        found = {Status(row["_id"]): row["n"] for row in self._rows.aggregate(pipeline)}
        return {status: found.get(status, 0) for status in Status}

    def counts_by_account(self) -> dict[str, dict[Status, int]]:
        """How many rows every account has on their way and dead-lettered; others are left out."""
        counted = [*WAITING, Status.DEAD_LETTERED.value]
        pipeline: list[Document] = [
            {"$match": {"status": {"$in": counted}}},
            {"$group": {"_id": {"account": "$account_id", "status": "$status"}, "n": {"$sum": 1}}},
        ]
        found: dict[str, dict[Status, int]] = {}
        for row in self._rows.aggregate(pipeline):
            found.setdefault(row["_id"]["account"], {})[Status(row["_id"]["status"])] = row["n"]
        return found

    def waiting(self, account_id: str | None = None) -> Waiting:
        """The files that wait, of one account or of all."""
        query: Document = {"status": {"$in": WAITING}}
        if account_id is not None:
            query["account_id"] = account_id
        age = {"$subtract": ["$$NOW", "$created_at"]}
        oldest = self._rows.find_one(query, {"created_at": 1, "age": age}, sort=OLDEST_FIRST)
        if oldest is None:
            return Waiting(0, None, 0.0)
        count = self._rows.count_documents(query)
        return Waiting(count, oldest["created_at"], oldest["age"] / 1000)

    def dead_letters(self) -> int:
        """How many dead letters there are."""
        return self._rows.count_documents({"status": Status.DEAD_LETTERED})

    # --- one way for each thing ------------------------------------------------------------

    def _start(
        self,
        query: Document,
        claimant: Claimant,
        folder: str,
        order: Sequence[tuple[str, int]] = OLDEST_FIRST,
    ) -> Claim | None:
        """Count the start before the upload, so that a start that never ends is seen.

        By the database's clock the ownership still stands: a worker that was frozen with this
        call on its way, or its request in the network, starts nothing that is another's by now.
        """
        start = {"$add": ["$starts", 1]}
        claim = {
            "worker": {"$literal": claimant.worker},
            "session": {"$literal": claimant.session},
            "at": "$$NOW",
            "was": "$status",
        }
        row = self._rows.find_one_and_update(
            {"$and": [{**query, "epoch": {"$lte": claimant.epoch}}, _still_owns(claimant)]},
            [
                {
                    "$set": {
                        "status": Status.UPLOADING.value,
                        "starts": start,
                        "epoch": claimant.epoch,
                        "claim": claim,
                        "parts": {
                            "$concatArrays": [
                                "$parts",
                                [{"start": start, "folder": {"$literal": folder}}],
                            ]
                        },
                    }
                }
            ],
            sort=order,
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else Claim.of(row, claimant)

    def _settle(
        self, claim: Claim, values: Document, error: LastError | None, *, part_left: bool
    ) -> bool:
        """End a start that did not deliver; a path is kept only where the file may stand there.

        An intent that this start has found and not withdrawn is still true, whatever it met.
        """
        values["claim"] = None
        stages: list[Document] = [{"$set": values}]
        if error is not None:
            values["last_error"] = {"$mergeObjects": [{"$literal": asdict(error)}, {"at": "$$NOW"}]}
        found = None if claim.intent is None else asdict(claim.intent)
        if not part_left:
            values["parts"] = {
                "$filter": {"input": "$parts", "cond": {"$ne": ["$$this.start", claim.start]}}
            }
            is_found = {"$eq": [{"$ifNull": ["$intent", 0]}, {"$literal": found}]}
            stages.append(
                {
                    "$set": {
                        name: {"$cond": [is_found, f"${name}", "$$REMOVE"]} for name in _RESERVATION
                    }
                }
            )
        before = self._rows.find_one_and_update(
            _mine(claim), stages, projection={"replaces": 1, "remote_path": 1, "intent": 1}
        )
        if before is None:
            return False
        if not part_left and "replaces" in before and before.get("intent", 0) != found:
            self._give_back(before)
        return True

    def _reserve(self, claim: Claim, reservation: Document) -> bool:
        try:
            result = self._rows.update_one(_mine(claim), {"$set": reservation})
        except DuplicateKeyError:
            return False
        return bool(result.matched_count)

    def _take_over(self, claim: Claim, path: str) -> str | None:
        """Take the path from a recording at its end; its id. A dead letter's intent goes too."""
        row = self._rows.find_one_and_update(
            {
                "account_id": claim.account_id,
                "remote_path": path,
                "_id": {"$ne": claim.recording_id},
                "status": {"$nin": WAITING},
            },
            [
                {
                    "$set": {
                        "replaced": {
                            "path": "$remote_path",
                            "by": {"$literal": claim.recording_id},
                            "at": "$$NOW",
                        }
                    }
                },
                {"$unset": ["remote_path", "intent"]},
            ],
            projection={"_id": 1},
        )
        return row["_id"] if row else None

    def _give_back(self, row: Document) -> None:
        """The file that was to be replaced stands there still: its path is its row's again."""
        with contextlib.suppress(DuplicateKeyError):  # another one has it meanwhile
            self._rows.update_one(
                {"_id": row["replaces"], "replaced.by": row["_id"]},
                {"$set": {"remote_path": row["remote_path"]}, "$unset": {"replaced": ""}},
            )

    @staticmethod
    def _candidates(account_id: str, streak: int, passed: Iterable[str]) -> Document:
        queued = {"status": Status.QUEUED.value}
        casualty = {"status": Status.DEAD_LETTERED.value, "casualty": streak}
        return {
            "account_id": account_id,
            "_id": {"$nin": list(passed)},
            "$or": [queued, casualty],
        }


def _new_row(event: RecordingReady, body: bytes, *, skipped: bool) -> Document:
    return {
        "_id": event.recording_id,
        "account_id": event.account_id,
        "number": event.number,
        "file_url": event.file_url,
        "file_name": event.target_name,
        "size": event.size,
        "size_given": event.size is not None,
        "sha256": event.sha256.lower() if event.sha256 else None,
        "sha256_given": event.sha256 is not None,
        "recorded_at": event.recorded_at,
        "event": body.decode(),
        "arrival": ObjectId(),
        "status": (Status.SKIPPED if skipped else Status.QUEUED).value,
        "tries": 0,
        "account_tries": 0,
        "starts": 0,
        "turn": 0,
        "epoch": 0,
        "claim": None,
        "parts": [],
        "not_before": None,
        "routed_at": None,
        "unrouted_at": None,
        "last_error": None,
        "delivered_at": None,
        "dead_at": None,
        "reason": None,
        "verified": None,
    }


def _routing(row: Document) -> Routing:
    return Routing(row["_id"], row["account_id"], row["turn"], row["event"].encode())


def _mine(claim: Claim) -> Document:
    return {
        "_id": claim.recording_id,
        "status": Status.UPLOADING,
        "starts": claim.start,
        "claim.session": claim.session,
    }


def _still_owns(claimant: Claimant) -> Document:
    if claimant.until is None:
        return {}
    return {"$expr": {"$gt": [claimant.until, "$$NOW"]}}


def _casualties(account_id: str, streak: int) -> Document:
    return {"account_id": account_id, "status": Status.DEAD_LETTERED, "casualty": streak}


def _tried(claim: Claim, *, counted: bool, by_account: bool) -> Document:
    return {
        "tries": claim.tries + counted,
        "account_tries": claim.account_tries + (counted and by_account),
    }


def _later(seconds: float) -> Document:
    return {"$add": ["$$NOW", round(seconds * 1000)]}
