"""Users and their passwords."""

import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from config.errors import UnknownAccount, UserError
from config.passwords import generate_password
from config.permissions import Principal
from tests.integration.people.desk import Desk


def test_a_user_signs_in_with_its_password_and_no_other(console: Desk) -> None:
    password = generate_password()
    user = console.users.create("Anna@Customer.example", "acme", password)
    assert user.principal == Principal("anna@customer.example", "acme")
    assert console.users.verify("ANNA@customer.example", password) == console.users.get(user.login)
    assert console.users.verify("anna@customer.example", generate_password()) is None
    assert console.users.verify("nobody", password) is None


def test_the_password_is_stored_as_argon2id_only(console: Desk) -> None:
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
def test_what_is_no_login_is_refused(console: Desk, login: str) -> None:
    with pytest.raises(UserError, match="A login is an e-mail address"):
        console.users.create(login, None, generate_password())
    assert console.users.verify(login, generate_password()) is None
    with pytest.raises(UserError, match="There is no user"):
        console.users.get(login)


def test_a_user_is_created_once_and_for_an_account_that_there_is(console: Desk) -> None:
    console.users.create("anna", "acme", generate_password())
    with pytest.raises(UserError, match="'anna' is taken"):
        console.users.create("ANNA", None, generate_password())
    with pytest.raises(UnknownAccount):
        console.users.create("bert", "unknown", generate_password())
    with pytest.raises(UserError, match="12 to 1024"):
        console.users.create("bert", "acme", SecretStr(secrets.token_urlsafe(6)))
    assert [user.login for user in console.users.list()] == ["anna"]


def test_of_two_creations_at_the_same_moment_one_wins(console: Desk) -> None:
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


def test_users_are_listed_by_account(console: Desk) -> None:
    console.directory.create("other")
    for login, account in (("c", "acme"), ("a", None), ("b", "other")):
        console.users.create(login, account, generate_password())
    assert [user.login for user in console.users.list()] == ["a", "b", "c"]
    assert [user.login for user in console.users.list(["acme", "other"])] == ["b", "c"]
    assert [*console.users.list([])] == []


def test_another_password_ends_the_sessions_from_before(console: Desk) -> None:
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


def test_a_disabled_user_is_out_at_once_and_its_old_sessions_stay_so(console: Desk) -> None:
    password = generate_password()
    user = console.users.create("anna", "acme", password)
    console.users.set_disabled("anna", disabled=True)
    assert console.users.verify("anna", password) is None
    assert console.users.session("anna", user.session_epoch) is None
    assert console.users.session("anna", console.users.get("anna").session_epoch) is None
    console.users.set_disabled("anna", disabled=False)
    assert console.users.verify("anna", password) is not None
    assert console.users.session("anna", user.session_epoch) is None


def test_a_session_does_not_fit_the_next_user_of_the_same_name(console: Desk) -> None:
    password = generate_password()
    user = console.users.create("anna", None, password)
    console.users.remove("anna")
    assert console.users.session("anna", user.session_epoch) is None
    console.users.create("anna", "acme", password)
    assert console.users.session("anna", user.session_epoch) is None
    with pytest.raises(UserError, match="There is no user 'bert'"):
        console.users.remove("bert")


def test_a_hash_of_older_parameters_is_made_anew_at_the_next_sign_in(console: Desk) -> None:
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


def test_an_unknown_user_takes_as_long_as_a_wrong_password(console: Desk) -> None:
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
