"""The indexes that MongoDB is building for the program just now."""

from dataclasses import dataclass

from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from consumers.ledger.records import Document


@dataclass(frozen=True)
class IndexBuild:
    """One command that builds indexes, as MongoDB tells of it."""

    collection: str
    names: tuple[str, ...]
    seconds: int
    """How long it has run."""


def index_builds(database: Database[Document]) -> list[IndexBuild]:
    """Those of this database, the longest first; each once, however many workers wait for it.

    They are of our own user, which takes no right. Raises pymongo's errors.
    """
    ours = {"command.$db": database.name, "command.createIndexes": {"$exists": True}}
    asked: list[Document] = [{"$currentOp": {"allUsers": False}}, {"$match": ours}]
    longest: dict[tuple[str, tuple[str, ...]], int] = {}
    admin = database.client.get_database("admin", read_concern=ReadConcern("local"))  # it must be
    for each in admin.aggregate(asked):
        command = each["command"]
        names = tuple(str(index["name"]) for index in command["indexes"])
        key = (str(command["createIndexes"]), names)
        longest[key] = max(longest.get(key, 0), int(each.get("secs_running") or 0))
    builds = [IndexBuild(*key, seconds) for key, seconds in longest.items()]
    return sorted(builds, key=lambda build: -build.seconds)
