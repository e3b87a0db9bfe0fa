"""How a start ends: delivered, to be tried again, dead-lettered, or given back."""

import contextlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict

from pymongo import UpdateMany
from pymongo.errors import DuplicateKeyError

from config.moments import later
from consumers.ledger import story
from consumers.ledger.records import (
    GONE,
    Claim,
    Document,
    LastError,
    Status,
    failure_now,
    part_path,
)
from consumers.ledger.rows import BY_ID, Part, claim_filter, claims_filter
from consumers.ledger.story import FailedTry
from consumers.ledger.writer import Written
from transports.job import Intent, Uploaded

MAX_LEFTOVERS = 100
_RESERVATION = ["intent", "remote_path", "wanted", "copy", "replaces"]


class Outcomes(Part):
    """Settles the claims, and tells what their starts have left at the customer."""

    def delivered(self, wanted: Sequence[tuple[Claim, Uploaded]]) -> dict[str, float]:
        """The files stand in their places. Seconds since the arrival of each, by recording id.

        One that is missing was not ours: another session has taken it over. An outage dead letter
        has come back by it, as by a replay: its tries are forgotten.
        """
        alike: defaultdict[tuple[str, int, bool], list[tuple[Claim, Uploaded]]] = defaultdict(list)
        for claim, uploaded in wanted:
            alike[claim.flight, claim.start, claim.from_outage].append((claim, uploaded))
        updates = [_all_delivered(together) for together in alike.values()]
        written = self._commit.write(updates, len(wanted))
        written.check()
        claims = [claim for claim, _ in wanted]
        if not written.holds:
            claims = self._delivered_of(written, claims)
        return {claim.recording_id: claim.age for claim in claims}

    def _delivered_of(self, written: Written, claims: Sequence[Claim]) -> list[Claim]:
        """Those whose very start has delivered: a later one has another number."""
        names = [claim.recording_id for claim in claims]
        query = {"_id": {"$in": names}, "status": Status.DELIVERED.value}
        starts = {
            row["_id"]: row["starts"] for row in self._commit.find(written, query, {"starts": 1})
        }
        return [claim for claim in claims if starts.get(claim.recording_id) == claim.start]

    def waits(self, claim: Claim, failed: FailedTry, delay: float) -> bool:
        """The try failed; the file may be tried again after `delay` seconds.

        It has come to an end: starts that were lost before are forgotten. False where the claim is
        lost: nothing is counted.
        """
        counted = _counted(claim, failed)
        values = {
            "status": Status.QUEUED.value,
            "not_before": later(delay),
            "lost": "$$REMOVE",
            **counted,
            "events": story.failed(failed, counted["tries"], until=later(delay)),
        }
        return self._settle(claim, values, failed.error, part_left=failed.part_left)

    def uncount(self, claim: Claim) -> bool:
        """The try that has just failed is none after all: its account was changed meanwhile.

        False where the file has been started anew since.
        """
        counted = {
            "_id": claim.recording_id,
            "status": Status.QUEUED.value,
            "starts": claim.start,
            "tries": claim.tries + 1,
        }
        before = {
            "tries": claim.tries,
            "account_tries": claim.account_tries,
            "not_before": None,
            "events": story.taken_back(),
        }
        return bool(self._rows.update_one(counted, [{"$set": before}]).modified_count)

    def dead_lettered(self, claim: Claim, failed: FailedTry, outage_id: int | None) -> bool:
        """The file has used up its tries; `outage_id`: the outage whose end brings it back.

        What is lost by our own fault is told to the on-call. False where the claim is lost.
        """
        is_our_loss = outage_id is None and failed.error.is_ours
        counted, returns = _counted(claim, failed), outage_id is not None
        values: Document = {
            "status": Status.DEAD_LETTERED.value,
            "untold": True if is_our_loss else "$$REMOVE",
            "dead_at": "$$NOW",
            "reason": failed.error.kind,
            "casualty": outage_id if returns else "$$REMOVE",
            "lost": "$$REMOVE",
            **counted,
            "events": story.failed(failed, counted["tries"], dead=True, returns=returns),
        }
        return self._settle(claim, values, failed.error, part_left=failed.part_left)

    def release(
        self, claim: Claim, *, part_left: bool = True, why: FailedTry | None = None
    ) -> bool:
        """Give the start back: nothing is counted, the file is as it was.

        `why` is told in the row's story.
        """
        values: Document = {"status": "$claim.was"}
        if why is not None:
            values["events"] = story.failed(why, claim.tries)
        return self._settle(claim, values, None, part_left=part_left)

    def leftovers(self, account_id: str) -> list[tuple[str, list[str]]]:
        """Dead or discarded files with the temporary files that their tries may have left."""
        query = {
            "account_id": account_id,
            "status": {"$in": GONE},
            "parts.0": {"$exists": True},
            "intent": {"$exists": False},
        }
        rows = self._rows.find(query, {"parts": 1}).limit(MAX_LEFTOVERS)
        return [
            (row["_id"], [part_path(row["_id"], part) for part in row["parts"]]) for row in rows
        ]

    def unanswered(self, account_id: str) -> list[tuple[str, list[str], Intent]]:
        """The same, with the intent, of those whose last rename had no answer."""
        query = {
            "account_id": account_id,
            "status": {"$in": GONE},
            "parts.0": {"$exists": True},
            "$expr": {"$ne": ["$intent.part", "$intent.final"]},  # in place there is no rename
        }
        rows = self._rows.find(query, {"parts": 1, "intent": 1}).limit(MAX_LEFTOVERS)
        return [
            (
                row["_id"],
                [part_path(row["_id"], part) for part in row["parts"]],
                Intent(**row["intent"]),
            )
            for row in rows
        ]

    def withdraw(self, recording_id: str, intent: Intent) -> bool:
        """Take back the intent of a file that is not tried again, and its path.

        False where it has another one, or is on its way again.
        """
        before = self._rows.find_one_and_update(
            {"_id": recording_id, "status": {"$in": GONE}, "intent": asdict(intent)},
            {"$unset": dict.fromkeys(_RESERVATION, "")},
            projection={"replaces": 1, "remote_path": 1},
        )
        if before is not None and "replaces" in before:
            self._give_back(before)
        return before is not None

    def cleaned(self, recording_id: str) -> None:
        """Nothing of a file that is not tried again stands at the customer any more."""
        self._rows.update_one(
            {"_id": recording_id, "status": {"$in": GONE}}, {"$set": {"parts": []}}
        )

    def _settle(
        self, claim: Claim, values: Document, error: LastError | None, *, part_left: bool
    ) -> bool:
        """End a start that did not deliver; a path is kept only where the file may stand there.

        If this attempt inherited an intent and did not withdraw it, the intent is kept: it is still
        true, whatever the attempt met.
        """
        told = {} if error is None else {"last_error": failure_now(error)}
        stages: list[Document] = [{"$set": {**values, "claim": None, **told}}]
        found = None if claim.intent is None else asdict(claim.intent)
        if not part_left:
            stages += [{"$set": _without_part(claim)}, {"$set": _reservation_if(found)}]
        before = self._rows.find_one_and_update(
            claim_filter(claim), stages, projection={"replaces": 1, "remote_path": 1, "intent": 1}
        )
        if before is None:
            return False
        # A row without an intent is not one with an intent of null, which stands for none found.
        is_kept = "intent" in before and before["intent"] == found
        if not part_left and "replaces" in before and not is_kept:
            self._give_back(before)
        return True

    def _give_back(self, row: Document) -> None:
        """The file that was to be replaced stands there still: its path is its row's again."""
        with contextlib.suppress(DuplicateKeyError):  # another one has it meanwhile
            self._rows.update_one(
                {"_id": row["replaces"], "replaced.by": row["_id"]},
                {"$set": {"remote_path": row["remote_path"]}, "$unset": {"replaced": ""}},
            )


