"""A session takes a recording: the start is counted, and the claim is that session's alone."""

import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from pymongo import ASCENDING, ReturnDocument, UpdateMany

from consumers.ledger import story
from consumers.ledger.records import Claim, Claimant, Document, Status
from consumers.ledger.rows import (
    BY_ID,
    MAX_CRASHES,
    OLDEST_FIRST,
    Part,
    claim_filter,
    outage_dead_letters,
)

_ROUTED: Document = {"routed_at": {"$ifNull": ["$routed_at", "$$NOW"]}}
_NO_CRASH_LOOP: Document = {"$not": {"$gte": MAX_CRASHES}}
"""Of `lost.alone`: the file waits for its burial alone."""
_READY: Document = {"$lte": [{"$ifNull": ["$not_before", "$$NOW"]}, "$$NOW"]}


_UNTOLD: Document = {"events": 0}
"""A session needs nothing of a row's story."""


class Claims(Part):
    """What may be started, and the start itself."""

    def claim(self, wanted: Mapping[str, int], claimant: Claimant, folder: str) -> list[Claim]:
        """Start those of these queued recordings, each with its turn, that are to be started now.

        In the order of `wanted`. Their messages prove that they were routed, should the intake
        have died before it said so.
        """
        if len(wanted) > 1:
            return self._start_together(wanted, claimant, folder)
        # One is found and changed by one command, which the driver repeats by itself.
        singly = [_waiting(recording_id, generation) for recording_id, generation in wanted.items()]
        claims = [self._start(query, claimant, folder, noted=_ROUTED) for query in singly]
        return [claim for claim in claims if claim is not None]

    def claim_probe(
        self,
        account_id: str,
        outage_id: int,
        claimant: Claimant,
        folder: str,
        passed: Iterable[str],
    ) -> Claim | None:
        """Start the account's oldest file, delays ignored; `passed` are those just tried."""
        query = self._candidates(account_id, outage_id, passed)
        return self._start(query, claimant, folder)

    def claim_overtaking(
        self,
        account_id: str,
        tries: float,
        claimant: Claimant,
        folder: str,
        names_in_use: Iterable[str],
    ) -> Claim | None:
        """Start a file that has failed less than `tries` times, the least tried and oldest one.

        But none of a name that is being uploaded.
        """
        query = {
            "account_id": account_id,
            "status": Status.QUEUED.value,
            "tries": {"$lt": tries},
            "file_name": {"$nin": list(names_in_use)},
            "routed_at": {"$ne": None},
            "$expr": _READY,
        }
        return self._start(query, claimant, folder, [("tries", ASCENDING), *OLDEST_FIRST])

    def claim_outage_dead_letter(
        self, account_id: str, outage_id: int, claimant: Claimant, folder: str
    ) -> Claim | None:
        """Start the oldest file that this outage has dead-lettered."""
        return self._start(outage_dead_letters(account_id, outage_id), claimant, folder)

    def has_candidate(self, account_id: str, outage_id: int, passed: Iterable[str] = ()) -> bool:
        """Whether there is a file to probe the account with."""
        query = self._candidates(account_id, outage_id, passed)
        return self._rows.find_one(query, {"_id": 1}) is not None

    def probe_crashed(self, account_id: str, outage_id: int, passed: Iterable[str]) -> bool:
        """Whether a start of the file that is the next probe was lost."""
        return self._crashed(self._candidates(account_id, outage_id, passed))

    def outage_dead_letter_crashed(self, account_id: str, outage_id: int) -> bool:
        """Whether a start of the outage dead letter that is tried next was lost."""
        return self._crashed(outage_dead_letters(account_id, outage_id))

    def has_outage_dead_letter(self, account_id: str, outage_id: int) -> bool:
        """Whether this outage has dead-lettered a file that may be claimed."""
        query = {**outage_dead_letters(account_id, outage_id), "lost.alone": _NO_CRASH_LOOP}
        return self._rows.find_one(query, {"_id": 1}) is not None

    def count_outage_dead_letters(self, account_id: str, outage_id: int) -> int:
        """How many files this outage has dead-lettered."""
        return self._rows.count_documents(outage_dead_letters(account_id, outage_id))

    def next_retry(self, account_id: str) -> datetime | None:
        """When the first of the account's waiting files may be tried again; None: at once."""
        row = self._rows.find_one(
            {"account_id": account_id, "status": Status.QUEUED},
            {"not_before": 1},
            sort=[("not_before", ASCENDING)],
        )
        moment: datetime | None = row["not_before"] if row else None
        return moment

    def free(self, account_id: str, claimant: Claimant) -> int:
        """Free the account's claims whose session has ended without settling them.

        Only one session at a time works an account in an epoch: any other claim of this epoch
        or an earlier one is of a session that is gone. A start of another worker is lost: it died,
        or has lost the account. This worker lives: its session could only not write down the end.
        """
        result = self._rows.update_many(
            {
                "account_id": account_id,
                "status": Status.UPLOADING,
                "claim.session": {"$ne": claimant.session},
                "epoch": {"$lte": claimant.epoch},
            },
            [
                {
                    "$set": {
                        "status": "$claim.was",
                        "claim": None,
                        "lost": _lost_starts(claimant),
                        "events": story.lost(died=_is_lost(claimant)),
                    }
                }
            ],
        )
        return result.modified_count

    def shares_process(self, claim: Claim) -> None:
        """The start is not alone any more: others begin beside it."""
        self._rows.update_one(claim_filter(claim), {"$set": {"claim.alone": False}})

    def _crashed(self, query: Document) -> bool:
        row = self._rows.find_one(query, {"lost": 1}, sort=OLDEST_FIRST)
        return row is not None and "lost" in row

    def _start_together(
        self, wanted: Mapping[str, int], claimant: Claimant, folder: str
    ) -> list[Claim]:
        """Whichever way the answer was lost: what carries the flight's id is this flight's, and
        nothing else."""
        since, flight = time.monotonic(), uuid.uuid4().hex
        generations: defaultdict[int, list[str]] = defaultdict(list)
        for recording_id, generation in wanted.items():
            generations[generation].append(recording_id)
        updates = [
            UpdateMany(
                _startable(_waiting({"$in": names}, generation), claimant),
                _started(claimant, flight, folder, _ROUTED, files=len(wanted)),
                hint=BY_ID,
            )
            for generation, names in generations.items()
        ]
        written = self._commit.write(updates, len(wanted))
        written.check()
        query = {"_id": {"$in": [*wanted]}, "claim.flight": flight}
        rows = {row["_id"]: row for row in self._commit.find(written, query, _UNTOLD)}
        return [Claim.of(rows[name], claimant, since) for name in wanted if name in rows]

    def _start(
        self,
        query: Document,
        claimant: Claimant,
        folder: str,
        order: Sequence[tuple[str, int]] = OLDEST_FIRST,
        noted: Document | None = None,
    ) -> Claim | None:
        since = time.monotonic()
        row = self._rows.find_one_and_update(
            _startable(query, claimant),
            _started(claimant, uuid.uuid4().hex, folder, noted or {}),
            projection=_UNTOLD,
            sort=order,
            return_document=ReturnDocument.AFTER,
        )
        return None if row is None else Claim.of(row, claimant, since)

    @staticmethod
    def _candidates(account_id: str, outage_id: int, passed: Iterable[str]) -> Document:
        queued = {"status": Status.QUEUED.value}
        from_outage = {"status": Status.DEAD_LETTERED.value, "casualty": outage_id}
        return {
            "account_id": account_id,
            "_id": {"$nin": list(passed)},
            "lost.alone": _NO_CRASH_LOOP,
            "$or": [queued, from_outage],
        }


