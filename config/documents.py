"""What all modules that store MongoDB documents share."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pymongo
from pymongo.database import Database
from pymongo.errors import PyMongoError, ServerSelectionTimeoutError

from config.errors import SearchUnavailable

Document = dict[str, Any]


def of_accounts(account_ids: Collection[str | None] | None) -> Document:
    """The query for what belongs to these accounts, where None is the service provider. None in
    the place of all is everything.
    """
    return {} if account_ids is None else {"account_id": {"$in": list(account_ids)}}


def clock(database: Database[Document]) -> datetime:
    """The database's time, to be compared with what it has dated: this machine's may be wrong."""
    now: datetime = database.command("hello")["localTime"]
    return now.replace(tzinfo=UTC)


@contextmanager
def in_time(seconds: float, too_long: str) -> Iterator[None]:
    """Ends what is asked of MongoDB after so many seconds. Raises SearchUnavailable with the
    sentence then, and pymongo's errors where MongoDB is away.
    """
    try:
        with pymongo.timeout(seconds):
            yield
    except ServerSelectionTimeoutError:
        raise
    except PyMongoError as error:
        if error.timeout:
            raise SearchUnavailable(too_long) from None
        raise
