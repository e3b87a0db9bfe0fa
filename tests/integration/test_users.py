"""Users, tokens, the audit and the sign-in limit on a real MongoDB."""

import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr
from pymongo import MongoClient
from pymongo.database import Database

from config.accounts import FtpSettings, LogonType, Protocol
from config.audit import CHANGED, Action, Audit
from config.directory import Directory
from config.errors import TokenError, UnknownAccount, UserError
from config.passwords import generate_password
from config.permissions import Principal
from config.secrets import Vault
from config.signins import BY_ADDRESS, BY_LOGIN, CLEAN_SECONDS, FORGET_SECONDS, SignIns
from config.tokens import Tokens
from config.users import Users
from tests.integration.console import lengthen_waits

ADDRESS = "192.0.2.1"


@dataclass
class Console:
    """What a console keeps of the people who use it."""

    database: Database[dict[str, Any]]
    directory: Directory
    users: Users
    tokens: Tokens
    audit: Audit
    signins: SignIns


@pytest.fixture
def console(mongodb_url: str) -> Iterator[Console]:
    with MongoClient[dict[str, Any]](mongodb_url, tz_aware=True, w="majority") as client:
        database = client.get_default_database()
        directory = Directory(database, Vault([]))
        kept = Console(
            database,
            directory,
            Users(database, directory.find),
            Tokens(database, directory.find),
            Audit(database),
            SignIns(database),
        )
        for each in (kept.users, kept.tokens, kept.audit, kept.signins):
            each.ensure_indexes()
            each.ensure_indexes()
        directory.create("acme")
        yield kept


# --- users --------------------------------------------------------------------------------------


def test_a_user_signs_in_with_its_password_and_no_other(console: Console) -> None:
    password = generate_password()
    user = console.users.create("Anna@Customer.example", "acme", password)
    assert user.principal == Principal("anna@customer.example", "acme")
    assert console.users.verify("ANNA@customer.example", password) == console.users.get(user.login)
    assert console.users.verify("anna@customer.example", generate_password()) is None
    assert console.users.verify("nobody", password) is None


def test_the_password_is_stored_as_argon2id_only(console: Console) -> None:
    password = generate_password()
    console.users.create("anna", None, password)
    stored = console.database["users"].find_one({"_id": "anna"})
    assert stored is not None
    assert stored["hash"].startswith("$argon2id$")
    assert password.get_secret_value() not in repr(stored)
    assert "argon2" not in repr(console.users.get("anna"))


@pytest.mark.parametrize(
    "login",
    ["", " ", "a b", "anna\n", "a/b", "token:1", "änna", "\u212aarl", "a" * 65, "$ne", ".a", "a@"],
)
def test_what_is_no_login_is_refused(console: Console, login: str) -> None:
    with pytest.raises(UserError, match="A login is an e-mail address"):
        console.users.create(login, None, generate_password())
    assert console.users.verify(login, generate_password()) is None
    with pytest.raises(UserError, match="There is no user"):
        console.users.get(login)


def test_a_user_is_created_once_and_for_an_account_that_there_is(console: Console) -> None:
    console.users.create("anna", "acme", generate_password())
    with pytest.raises(UserError, match="'anna' is taken"):
        console.users.create("ANNA", None, generate_password())
    with pytest.raises(UnknownAccount):
        console.users.create("bert", "unknown", generate_password())
    with pytest.raises(UserError, match="12 to 1024"):
        console.users.create("bert", "acme", SecretStr(secrets.token_urlsafe(6)))
    assert [user.login for user in console.users.list()] == ["anna"]


def test_of_two_creations_at_the_same_moment_one_wins(console: Console) -> None:
    together = threading.Barrier(4)

    def create(password: SecretStr) -> SecretStr | None:
        together.wait()
        try:
            console.users.create("anna", None, password)
        except UserError:
            return None
        return password

    with ThreadPoolExecutor(4) as pool:
        done = [*pool.map(create, [generate_password() for _ in range(4)])]
    [won] = [password for password in done if password is not None]
    assert console.users.verify("anna", won) is not None


