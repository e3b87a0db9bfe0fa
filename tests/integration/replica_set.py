"""A replica set of three members of its own, started and initiated."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local import mongodb as servers
from deploy.local.mongodb import MongoDB
from tests.integration.platform import until


@contextmanager
def three_members(folder: Path, *, electable: bool = False) -> Iterator[list[MongoDB]]:
    """The first is the primary, and where the others are not `electable`, for ever."""
    mongod = servers.installed()
    assert mongod is not None, "a mongod on this machine: run `make setup-tests`"
    with ExitStack() as stack:
        members = [
            stack.enter_context(servers.private_member(folder / str(number), mongod))
            for number in range(3)
        ]
        _initiate([host_of(member) for member in members], electable=electable)
        yield members


def host_of(member: MongoDB) -> str:
    assert member.member is not None
    return member.member


def directly(host: str) -> MongoClient[dict[str, Any]]:
    """A client of this member, whatever it is at the moment."""
    return MongoClient(f"mongodb://{host}", directConnection=True, serverSelectionTimeoutMS=1000)


def primary_of(members: Sequence[MongoDB]) -> MongoDB | None:
    """The member that takes writes; None while there is none."""
    found = [each for each in members if tells(host_of(each), "isWritablePrimary")]
    return found[0] if found else None


def tells(host: str, name: str) -> bool:
    """What a member says of itself; False where it does not answer yet."""
    with directly(host) as client:
        try:
            return bool(client.admin.command("hello").get(name))
        except PyMongoError:
            return False


def _initiate(hosts: Sequence[str], *, electable: bool) -> None:
    config = {
        "_id": "courier",
        "members": [
            {"_id": number, "host": host, "priority": 10 if number == 0 else int(electable)}
            for number, host in enumerate(hosts)
        ],
        # A member that follows another one stands still with it: nothing would reach a majority.
        "settings": {"electionTimeoutMillis": 2000, "chainingAllowed": False},
    }
    for host in hosts:
        until(partial(tells, host, "ok"), f"{host} to answer")
    with directly(hosts[0]) as client:
        client.admin.command("replSetInitiate", config)
    until(partial(tells, hosts[0], "isWritablePrimary"), "a primary")
    for host in hosts[1:]:
        until(partial(tells, host, "secondary"), f"{host} to follow")
