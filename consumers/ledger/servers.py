"""What all workers know together of customers' servers (`servers`): whose logins went well there of
late, whose were refused or not answered, and whether the server lets us in at all.

A server is its addresses and port (`transports.backends.server_id`). A document is written where
something changes, hardly ever where all is well.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pymongo import ReturnDocument, UpdateOne
from pymongo.database import Database

from config.moments import later
from consumers.ledger.records import Document, LastError

FORGOTTEN_DAYS = 7
"""A server of which nobody has told for so long is forgotten."""
_SIGNS = 2
"""Accounts that are remembered of each: one of them is another one than whoever asks."""
_SILENT_SIGNS = 12
"""The same of logins that were not answered: as many as may be under way together, and more."""
SHARED_SILENCES = 3
"""As many findings of silence are remembered that others shared: well below the ten failures that
suspend an account."""
_NOW = {"now": "$$NOW"}
_LET_IN: Document = {"away": "$$REMOVE", "trial": "$$REMOVE"}
_ONE_MORE_SILENCE: Document = {
    "$slice": [{"$concatArrays": [["$$NOW"], {"$ifNull": ["$silences", []]}]}, SHARED_SILENCES]
}


@dataclass(frozen=True)
class Sign:
    """An account that logged in, was refused or not answered, and when."""

    account_id: str
    at: datetime


@dataclass(frozen=True)
class Finding:
    """What one account has met: as `Away`, which it becomes."""

    is_block: bool
    found_by: str
    times: int
    error: LastError
    met: str
    repeats: bool = False
    """Others share it no more, since they have shared as much of late."""


@dataclass(frozen=True)
class Away:
    """The server did not let us in, as one account has found."""

    is_block: bool
    """It shuts us out, not the account: as far as is known the server is well."""
    found_by: str
    at: datetime
    until: datetime
    """Nobody else tries before."""
    times: int
    """How often in a row this was found."""
    error: LastError
    met: str = ""
    """How (`delivery.server_policy.Met`); empty where an earlier version has found it."""
    asked_at: datetime | None = None
    """When the login began that found it; None where an earlier version has."""
    repeats: bool = False
    """As of `Finding`."""

    @classmethod
    def stored(cls, document: Document) -> "Away":
        """As MongoDB has it, be it by another version."""
        return cls(
            document["is_block"],
            document["found_by"],
            document["at"],
            document["until"],
            document["times"],
            LastError.stored(document["error"]),
            document.get("met", ""),
            document.get("asked_at"),
            document.get("repeats", False),
        )


@dataclass(frozen=True)
class Trial:
    """The one login that is under way at a server that did not let us in."""

    token: str
    until: datetime
    """After this it is over, whatever became of its worker."""


@dataclass(frozen=True)
class ServerState:
    """One server, as of `now` by the database's clock."""

    now: datetime
    well: Sequence[Sign] = ()
    """The latest logins of two accounts that went well, the last one first."""
    refused: Sequence[Sign] = ()
    """The same of credentials that were refused."""
    silent: Sequence[Sign] = ()
    """The latest logins of some accounts at which the server fell silent, the last one first."""
    silences: Sequence[datetime] = ()
    """When silence was found of late that others share, the last one first."""
    away: Away | None = None
    trial: Trial | None = None

    @classmethod
    def of(cls, document: Document) -> "ServerState":
        away, trial = document.get("away"), document.get("trial")
        return cls(
            document["now"],
            _signs(document.get("well", ())),
            _signs(document.get("refused", ())),
            _signs(document.get("silent", ())),
            tuple(document.get("silences", ())),
            away and Away.stored(away),
            trial and Trial(trial["token"], trial["until"]),
        )


UNKNOWN = ServerState(datetime.fromtimestamp(0, UTC))