def test_users_are_listed_by_account(console: Console) -> None:
    console.directory.create("other")
    for login, account in (("c", "acme"), ("a", None), ("b", "other")):
        console.users.create(login, account, generate_password())
    assert [user.login for user in console.users.list()] == ["a", "b", "c"]
    assert [user.login for user in console.users.list(["acme", "other"])] == ["b", "c"]
    assert [*console.users.list([])] == []


def test_another_password_ends_the_sessions_from_before(console: Console) -> None:
    old, new = generate_password(), generate_password()
    user = console.users.create("anna", "acme", old)
    assert console.users.session("anna", user.session_epoch) == user.principal
    console.users.reset_password("Anna", new)
    assert console.users.session("anna", user.session_epoch) is None
    assert console.users.verify("anna", old) is None
    signed_in = console.users.verify("anna", new)
    assert signed_in is not None
    assert console.users.session("anna", signed_in.session_epoch) == user.principal
    with pytest.raises(UserError, match="12 to 1024"):
        console.users.reset_password("anna", SecretStr("x"))
    with pytest.raises(UserError, match="There is no user 'bert'"):
        console.users.reset_password("bert", new)


def test_a_disabled_user_is_out_at_once_and_its_old_sessions_stay_so(console: Console) -> None:
    password = generate_password()
    user = console.users.create("anna", "acme", password)
    console.users.set_disabled("anna", disabled=True)
    assert console.users.verify("anna", password) is None
    assert console.users.session("anna", user.session_epoch) is None
    assert console.users.session("anna", console.users.get("anna").session_epoch) is None
    console.users.set_disabled("anna", disabled=False)
    assert console.users.verify("anna", password) is not None
    assert console.users.session("anna", user.session_epoch) is None


def test_a_session_does_not_fit_the_next_user_of_the_same_name(console: Console) -> None:
    password = generate_password()
    user = console.users.create("anna", None, password)
    console.users.remove("anna")
    assert console.users.session("anna", user.session_epoch) is None
    console.users.create("anna", "acme", password)
    assert console.users.session("anna", user.session_epoch) is None
    with pytest.raises(UserError, match="There is no user 'bert'"):
        console.users.remove("bert")


def test_a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in(console: Console) -> None:
    password = generate_password()
    user = console.users.create("anna", None, password)
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
    console.database["users"].update_one(
        {"_id": "anna"}, {"$set": {"hash": weak.hash(password.get_secret_value())}}
    )
    assert console.users.verify("anna", generate_password()) is None
    assert console.users.verify("anna", password) is not None
    stored = console.database["users"].find_one({"_id": "anna"})
    assert stored is not None
    assert "m=19456,t=2,p=1" in stored["hash"]
    assert console.users.session("anna", user.session_epoch) is not None


def test_an_unknown_user_takes_as_long_as_a_wrong_password(console: Console) -> None:
    console.users.create("anna", None, generate_password())
    wrong = generate_password()

    def quickest(login: str) -> float:
        times = []
        for _ in range(7):
            start = time.thread_time()
            assert console.users.verify(login, wrong) is None
            times.append(time.thread_time() - start)
        return min(times)

    known, unknown = quickest("anna"), quickest("bert")
    assert 0.5 < unknown / known < 2


# --- tokens -------------------------------------------------------------------------------------


def test_a_token_opens_in_the_name_of_its_account(console: Console) -> None:
    token_id, secret = console.tokens.create("the wallboard", "acme")
    assert console.tokens.verify(secret) == Principal(f"token:{token_id}", "acme")
    _, providers = console.tokens.create("monitoring", None)
    principal = console.tokens.verify(providers)
    assert principal is not None
    assert principal.is_provider


def test_a_token_is_stored_as_its_sha256_only(console: Console) -> None:
    token_id, secret = console.tokens.create("x", None)
    stored = console.database["tokens"].find_one({"_id": token_id})
    random_part = secret.get_secret_value().rpartition("_")[2]
    assert random_part not in repr(stored)
    assert random_part not in repr(secret)
    assert stored is not None
    assert len(bytes.fromhex(stored["hash"])) == 32
    assert stored["hash"] not in repr(console.tokens.get(token_id))


