"""What the audit keeps."""

from typing import Any

from config.accounts import FtpSettings, LogonType, Protocol
from config.audit import CHANGED, Action
from config.passwords import generate_password
from tests.integration.people.desk import Desk


def settings(**changes: Any) -> FtpSettings:
    least = {"protocol": "sftp", "host": "sftp.customer.example", "username": "acme"}
    return FtpSettings.model_validate({**least, **changes})


def test_a_change_is_noted_with_what_differs_and_nothing_else(console: Desk) -> None:
    before, after = settings(), settings(logon_type=LogonType.INTERACTIVE, port=2222)
    console.audit.record(
        "anna", Action.SETTINGS_SAVED, "acme", before.model_dump(), after.model_dump()
    )
    [entry] = console.audit.list()
    assert (entry.actor, entry.action, entry.account_id) == ("anna", "settings.saved", "acme")
    assert entry.before == {"logon_type": "normal", "port": 22}
    assert entry.after == {"logon_type": "interactive", "port": 2222}
    assert entry.at.tzinfo is not None


def test_of_a_secret_only_its_change_is_noted(console: Desk) -> None:
    passwords = [generate_password() for _ in range(5)]
    words = [password.get_secret_value() for password in passwords]
    console.audit.record(
        "anna",
        Action.SETTINGS_SAVED,
        "acme",
        {"password": words[0], "unlikely": passwords[1], "same": passwords[4], "host": "a"},
        {
            "password": words[1],
            "unlikely": passwords[2],
            "same": passwords[4],
            "host": "b",
            "nested": {"api_token": words[3], "list": [passwords[3], "plain"]},
            "password_hash": words[4],
        },
    )
    [entry] = console.audit.list()
    assert entry.before == {"host": "a"}
    assert entry.after == {
        "password": CHANGED,
        "unlikely": CHANGED,
        "host": "b",
        "nested": {"api_token": CHANGED, "list": [CHANGED, "plain"]},
        "password_hash": CHANGED,
    }
    stored = repr([*console.database["audit"].find()])
    assert not [word for word in words if word in stored]


def test_values_that_mongodb_could_not_keep_or_would_evaluate_are_texts(console: Desk) -> None:
    after = {
        "protocol": Protocol.SFTP,
        "name": "$$NOW",
        "$set": {"$x.y": "$_id"},
        "long": "x" * 5000,
        "bytes": b"x",
        "surrogate": "a\ud800",
        "set": {"one"},
        "big": 2**70,
        "settings": settings(),
        "removed": None,
    }
    console.audit.record("anna", Action.ACCOUNT_CREATED, "acme", None, after, target="$actor")
    [entry] = console.audit.list()
    assert entry.target == "$actor"
    assert entry.after["protocol"] == "sftp"
    assert entry.after["name"] == "$$NOW"
    assert entry.after["$set"] == {"$x.y": "$_id"}
    assert entry.after["long"] == "x" * 1000
    assert (entry.after["bytes"], entry.after["set"]) == ("b'x'", ["one"])
    assert entry.after["surrogate"] == "a?"
    assert entry.after["big"] == str(2**70)
    assert entry.after["settings"]["host"] == "sftp.customer.example"


def test_entries_come_newest_first_page_by_page_and_by_account(console: Desk) -> None:
    for number in range(7):
        account = ("acme", "other", None)[number % 3]
        console.audit.record("anna", Action.NUMBER_SET, account, target=str(number))
    everything = [*console.audit.list()]
    assert [entry.target for entry in everything] == list("6543210")
    pages, last = [], None
    while page := [*console.audit.list(limit=3, before=last)]:
        pages.append([entry.target for entry in page])
        last = page[-1].entry_id
    assert pages == [list("654"), list("321"), ["0"]]
    assert [entry.target for entry in console.audit.list(["acme"])] == list("630")
    beyond = console.audit.list(["acme"], before=everything[1].entry_id)
    assert [entry.target for entry in beyond] == list("30")
    for unknown in ("", "x", "0" * 24):
        assert [*console.audit.list(before=unknown)] == []


def test_entries_of_the_same_moment_are_all_listed_once(console: Desk) -> None:
    for number in range(6):
        console.audit.record("anna", Action.NUMBER_SET, "acme", target=str(number))
    moment = next(console.audit.list()).at
    console.database["audit"].update_many({}, {"$set": {"at": moment}})
    found, last = [], None
    while page := [*console.audit.list(limit=2, before=last)]:
        found += [entry.target for entry in page]
        last = page[-1].entry_id
    assert len(found) == 6
    assert set(found) == set("012345")
