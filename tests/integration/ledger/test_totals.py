"""The numbers behind the gauges."""

from pydantic import SecretStr
from pymongo.database import Database

from config.directory import Directory
from consumers.ledger import Document, Ledger
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.runs import BLAME, EPOCH, SETTINGS, TINY


def test_totals_count_the_accounts_by_the_state_people_see(
    states: AccountStates, directory: Directory, database: Database[Document]
) -> None:
    def create(account_id: str) -> None:
        directory.create(account_id, ftp_access=True)
        directory.save_settings(account_id, SETTINGS, SecretStr("secret"))
        assert states.fence(account_id, EPOCH)

    for name in ("suspended", "probing", "paused", "off"):
        create(name)
    directory.create("without-settings", ftp_access=True)
    directory.create("child", parent="without-settings", ftp_access=True)
    directory.save_settings("child", SETTINGS, SecretStr("secret"))
    database["accounts"].update_one({"_id": "without-settings"}, {"$set": {"ftp_access": False}})
    directory.set_enabled("off", enabled=False)
    states.pause("paused")
    for name in ("suspended", "probing"):
        seen = states.read(name)
        assert states.suspend(name, EPOCH, seen, failures=10, seconds=TINY, alert=BLAME)
    run = states.read("probing")
    while run.seconds_until(run.suspended_until) > 0:
        run = states.read("probing")
    assert states.begin_probe("probing", EPOCH, run)

    totals = Ledger(database).totals()
    assert totals.accounts == {
        "active": 1,
        "suspended": 1,
        "probing": 1,
        "paused": 1,
        "disabled": 3,
    }
    assert (totals.queued, totals.dead_letters, totals.oldest_queued_seconds) == (0, 0, 0)