def test_what_is_no_token_opens_nothing(console: Console) -> None:
    token_id, secret = console.tokens.create("x", None)
    text = secret.get_secret_value()
    swapped = text[:-1] + ("A" if text[-1] != "A" else "B")
    other = f"courier_{secrets.token_hex(8)}_{text.rpartition('_')[2]}"
    for wrong in ("", token_id, swapped, other, f"{text}\n", f" {text}", text.upper(), "ä" * 100):
        assert console.tokens.verify(SecretStr(wrong)) is None
    assert console.tokens.get(token_id).last_used_at is None


def test_a_revoked_token_opens_nothing(console: Console) -> None:
    token_id, secret = console.tokens.create("x", "acme")
    console.tokens.revoke(token_id)
    assert console.tokens.verify(secret) is None
    with pytest.raises(TokenError, match="There is no token"):
        console.tokens.revoke(token_id)
    with pytest.raises(TokenError, match="There is no token"):
        console.tokens.get(token_id)


def test_tokens_are_listed_by_account_oldest_first(console: Console) -> None:
    console.directory.create("other")
    for name, account in (("third", "acme"), ("first", None), ("second", "other")):
        console.tokens.create(name, account)
    assert [token.name for token in console.tokens.list()] == ["third", "first", "second"]
    assert [token.name for token in console.tokens.list(["acme", "other"])] == ["third", "second"]
    assert [*console.tokens.list([])] == []


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "\ud800"])
def test_a_token_needs_a_name_that_can_be_read(console: Console, name: str) -> None:
    with pytest.raises(TokenError, match=r"^The token's name [^\n]+\.$"):
        console.tokens.create(name, None)
    with pytest.raises(UnknownAccount):
        console.tokens.create("x", "unknown")


def test_the_last_use_is_noted_at_most_once_a_minute(console: Console) -> None:
    token_id, secret = console.tokens.create("x", None)
    console.tokens.verify(secret)
    first = console.tokens.get(token_id).last_used_at
    assert first is not None
    console.tokens.verify(secret)
    assert console.tokens.get(token_id).last_used_at == first
    earlier = first - timedelta(seconds=61)
    console.database["tokens"].update_one({}, {"$set": {"last_used_at": earlier}})
    console.tokens.verify(secret)
    later = console.tokens.get(token_id).last_used_at
    assert later is not None
    assert later >= first


# --- audit --------------------------------------------------------------------------------------


def settings(**changes: Any) -> FtpSettings:
    least = {"protocol": "sftp", "host": "sftp.customer.example", "username": "acme"}
    return FtpSettings.model_validate({**least, **changes})


def test_a_change_is_noted_with_what_differs_and_nothing_else(console: Console) -> None:
    before, after = settings(), settings(logon_type=LogonType.INTERACTIVE, port=2222)
    console.audit.record(
        "anna", Action.SETTINGS_SAVED, "acme", before.model_dump(), after.model_dump()
    )
    [entry] = console.audit.list()
    assert (entry.actor, entry.action, entry.account_id) == ("anna", "settings.saved", "acme")
    assert entry.before == {"logon_type": "normal", "port": 22}
    assert entry.after == {"logon_type": "interactive", "port": 2222}
    assert entry.at.tzinfo is not None


def test_of_a_secret_only_its_change_is_noted(console: Console) -> None:
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


def test_values_that_mongodb_could_not_keep_or_would_evaluate_are_texts(console: Console) -> None:
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


def test_entries_come_newest_first_page_by_page_and_by_account(console: Console) -> None:
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


def test_entries_of_the_same_moment_are_all_listed_once(console: Console) -> None:
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


# --- sign-in limit ------------------------------------------------------------------------------


def age(console: Console, seconds: float) -> None:
    """Let all that is stored of the tries be so much longer ago."""
    for document in console.database["signins"].find():
        moved = {name: document[name] - timedelta(seconds=seconds) for name in ("last", "open_at")}
        console.database["signins"].update_one({"_id": document["_id"]}, {"$set": moved})


def test_a_few_wrong_passwords_cost_nothing_and_then_the_wait_doubles(console: Console) -> None:
    waits = []
    for _ in range(BY_LOGIN.free):
        assert console.signins.attempt("anna", ADDRESS) == 0
    for _ in range(8):
        wait = console.signins.attempt("anna", ADDRESS)
        waits.append(wait)
        age(console, wait)
        assert console.signins.attempt("anna", ADDRESS) == 0
    expected = [1, 2, 4, 8, 16, 32, BY_LOGIN.longest, BY_LOGIN.longest]
    assert waits == pytest.approx(expected, abs=0.9)


