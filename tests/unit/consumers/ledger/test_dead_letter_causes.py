"""Whose fault a dead letter is, and what its people are told to do."""

import pytest

from consumers.ledger import CRASH_LOOP
from consumers.ledger.dead_letter_causes import Fault, cause_called, cause_of, fault_of
from transports.diagnosis import CATALOGUE, Whose, files, login, ours, reaching
from transports.errors import Kind


@pytest.mark.parametrize(
    ("reason", "code", "fault"),
    [
        ("account", reaching.CONNECTION_REFUSED.code, Fault.SERVER),
        ("account", login.LOGIN_REFUSED.code, Fault.SERVER),
        ("account", "", Fault.SERVER),
        ("account", ours.WAY_OUT_CLOSED.code, Fault.PLATFORM),
        ("file", files.FILE_REFUSED.code, Fault.FILE),
        ("file", ours.NAME_IN_USE.code, Fault.PLATFORM),
        ("source", ours.RECORDING_MISSING.code, Fault.PLATFORM),
        ("source", None, Fault.PLATFORM),
        ("ours", "of-a-later-version", Fault.PLATFORM),
        (CRASH_LOOP, reaching.CONNECTION_REFUSED.code, Fault.PLATFORM),
        (None, None, Fault.SERVER),
    ],
)
def test_the_fault_is_that_of_the_server_the_file_or_the_platform(
    reason: str | None, code: str | None, fault: Fault
) -> None:
    assert fault_of(reason, code) is fault
    assert cause_of(reason, code).fault is fault


def test_the_words_for_customers_are_the_three_of_their_help() -> None:
    assert [each.for_customers for each in Fault] == ["your server", "this file", "our platform"]
    assert Fault.SERVER.for_operators == "customer's server"


def test_every_cause_of_the_catalogue_says_what_is_wrong_and_what_to_do() -> None:
    for each in CATALOGUE:
        cause = cause_of(Kind.ACCOUNT.value, each.code)
        assert (cause.code, cause.words, cause.next_step) == (each.code, each.cause, each.next_step)
        is_platforms = each.whose is Whose.PLATFORM
        assert (cause.fault is Fault.PLATFORM) == is_platforms


@pytest.mark.parametrize("reason", ["source", "ours", "account", "file"])
def test_a_cause_of_another_version_is_no_work_for_customers_where_the_platform_failed(
    reason: str,
) -> None:
    cause = cause_of(reason, "of-tomorrow")
    is_platforms = cause.fault is Fault.PLATFORM
    assert is_platforms == (reason in {"source", "ours"})
    told = cause.advice(is_operator=False)
    assert (told == ours.FOR_OPERATORS_ALONE) == is_platforms
    assert "have it mended" in cause.advice(is_operator=True)


@pytest.mark.parametrize("code", [CRASH_LOOP, "account", "file", "source", "ours", "of-tomorrow"])
def test_a_cause_that_the_catalogue_does_not_have_is_told_all_the_same(code: str) -> None:
    cause = cause_called(code)
    assert cause.code == code
    assert cause.words.endswith(".")
    assert cause.next_step.endswith(".")
    assert "skipped" not in cause.words + cause.next_step