def _without_part(claim: Claim) -> Document:
    other = {"$ne": ["$$this.start", claim.start]}
    return {"parts": {"$filter": {"input": "$parts", "cond": other}}}


def _reservation_if(found: Document | None) -> Document:
    """The row's reservation is kept where its intent is the one that the attempt has found.

    A row without an intent has 0 here, which equals none that was found, nor null for none.
    """
    is_found = {"$eq": [{"$ifNull": ["$intent", 0]}, {"$literal": found}]}
    return {name: {"$cond": [is_found, f"${name}", "$$REMOVE"]} for name in _RESERVATION}


def _all_delivered(together: Sequence[tuple[Claim, Uploaded]]) -> UpdateMany:
    """One update for all starts of a number in a flight: each row finds its own by its id."""
    claims = [claim for claim, _ in together]
    at = {"$indexOfArray": [{"$literal": [claim.recording_id for claim in claims]}, "$_id"]}
    told, ends = (
        {"$arrayElemAt": [{"$literal": [each(*one) for one in together]}, at]}
        for each in (_told, _ends)
    )
    return UpdateMany(claims_filter(claims), _deliver(claims[0], told, ends), hint=BY_ID)


def _told(claim: Claim, uploaded: Uploaded) -> Document:
    return {
        "remote_path": uploaded.remote_path,
        "size": uploaded.size,
        "sha256": uploaded.sha256,
        "verified": uploaded.verified.value,
        "parts": claim.still_there(uploaded.left),
    }


def _ends(_claim: Claim, uploaded: Uploaded) -> Document:
    return story.delivered_facts(uploaded.size, uploaded.verified.value, sent=uploaded.sent)


def _deliver(claim: Claim, told: Document, ends: Document) -> list[Document]:
    alive = {"tries": 0, "account_tries": 0, "dead_at": None, "reason": None}
    values = {
        "status": Status.DELIVERED.value,
        "delivered_at": "$$NOW",
        "claim": None,
        "events": story.delivered(ends),
        **(alive if claim.from_outage else {}),
    }
    return [
        {"$replaceWith": {"$mergeObjects": ["$$ROOT", told, values]}},
        {"$unset": ["casualty", "intent", "replaces", "replaced", "lost", "suspected"]},
    ]


def _counted(claim: Claim, failed: FailedTry) -> Document:
    tries = {
        "tries": claim.tries + failed.counted,
        "account_tries": claim.account_tries + (failed.counted and failed.by_account),
    }
    return {**tries, "suspected": claim.suspected + 1} if failed.suspected else tries
