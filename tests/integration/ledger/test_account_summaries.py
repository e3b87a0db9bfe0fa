"""All accounts at a glance: their states, their reasons, their files."""

from pymongo.database import Database

from config.directory import Directory
from consumers.ledger import Disabled, Document, Ledger
from consumers.ledger.accounts import AccountStates
from tests.integration.ledger.rows import claimed, dies, opened
from tests.integration.ledger.runs import ACME
from tests.integration.many_accounts import REFUSED


def test_each_account_has_the_state_and_the_reasons_that_its_page_has(
    ledger: Ledger, directory: Directory, states: AccountStates, database: Database[Document]
) -> None:
    directory.create("none", ftp_access=True)
    directory.create("revoked")
    directory.create("revoked.sub", parent="none", ftp_access=True)
    directory.move("revoked.sub", "revoked")
    directory.create("zz", parent=ACME)
    for name in ("one", "two"):
        opened(ledger, name, account_id=ACME)
    dies(ledger, claimed(ledger, "dead", account_id=ACME))

    found = {each.account_id: each for each in ledger.summaries.read()}
    assert list(found) == sorted([ACME, "none", "revoked", "revoked.sub", "zz"])
    acme = found[ACME]
    assert (acme.state, acme.disabled, acme.queued, acme.dead_letters) == ("active", (), 2, 1)
    assert acme.counts.oldest is not None
    assert found["none"].disabled == (Disabled.NO_SETTINGS,)
    assert found["revoked"].disabled[0] == Disabled.NOT_GRANTED
    assert found["revoked.sub"].disabled[0] == Disabled.NOT_GRANTED_ABOVE
    assert not found["revoked.sub"].permitted

    directory.set_enabled(ACME, enabled=False)
    assert states.pause(ACME)
    database["accounts"].update_one({"_id": ACME}, {"$set": {"run.last_error": REFUSED}})
    [acme, _] = ledger.summaries.read(beneath=ACME)
    assert (acme.state, acme.disabled, acme.paused) == (
        "disabled",
        (Disabled.SWITCHED_OFF,),
        True,
    )
    assert (acme.kind, acme.cause) == ("account", "connection-refused")
    directory.set_enabled(ACME, enabled=True)
    assert ledger.summaries.read(ACME)[0].state == "paused"
    assert ledger.summaries.ids(ACME) == [ACME, "zz"]
    assert ledger.summaries.read("nobody") == []


def test_the_first_ones_alone_have_the_permission_of_all_above_them(
    ledger: Ledger, directory: Directory
) -> None:
    directory.create("top", ftp_access=True)
    directory.create("middle", parent="top", ftp_access=True)
    directory.create("a1", parent="middle", ftp_access=True)
    directory.create("a2", parent="middle")
    directory.create("a3", ftp_access=True)
    [a1, a2] = ledger.summaries.read(limit=2)
    assert (a1.account_id, a1.permitted) == ("a1", True)
    assert (a2.account_id, a2.permitted) == ("a2", False)
    directory.set_ftp_access("top", granted=False)
    [a1] = ledger.summaries.read(limit=1)
    assert a1.disabled[0] == Disabled.NOT_GRANTED_ABOVE
    found = ledger.summaries.read(takes=lambda each: each.permitted, limit=1)
    assert [each.account_id for each in found] == ["a3"]


def test_settings_that_cannot_be_used_spoil_no_list(
    ledger: Ledger, directory: Directory, database: Database[Document]
) -> None:
    assert directory.find(ACME) is not None
    broken = {"$set": {"settings.port": "none", "run": {"state": "active"}}}
    database["accounts"].update_one({"_id": ACME}, broken)
    database["accounts"].insert_one({"_id": "bare"})
    assert [each.account_id for each in ledger.summaries.read()] == [ACME, "bare"]


def test_a_list_of_states_has_those_that_are_shown_in_them(
    ledger: Ledger, directory: Directory, states: AccountStates, database: Database[Document]
) -> None:
    for name in ("off", "revoked", "paused", "waits"):
        directory.create(name, parent=ACME, ftp_access=name != "revoked")
        stored = database["accounts"].find_one({"_id": ACME}, {"_id": 0, "settings": 1})
        database["accounts"].update_one(
            {"_id": name},
            {"$set": {**(stored or {}), "enabled": name != "off", "run": {"state": "suspended"}}},
        )
    assert states.pause("paused")
    opened(ledger, "one", account_id="waits")

    def listed(*shown: str, beneath: str | None = None) -> list[str]:
        return [each.account_id for each in ledger.summaries.read(beneath, shown)]

    assert listed("suspended") == listed("suspended", beneath=ACME) == ["waits"]
    assert listed("suspended", "probing") == ["waits"]
    assert listed("active") == [ACME]
    assert listed("dormant") == []
    database["accounts"].update_one({"_id": "waits"}, {"$currentDate": {"run.dormant_since": True}})
    assert listed("dormant") == listed("dormant", "probing") == ["waits"]
    assert listed("disabled", "paused") == ["off", "paused", "revoked"]
    [waits] = ledger.summaries.read(states=["suspended"], takes=lambda each: each.queued == 0)
    assert waits.queued == 1, "files are counted of those that are taken"
    assert ledger.summaries.read(states=["suspended"], takes=lambda each: each.paused) == []
    directory.set_ftp_access(ACME, granted=False)
    assert listed("suspended") == []


def test_the_servers_of_accounts_are_told_as_they_are_stored(
    ledger: Ledger, directory: Directory, database: Database[Document]
) -> None:
    account = directory.get(ACME)
    assert account.settings is not None
    directory.create("none")
    server = f"{account.settings.host}:{account.settings.port}"
    assert ledger.summaries.hosts([ACME, "none", "nobody"]) == {ACME: server}
    database["accounts"].update_one({"_id": ACME}, {"$set": {"settings.host": "FTP.Example"}})
    assert ledger.summaries.hosts([ACME])[ACME].startswith("ftp.example:")