def _waiting(recording_id: str | Document, generation: int) -> Document:
    return {"_id": recording_id, "status": Status.QUEUED.value, "turn": generation, "$expr": _READY}


def _startable(query: Document, claimant: Claimant) -> Document:
    """Those of the rows that the claimant may start.

    By the database's clock the ownership still stands: a worker that was frozen with this
    call on its way, or its request in the network, starts nothing that is another's by now.
    """
    unharmed = {} if claimant.exclusive else {"lost": {"$exists": False}}
    return {
        "$and": [
            {**query, **unharmed, "epoch": {"$lte": claimant.epoch}},
            {"lost.alone": _NO_CRASH_LOOP},
            _still_owns(claimant),
        ]
    }


def _started(
    claimant: Claimant, flight: str, folder: str, noted: Document, *, files: int = 1
) -> list[Document]:
    """Count the start before the upload, so that a start that never ends is seen.

    What ends the process of an `exclusive` file is put down to that file: no other one of its
    flight, or of its process, can have been the cause.
    """
    start = {"$add": ["$starts", 1]}
    claim = {
        "worker": {"$literal": claimant.worker},
        "session": {"$literal": claimant.session},
        "flight": flight,
        "at": "$$NOW",
        "was": "$status",
        "files": files,
        "alone": claimant.exclusive and files == 1,
    }
    part = {"start": start, "folder": {"$literal": folder}}
    return [
        {
            "$set": {
                **noted,
                "status": Status.UPLOADING.value,
                "starts": start,
                "epoch": claimant.epoch,
                "claim": claim,
                "parts": {"$concatArrays": ["$parts", [part]]},
            }
        }
    ]


def _lost_starts(claimant: Claimant) -> Document:
    """How many starts of the row were lost, how many of them as a process's only upload, and of
    how many files the last one's flight was."""
    exclusive = {"$cond": [{"$eq": ["$claim.alone", True]}, 1, 0]}
    counted = {
        "starts": {"$add": [{"$ifNull": ["$lost.starts", 0]}, 1]},
        "alone": {"$add": [{"$ifNull": ["$lost.alone", 0]}, exclusive]},
        "files": {"$ifNull": ["$claim.files", 1]},
    }
    return {"$cond": [_is_lost(claimant), counted, {"$ifNull": ["$lost", "$$REMOVE"]}]}


def _is_lost(claimant: Claimant) -> Document:
    """Whether the claim is another worker's."""
    return {"$ne": ["$claim.worker", {"$literal": claimant.worker}]}


def _still_owns(claimant: Claimant) -> Document:
    if claimant.until is None:
        return {}
    return {"$expr": {"$gt": [claimant.until, "$$NOW"]}}