def test_tries_during_a_wait_do_not_prolong_it(console: Console) -> None:
    for _ in range(BY_LOGIN.free + 1):
        console.signins.attempt("anna", ADDRESS)
    lengthen_waits(console.database)
    first = console.signins.attempt("anna", ADDRESS)
    for _ in range(10):
        assert 0 < console.signins.attempt("anna", ADDRESS) <= first


def test_a_login_is_slowed_down_from_wherever_it_is_tried(console: Console) -> None:
    for number in range(BY_LOGIN.free):
        console.signins.attempt("Anna@x.example", f"192.0.2.{number}")
    lengthen_waits(console.database)
    assert console.signins.attempt("anna@X.example ", "198.51.100.1") > 0
    assert console.signins.attempt("bert@x.example", "198.51.100.1") == 0


def test_an_address_is_slowed_down_whatever_login_it_tries(console: Console) -> None:
    for number in range(BY_ADDRESS.free):
        assert console.signins.attempt(f"user{number}", ADDRESS) == 0
    lengthen_waits(console.database)
    assert console.signins.attempt("another", ADDRESS) > 0
    assert console.signins.attempt("another", "198.51.100.1") == 0


def test_an_address_that_waits_cannot_keep_others_out(console: Console) -> None:
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"user{number}", ADDRESS)
    lengthen_waits(console.database)
    for _ in range(50):
        lengthen_waits(console.database)
    assert console.signins.attempt("anna", ADDRESS) > 0
    assert console.signins.attempt("anna", "198.51.100.1") == 0


def test_the_addresses_of_one_line_count_together(console: Console) -> None:
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"user{number}", f"2001:db8::{number:x}")
    lengthen_waits(console.database)
    assert console.signins.attempt("another", "2001:db8::ffff") > 0
    assert console.signins.attempt("another", "2001:db8:0:1::1") == 0
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"other{number}", ADDRESS)
    lengthen_waits(console.database)
    assert console.signins.attempt("another", f"::ffff:{ADDRESS}") > 0


def test_the_right_password_ends_the_logins_count_but_not_the_addresss(console: Console) -> None:
    for _ in range(BY_LOGIN.free - 1):
        console.signins.attempt("anna", ADDRESS)
    assert console.signins.attempt("anna", ADDRESS) == 0
    console.signins.succeeded("Anna", ADDRESS)
    for _ in range(BY_LOGIN.free):
        assert console.signins.attempt("anna", "198.51.100.1") == 0
    left = BY_ADDRESS.free - (BY_LOGIN.free - 1)
    for number in range(left):
        assert console.signins.attempt(f"user{number}", ADDRESS) == 0
    lengthen_waits(console.database)
    assert console.signins.attempt("another", ADDRESS) > 0


def test_after_an_hour_of_peace_the_count_begins_anew(console: Console) -> None:
    for _ in range(BY_LOGIN.free + 1):
        console.signins.attempt("anna", ADDRESS)
    age(console, FORGET_SECONDS + 1)
    for _ in range(BY_LOGIN.free):
        assert console.signins.attempt("anna", ADDRESS) == 0
    lengthen_waits(console.database)
    assert console.signins.attempt("anna", ADDRESS) > 0


def test_tries_at_the_same_moment_are_not_all_let_through(console: Console) -> None:
    together = threading.Barrier(16)

    def attempt(_: int) -> float:
        together.wait()
        return console.signins.attempt("anna", ADDRESS)

    with ThreadPoolExecutor(16) as pool:
        waits = [*pool.map(attempt, range(16))]
    assert waits.count(0) == BY_LOGIN.free


def test_what_is_kept_is_bounded_whatever_is_typed_and_cleaned_by_the_database(
    console: Console,
) -> None:
    console.signins.attempt("x" * 1_000_000, "not an address" * 1000)
    console.signins.attempt("\ud800", "fe80::1%eth0")
    for document in console.database["signins"].find():
        assert len(document["_id"]) < 100
    indexes = console.database["signins"].index_information()
    assert indexes["last_1"]["expireAfterSeconds"] == CLEAN_SECONDS
