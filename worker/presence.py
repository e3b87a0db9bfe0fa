"""Which worker processes there are: each says so in `workers` every few seconds."""

from datetime import timedelta

from pymongo.database import Database

from consumers.ledger import Document

SEEN_WITHIN = timedelta(minutes=1)
"""A worker that has not been heard of for so long is not counted."""


def count_workers(database: Database[Document]) -> int:
    """How many workers were heard of lately, by the database's clock."""
    since = {"$subtract": ["$$NOW", round(SEEN_WITHIN.total_seconds() * 1000)]}
    return database["workers"].count_documents({"$expr": {"$gte": ["$seen_at", since]}})
