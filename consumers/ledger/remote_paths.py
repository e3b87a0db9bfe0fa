"""The path of a recording at its customer: one recording of an account has it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import NamedTuple

from pymongo import DESCENDING, ReturnDocument, UpdateOne
from pymongo.errors import DuplicateKeyError

from consumers.ledger.records import WAITING, Claim, Document
from consumers.ledger.rows import BY_ID, Part, claim_filter, holds
from consumers.ledger.writer import DUPLICATE_KEY
from transports.errors import NotPermitted
from transports.job import Intent
from transports.names import join, numbered

MAX_COPIES = 100_000
_WANTED = 1
"""The copy that has the name as it was given."""


class Note(NamedTuple):
    """What a start tells of itself beside its claim."""

    part_path: str | None
    """Where its temporary file stands, where that is not the usual place."""
    counter: int | None
    """The running number of the recording, which it keeps."""


class RemotePaths(Part):
    """Reserves paths, and writes down what a rename will do before it is done."""

    def give_numbers(self, account_id: str, count: int) -> int:
        """So many of the account's running numbers, for good; the first of them.

        They are given to nobody else, whatever becomes of those who have asked for them. Raises
        NotPermitted where the account was removed.
        """
        account = self._rows.database["accounts"].find_one_and_update(
            {"_id": account_id},
            {"$inc": {"counter": count}},
            projection={"counter": 1},
            return_document=ReturnDocument.AFTER,
        )
        if account is None:
            raise NotPermitted("The account was removed")
        return int(account["counter"]) - count + 1

    def note(self, noted: Sequence[tuple[Claim, Note]]) -> set[str]:
        """Write down, before anything is sent, what later starts must know of these.

        The ids of those that say so; the others are another session's by now.
        """
        updates = [
            UpdateOne(claim_filter(claim), [{"$set": _noted(claim, note)}], hint=BY_ID)
            for claim, note in noted
        ]
        written = self._commit.write(updates, len(updates))
        written.check()
        claims = [claim for claim, _ in noted]
        if not written.holds:
            query = {"_id": {"$in": [claim.recording_id for claim in claims]}}
            known = {"status": 1, "starts": 1, "claim": 1}
            rows = {row["_id"]: row for row in self._commit.find(written, query, known)}
            claims = [
                claim
                for claim in claims
                if claim.recording_id in rows and holds(claim, rows[claim.recording_id])
            ]
        return {claim.recording_id for claim in claims}

    def copies(self, claim: Claim, folder: str) -> Iterator[tuple[int, str]]:
        """The paths the file may take by the ledger, as (copy, path): the wanted one first.

        That one is mostly free, and `intend` finds out whether it is: nothing is asked for it.
        """
        wanted = join(folder, claim.file_name)
        yield _WANTED, wanted
        last = self._rows.find_one(
            {"account_id": claim.account_id, "wanted": wanted, "_id": {"$ne": claim.recording_id}},
            {"copy": 1},
            sort=[("copy", DESCENDING)],
        )
        first = 1 + (last["copy"] if last else _WANTED)
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
        if self.intend_flight([(claim, intent, folder, copy)]) == [True]:
            return True
        if not overwrite or not self.holds(claim):
            return False
        replaced = self._take_over(claim, intent.final)
        reservation = _reservation(claim, intent, folder, copy)
        return self._reserve(claim, {**reservation, **({"replaces": replaced} if replaced else {})})

    def intend_flight(self, wanted: Sequence[tuple[Claim, Intent, str, int]]) -> list[bool]:
        """The same for many files at once, as (claim, intent, folder, copy), without overwriting.

        A path that is another recording's costs none of the others theirs.
        """
        updates = [
            UpdateOne(claim_filter(each[0]), {"$set": _reservation(*each)}, hint=BY_ID)
            for each in wanted
        ]
        written = self._commit.write(updates, len(updates))
        written.check(tolerated=(DUPLICATE_KEY,))
        if written.holds:
            return [True] * len(wanted)
        query = {"_id": {"$in": [claim.recording_id for claim, *_ in wanted]}}
        rows = {row["_id"]: row for row in self._commit.find(written, query)}
        return [_is_reserved(rows.get(each[0].recording_id), *each) for each in wanted]

    def withdraw(self, claim: Claim) -> bool:
        """Take the intent back, the path stays reserved. False where the claim is lost."""
        return bool(
            self._rows.update_one(claim_filter(claim), {"$unset": {"intent": ""}}).matched_count
        )

    def is_on_its_way(self, claim: Claim, folder: str) -> bool:
        """Whether another recording that is on its way has the path that this one wants."""
        query = {
            "account_id": claim.account_id,
            "remote_path": join(folder, claim.file_name),
            "_id": {"$ne": claim.recording_id},
            "status": {"$in": WAITING},
        }
        return self._rows.find_one(query, {"_id": 1}) is not None

    def _reserve(self, claim: Claim, reservation: Document) -> bool:
        try:
            result = self._rows.update_one(claim_filter(claim), {"$set": reservation})
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


def _noted(claim: Claim, note: Note) -> Document:
    values: Document = {}
    if note.part_path is not None:
        path = {"path": {"$literal": note.part_path}}
        is_mine = {"$eq": ["$$this.start", claim.start]}
        mine = {"$cond": [is_mine, {"$mergeObjects": ["$$this", path]}, "$$this"]}
        values["parts"] = {"$map": {"input": "$parts", "as": "this", "in": mine}}
    if note.counter is not None:
        values["counter"] = note.counter
    return values


def _reservation(claim: Claim, intent: Intent, folder: str, copy: int) -> Document:
    return {
        "intent": asdict(intent),
        "remote_path": intent.final,
        "wanted": join(folder, claim.file_name),
        "copy": copy,
    }


def _is_reserved(
    row: Document | None, claim: Claim, intent: Intent, folder: str, copy: int
) -> bool:
    """Whether the row says all that was to be written down, for a claim that still holds."""
    if row is None or not holds(claim, row):
        return False
    reservation = _reservation(claim, intent, folder, copy)
    return all(row.get(name) == value for name, value in reservation.items())
