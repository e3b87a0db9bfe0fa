"""How often a sign-in may be tried."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from config.signins import BY_ADDRESS, BY_CODE, BY_LOGIN, CLEAN_SECONDS, FORGET_SECONDS
from tests.integration.console import lengthen_waits
from tests.integration.people.desk import Desk

ADDRESS = "192.0.2.1"


def age(console: Desk, seconds: float) -> None:
    """Let all that is stored of the tries be so much longer ago."""
    for document in console.database["signins"].find():
        moved = {name: document[name] - timedelta(seconds=seconds) for name in ("last", "open_at")}
        console.database["signins"].update_one({"_id": document["_id"]}, {"$set": moved})


def test_a_few_wrong_passwords_cost_nothing_and_then_the_wait_doubles(console: Desk) -> None:
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


def test_tries_during_a_wait_do_not_prolong_it(console: Desk) -> None:
    for _ in range(BY_LOGIN.free + 1):
        console.signins.attempt("anna", ADDRESS)
    lengthen_waits(console.database)
    first = console.signins.attempt("anna", ADDRESS)
    for _ in range(10):
        assert 0 < console.signins.attempt("anna", ADDRESS) <= first


def test_a_login_is_slowed_down_from_wherever_it_is_tried(console: Desk) -> None:
    for number in range(BY_LOGIN.free):
        console.signins.attempt("Anna@x.example", f"192.0.2.{number}")
    lengthen_waits(console.database)
    assert console.signins.attempt("anna@X.example ", "198.51.100.1") > 0
    assert console.signins.attempt("bert@x.example", "198.51.100.1") == 0


def test_an_address_is_slowed_down_whatever_login_it_tries(console: Desk) -> None:
    for number in range(BY_ADDRESS.free):
        assert console.signins.attempt(f"user{number}", ADDRESS) == 0
    lengthen_waits(console.database)
    assert console.signins.attempt("another", ADDRESS) > 0
    assert console.signins.attempt("another", "198.51.100.1") == 0


def test_an_address_that_waits_cannot_keep_others_out(console: Desk) -> None:
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"user{number}", ADDRESS)
    lengthen_waits(console.database)
    for _ in range(50):
        lengthen_waits(console.database)
    assert console.signins.attempt("anna", ADDRESS) > 0
    assert console.signins.attempt("anna", "198.51.100.1") == 0


def test_the_addresses_of_one_line_count_together(console: Desk) -> None:
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"user{number}", f"2001:db8::{number:x}")
    lengthen_waits(console.database)
    assert console.signins.attempt("another", "2001:db8::ffff") > 0
    assert console.signins.attempt("another", "2001:db8:0:1::1") == 0
    for number in range(BY_ADDRESS.free):
        console.signins.attempt(f"other{number}", ADDRESS)
    lengthen_waits(console.database)
    assert console.signins.attempt("another", f"::ffff:{ADDRESS}") > 0


def test_the_right_password_ends_the_logins_count_but_not_the_addresss(console: Desk) -> None:
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


def test_after_an_hour_of_peace_the_count_begins_anew(console: Desk) -> None:
    for _ in range(BY_LOGIN.free + 1):
        console.signins.attempt("anna", ADDRESS)
    age(console, FORGET_SECONDS + 1)
    for _ in range(BY_LOGIN.free):
        assert console.signins.attempt("anna", ADDRESS) == 0
    lengthen_waits(console.database)
    assert console.signins.attempt("anna", ADDRESS) > 0


def test_guesses_of_codes_are_few_over_days(console: Desk) -> None:
    """Whoever guesses them knows the password: a rest of some hours must not begin anew."""
    for _ in range(BY_CODE.free):
        assert console.signins.attempt_code("anna") == 0
    free = 0
    for _ in range(2 * 24):
        age(console, FORGET_SECONDS + 1)
        free += console.signins.attempt_code("anna") == 0
        free += console.signins.attempt_code("anna") == 0

    assert free <= 2 * 24 + 12
    age(console, CLEAN_SECONDS + 1)
    for _ in range(BY_CODE.free):
        assert console.signins.attempt_code("anna") == 0


def test_tries_at_the_same_moment_are_not_all_let_through(console: Desk) -> None:
    together = threading.Barrier(16)

    def attempt(_: int) -> float:
        together.wait()
        return console.signins.attempt("anna", ADDRESS)

    with ThreadPoolExecutor(16) as pool:
        waits = [*pool.map(attempt, range(16))]
    assert waits.count(0) == BY_LOGIN.free


def test_what_is_kept_is_bounded_whatever_is_typed_and_cleaned_by_the_database(
    console: Desk,
) -> None:
    console.signins.attempt("x" * 1_000_000, "not an address" * 1000)
    console.signins.attempt("\ud800", "fe80::1%eth0")
    for document in console.database["signins"].find():
        assert len(document["_id"]) < 100
    indexes = console.database["signins"].index_information()
    assert indexes["last_1"]["expireAfterSeconds"] == CLEAN_SECONDS