class Servers:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._servers = database["servers"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._servers.create_index("away.at", sparse=True)
        seconds = int(timedelta(days=FORGOTTEN_DAYS).total_seconds())
        self._servers.create_index("told_at", expireAfterSeconds=seconds)

    def read(self, server: str) -> ServerState:
        """What is known of the server."""
        found = self._servers.find_one({"_id": server}, _projection())
        return UNKNOWN if found is None else ServerState.of(found)

    def away(self) -> dict[str, ServerState]:
        """All that do not let us in, by id."""
        found = self._servers.find({"away.at": {"$exists": True}}, _projection())
        return {each["_id"]: ServerState.of(each) for each in found}

    def were_well(self, seen: Sequence[tuple[str, str]]) -> None:
        """These servers let these accounts in."""
        changes = [
            UpdateOne({"_id": server}, _told({"well": _signed("well", account_id)}), upsert=True)
            for server, account_id in seen
        ]
        if changes:
            self._servers.bulk_write(changes)

    def answered(self, server: str) -> None:
        """The server that did not let us in does so again."""
        self._update(server, _LET_IN)

    def not_tried(self, server: str) -> None:
        """The trial that was begun has not come as far as the server."""
        self._update(server, {"trial": "$$REMOVE"})

    def refused(self, server: str, account_id: str) -> None:
        """It has refused the account's credentials: so it lets us in."""
        self._update(server, {**_LET_IN, "refused": _signed("refused", account_id)})

    def fell_silent(self, server: str, account_id: str) -> ServerState:
        """It has not answered the account's login."""
        signed = _signed("silent", account_id, _SILENT_SIGNS)
        return self._update(server, {"silent": signed})

    def begin_trial(self, server: str, seen: ServerState, token: str, seconds: float) -> bool:
        """Be the one that tries it, for so many seconds. False where the server is not any more as
        it was seen."""
        query: Document = {
            "_id": server,
            "away.at": seen.away.at if seen.away else None,
            "trial.token": seen.trial.token if seen.trial else None,
        }
        trial = {"token": token, "until": later(seconds)}
        return self._servers.update_one(query, _told({"trial": trial})).modified_count == 1

    def shut_out(
        self,
        server: str,
        found: Finding,
        seconds: float,
        took: float = 0.0,
        *,
        tells_silence: bool = False,
    ) -> ServerState:
        """It did not let the account in: nobody else tries for so many seconds. `took`: seconds
        since the login began that found it. `tells_silence`: it is silence that others share."""
        told = {name: {"$literal": value} for name, value in asdict(found).items()}
        moments = {"at": "$$NOW", "asked_at": later(-took), "until": later(seconds)}
        away = {**told, **moments}
        silences: Document = {"silences": _ONE_MORE_SILENCE} if tells_silence else {}
        return self._update(server, {"away": away, "trial": "$$REMOVE", **silences})

    def _update(self, server: str, values: Document) -> ServerState:
        found = self._servers.find_one_and_update(
            {"_id": server},
            _told(values),
            projection=_projection(),
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return UNKNOWN if found is None else ServerState.of(found)


def _told(values: Document) -> list[Document]:
    # A `$set` would merge what is told anew into what was told before.
    gone = [name for name in ("away", "trial") if name in values]
    unset: list[Document] = [{"$unset": gone}] if gone else []
    return [*unset, {"$set": {**values, "told_at": "$$NOW"}}]


def _signed(field: str, account_id: str, most: int = _SIGNS) -> Document:
    """The account first, then the others that stand there."""
    mine: Any = {"account_id": {"$literal": account_id}, "at": "$$NOW"}
    others = {
        "$filter": {
            "input": {"$ifNull": [f"${field}", []]},
            "cond": {"$ne": ["$$this.account_id", {"$literal": account_id}]},
        }
    }
    return {"$slice": [{"$concatArrays": [[mine], others]}, most]}


def _signs(stored: Sequence[Document]) -> tuple[Sign, ...]:
    return tuple(Sign(each["account_id"], each["at"]) for each in stored)


def _projection() -> Document:
    fields = ("well", "refused", "silent", "silences", "away", "trial")
    return {**dict.fromkeys(fields, 1), **_NOW}
