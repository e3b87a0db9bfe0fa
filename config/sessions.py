"""The console's open sessions in MongoDB (`sessions`): a copied cookie dies with the sign-out."""

import secrets
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from pymongo.database import Database

from config.documents import Document

SESSION_SECONDS = 12 * 3600
"""Longest session: a long working day."""
IDLE_SECONDS = 3600
"""A session without use ends after this time (OWASP Session Management Cheat Sheet)."""
PROOF_SECONDS = 300
"""For so long a session is trusted with sensitive acts once its user has given the password."""
NOTED_EVERY_MS = 60_000
"""The last use is written at most this often: reading must not mean writing."""
MAX_LISTED = 200
"""Most sessions of a user that are listed, the last used first."""


@dataclass(frozen=True)
class OpenSession:
    """An open session, as its user sees it; its id stays in the cookie."""

    handle: str
    """What names the session on a page: a hash of its id."""
    began: datetime
    used: datetime
    address: str
    """Where it was begun from; empty where an earlier version began it."""
    browser: str


class OpenSessions:
    """The sessions that are open. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._sessions = database["sessions"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._sessions.create_index("began", expireAfterSeconds=SESSION_SECONDS)
        self._sessions.create_index("login")

    def begin(self, login: str, address: str = "", browser: str = "") -> str:
        """Open a session of the user; its id. `address` and `browser` are shown to the user."""
        session_id = secrets.token_urlsafe(24)
        told = {"login": login, "address": address, "browser": browser}
        literal = {name: {"$literal": text} for name, text in told.items()}
        began = {**literal, "began": "$$NOW", "used": "$$NOW"}
        self._sessions.update_one({"_id": session_id}, [{"$set": began}], upsert=True)
        return session_id

    def of(self, login: str) -> list[OpenSession]:
        """The user's open sessions, the last used first."""
        found = self._sessions.find({"login": login, "$expr": _IN_TIME})
        return [_session(each) for each in found.sort("used", -1).limit(MAX_LISTED)]

    def end_one(self, login: str, handle: str) -> bool:
        """End the user's session that is listed by this handle. False where there is none."""
        for document in self._sessions.find({"login": login}, {"_id": 1}):
            if handle_of(document["_id"]) == handle:
                return self._sessions.delete_one({"_id": document["_id"]}).deleted_count > 0
        return False

    def is_open(self, session_id: str) -> bool:
        """Whether the session has not ended, expired, or been unused for too long."""
        return self._sessions.find_one(_open(session_id), {"_id": 1}) is not None

    def use(self, session_id: str) -> bool:
        """The same, and note the use, which keeps the session open."""
        is_stale = {"$lte": ["$used", _ago(NOTED_EVERY_MS)]}
        found = self._sessions.find_one(_open(session_id), {"is_stale": is_stale})
        if found is not None and found["is_stale"]:
            self._sessions.update_one(_open(session_id), [{"$set": {"used": "$$NOW"}}])
        return found is not None

    def prove(self, session_id: str) -> None:
        """Note that the session's user has just given the password in it."""
        self._sessions.update_one(_open(session_id), [{"$set": {"proved": "$$NOW"}}])

    def is_proved(self, session_id: str) -> bool:
        """Whether that was in the last `PROOF_SECONDS`."""
        is_recent = {"$gt": ["$proved", _ago(PROOF_SECONDS * 1000)]}
        query = {**_open(session_id), "proved": {"$type": "date"}}
        return (
            self._sessions.find_one({"$and": [query, {"$expr": is_recent}]}, {"_id": 1}) is not None
        )

    def end(self, session_id: str) -> None:
        """End the session. Harmless where it is over."""
        self._sessions.delete_one({"_id": session_id})

    def end_all(self, login: str) -> None:
        """End all sessions of the user."""
        self._sessions.delete_many({"login": login})


def handle_of(session_id: str) -> str:
    """The handle of a session, which opens nothing."""
    return sha256(session_id.encode()).hexdigest()[:32]


def _ago(milliseconds: int) -> Document:
    return {"$subtract": ["$$NOW", milliseconds]}


_IN_TIME: Document = {
    "$and": [
        {"$gt": ["$began", _ago(SESSION_SECONDS * 1000)]},
        {"$gt": ["$used", _ago(IDLE_SECONDS * 1000)]},
    ]
}


def _open(session_id: str) -> Document:
    return {"_id": session_id, "$expr": _IN_TIME}


def _session(document: Document) -> OpenSession:
    return OpenSession(
        handle_of(document["_id"]),
        document["began"],
        document["used"],
        document.get("address", ""),
        document.get("browser", ""),
    )
