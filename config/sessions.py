"""The console's open sessions in MongoDB (`sessions`): a copied cookie dies with the sign-out."""

import secrets

from pymongo.database import Database

from config.documents import Document

SESSION_SECONDS = 12 * 3600
"""Longest session: a long working day."""
IDLE_SECONDS = 3600
"""A session without use ends after this time (OWASP Session Management Cheat Sheet)."""
NOTED_EVERY_MS = 60_000
"""The last use is written at most this often: reading must not mean writing."""


class OpenSessions:
    """The sessions that are open. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._sessions = database["sessions"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._sessions.create_index("began", expireAfterSeconds=SESSION_SECONDS)
        self._sessions.create_index("login")

    def begin(self, login: str) -> str:
        """Open a session of the user; its id."""
        session_id = secrets.token_urlsafe(24)
        began = {"login": {"$literal": login}, "began": "$$NOW", "used": "$$NOW"}
        self._sessions.update_one({"_id": session_id}, [{"$set": began}], upsert=True)
        return session_id

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

    def end(self, session_id: str) -> None:
        """End the session. Harmless where it is over."""
        self._sessions.delete_one({"_id": session_id})

    def end_all(self, login: str) -> None:
        """End all sessions of the user."""
        self._sessions.delete_many({"login": login})


def _open(session_id: str) -> Document:
    in_time = {"$gt": ["$began", _ago(SESSION_SECONDS * 1000)]}
    in_use = {"$gt": ["$used", _ago(IDLE_SECONDS * 1000)]}
    return {"_id": session_id, "$expr": {"$and": [in_time, in_use]}}


def _ago(milliseconds: int) -> Document:
    return {"$subtract": ["$$NOW", milliseconds]}
