"""Delivered recordings that are delivered once more, because a person has asked for it."""

from collections.abc import Iterator
from datetime import datetime

from consumers.ledger import story
from consumers.ledger.records import Document, Routing, Status
from consumers.ledger.rows import OLDEST_FIRST, Part


class Redelivery(Part):
    """Each time is counted, so that one request is carried out once, however often it is said."""

    def candidates(
        self, account_id: str, since: datetime, until: datetime | None
    ) -> Iterator[Document]:
        """The account's delivered recordings that arrived in this time, the oldest first."""
        arrived = {"$gte": since, **({"$lt": until} if until else {})}
        query = {
            "account_id": account_id,
            "status": Status.DELIVERED.value,
            "created_at": arrived,
        }
        with self._rows.find(query).sort(OLDEST_FIRST) as cursor:
            yield from cursor

    def again(self, recording_id: str, times: int) -> Routing | None:
        """Put a delivered recording back on its route, with no tries counted.

        `times`: how often that was done before, as whoever asked has seen it. None where that is
        not so any more, or the recording is not delivered: then it is on its way already. Where it
        stands at the customer by now is kept; its path is free for others, of which the next upload
        makes sure at the server.
        """
        before = {"path": "$remote_path", "at": "$delivered_at"}
        return self._back_on_route(
            {"_id": recording_id, "status": Status.DELIVERED.value, **_done(times)},
            {
                "last_error": None,
                "delivered_at": None,
                "redelivered": {"times": times + 1, "asked_at": "$$NOW", "before": before},
                "events": story.redelivered(times + 1),
            },
            ("remote_path", "wanted", "copy"),
        )


def times_redelivered(row: Document) -> int:
    """How often a person has had it delivered once more."""
    times: int = row.get("redelivered", {}).get("times", 0)
    return times


def _done(times: int) -> Document:
    return {"redelivered.times": times or {"$exists": False}}
