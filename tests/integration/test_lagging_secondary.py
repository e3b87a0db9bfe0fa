"""A replica set of three, of which one secondary has fallen behind: what was written is read."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from config.tls import Endpoint
from deploy.local import mongodb as servers
from tests.integration.platform import until
from worker import mongodb

ROUNDS = 20


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[str]]:
    """Three members of one set, the first of which is its primary."""
    mongod = servers.installed()
    assert mongod is not None, "a mongod on this machine: run `make setup-tests`"
    with ExitStack() as stack:
        hosts = []
        for number in range(3):
            member = stack.enter_context(servers.private_member(tmp_path / str(number), mongod))
            assert member.member is not None
            hosts.append(member.member)
        initiate(hosts)
        yield hosts


def directly(host: str) -> MongoClient[dict[str, Any]]:
    return MongoClient(f"mongodb://{host}", directConnection=True, serverSelectionTimeoutMS=1000)


def initiate(hosts: list[str]) -> None:
    config = {
        "_id": "courier",
        "members": [
            {"_id": number, "host": host, "priority": int(number == 0)}
            for number, host in enumerate(hosts)
        ],
    }

    for host in hosts:
        until(partial(tells, host, "ok"), f"{host} to answer")
    with directly(hosts[0]) as client:
        client.admin.command("replSetInitiate", config)
    until(partial(tells, hosts[0], "isWritablePrimary"), "a primary")
    for host in hosts[1:]:
        until(partial(tells, host, "secondary"), f"{host} to follow")


def tells(host: str, name: str) -> bool:
    """What a member says of itself; False where it does not answer yet."""
    with directly(host) as client:
        try:
            return bool(client.admin.command("hello").get(name))
        except PyMongoError:
            return False


def test_what_was_written_is_read_though_a_secondary_has_fallen_behind(
    members: list[str],
) -> None:
    url = SecretStr(
        f"mongodb://{','.join(members)}/courier?replicaSet=courier&readPreference=secondary"
    )
    with mongodb.connected(Endpoint(url)) as client, directly(members[2]) as behind:
        accounts = client.get_default_database()["accounts"]
        accounts.insert_one({"_id": "before"})
        seen = behind["courier"]["accounts"]
        until(lambda: seen.find_one({"_id": "before"}), "it to follow")
        behind.admin.command("configureFailPoint", "rsSyncApplyStop", mode="alwaysOn")
        for number in range(ROUNDS):
            accounts.insert_one({"_id": f"acme-{number}"})
            assert accounts.find_one({"_id": f"acme-{number}"}) is not None
            assert accounts.count_documents({}) == number + 2
        assert seen.find_one({"_id": f"acme-{ROUNDS - 1}"}) is None
        behind.admin.command("configureFailPoint", "rsSyncApplyStop", mode="off")
