"""Makes MongoDB's only member a replica set, once, and waits until it takes writes."""

import sys
import time

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

MEMBER = "mongodb:27017"
LIMIT = 120.0
NOT_YET_INITIALIZED = 94


def main() -> int:
    """0 once it takes writes, 1 where it does not within two minutes."""
    deadline = time.monotonic() + LIMIT
    url = f"mongodb://{MEMBER}/?directConnection=true&serverSelectionTimeoutMS=2000"
    with MongoClient[dict[str, object]](url) as client:
        while time.monotonic() < deadline:
            try:
                if client.admin.command("hello").get("isWritablePrimary"):
                    return 0
                _initiate(client)
            except PyMongoError as error:
                print(f"MongoDB is not ready yet: {str(error)[:200]}", flush=True)
            time.sleep(1)
    print(f"MongoDB had no primary within {LIMIT:.0f} s: see its log.", file=sys.stderr)
    return 1


def _initiate(client: MongoClient[dict[str, object]]) -> None:
    try:
        client.admin.command("replSetGetStatus")
    except OperationFailure as error:
        if error.code != NOT_YET_INITIALIZED:
            raise
        members = [{"_id": 0, "host": MEMBER}]
        client.admin.command("replSetInitiate", {"_id": "courier", "members": members})


if __name__ == "__main__":
    sys.exit(main())
