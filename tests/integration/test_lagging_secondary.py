"""A replica set of three, of which one secondary has fallen behind: what was written is read."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.tls import Endpoint
from tests.integration.platform import until
from tests.integration.replica_set import directly, host_of, three_members
from worker import mongodb

ROUNDS = 20


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[str]]:
    """Three members of one set, the first of which is its primary."""
    with three_members(tmp_path) as members:
        yield [host_of(member) for member in members]


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
