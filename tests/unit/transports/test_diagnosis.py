"""The catalogue of causes: every error is in it, and what servers say leads to its entry."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.text import MAX_WORDS
from consumers.ledger import LastError
from tests.errors_doc import DOC, written
from tests.servers.said import SAID, Sentence
from transports import errors, phases
from transports.diagnosis import (
    CATALOGUE,
    Entry,
    advice_for_customers,
    by_code,
    diagnose,
    files,
    ours,
    reaching,
)
from transports.diagnosis.entry import ANYTHING
from transports.diagnosis.refused_files import ANTIVIRUS, DISK_FULL
from transports.errors import AccountFailure, LoginRefused, NameRefused, TransferError
from transports.ftp import errors as ftp_errors
from transports.ftp import trust
from transports.ssh import errors as ssh_errors

NARROW = [each for each in CATALOGUE if each.narrows]
NO_ERRORS = {ours.QUEUE_UNUSABLE, ours.ACCOUNT_UNUSABLE, reaching.BLOCKED_FOR_A_WHILE}
"""Of the platform's own queues and accounts, and of what only several logins together tell: nothing
is raised over them in `transports`."""


def _classes() -> Iterator[type[TransferError]]:
    for module in (errors, phases, ssh_errors, ftp_errors, trust):
        for found in vars(module).values():
            is_error = isinstance(found, type) and issubclass(found, TransferError)
            if is_error and found is not TransferError:
                yield found


def test_every_error_has_an_entry_and_every_entry_is_found_by_an_error_or_by_words() -> None:
    wide = {of.entry for of in _classes()}
    assert wide <= set(CATALOGUE)
    assert wide | set(NARROW) | NO_ERRORS == set(CATALOGUE)
    assert {wider for each in NARROW for wider in each.narrows} <= wide


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_an_entry_has_a_plain_code_and_whole_sentences(entry: Entry) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", entry.code)
    assert by_code(entry.code) is entry, "two entries have this code"
    for sentence in (entry.cause, entry.next_step):
        assert sentence.endswith(".")
        assert len(sentence) < MAX_WORDS
    assert entry.cause[0].isupper() or entry.cause.startswith("vsftpd")


def test_what_is_the_operators_to_mend_says_what_they_have_to_do() -> None:
    theirs = [each for each in CATALOGUE if each.for_customers == ours.FOR_OPERATORS_ALONE]
    assert theirs
    for each in theirs:
        assert not re.search(r"operators (were|are) told|have to mend", each.next_step), each.code


@pytest.mark.parametrize("entry", NARROW, ids=lambda entry: entry.code)
def test_a_narrow_cause_is_known_by_what_a_server_says(entry: Entry) -> None:
    assert entry.replies or entry.says
    assert any(each.cause == entry.code for each in SAID)
    for phrase in entry.says:
        assert phrase == phrase.casefold()
        assert all(part == part.strip() and part for part in phrase.split(ANYTHING))


@pytest.mark.parametrize("said", SAID, ids=lambda said: f"{said.server}: {said.cause}")
def test_what_a_server_says_leads_to_its_cause(said: Sentence) -> None:
    words = said.words.replace("…", "customer")
    if issubclass(said.error, errors.HostKeyChanged):
        failure: TransferError = said.error(pinned=("x",), shown="y")
    else:
        failure = said.error(words)
    assert failure.diagnosis.code == said.cause


def test_words_change_the_cause_and_the_advice_and_never_the_kind() -> None:
    full = AccountFailure("451 No space left on device")
    assert (full.diagnosis, full.advice) == (DISK_FULL, DISK_FULL.next_step)
    assert full.kind is AccountFailure.kind
    assert AccountFailure("451 No.").diagnosis is files.SERVER_REFUSES


def test_what_is_known_of_one_failure_is_said_instead_of_the_catalogues_advice() -> None:
    refused = LoginRefused("530 No.")
    refused.advice += " It said so."
    assert refused.advice == f"{LoginRefused.entry.next_step} It said so."
    assert refused.again().advice == refused.advice


@pytest.mark.parametrize("phrase", ANTIVIRUS.says)
def test_no_more_of_a_servers_words_is_looked_at_than_is_kept(phrase: str) -> None:
    assert diagnose(files.NAME_REFUSED, f"550 {phrase.upper()}") is ANTIVIRUS
    beyond = "550 " + "x" * MAX_WORDS + phrase
    assert diagnose(files.NAME_REFUSED, beyond) is files.NAME_REFUSED


def test_the_parts_of_a_phrase_come_in_their_order() -> None:
    expired = "Your account has expired"
    assert LoginRefused(expired).diagnosis.code == "account-expired"
    assert LoginRefused("expired; no account").diagnosis.code == "login-refused"


def test_a_name_that_happens_to_have_the_word_is_no_virus() -> None:
    refused = NameRefused("550 hotline-antivirus_2026.wav: Permission denied")
    assert refused.diagnosis is not ANTIVIRUS


def test_a_full_disk_is_told_before_what_is_in_the_name() -> None:
    full = NameRefused("552 No space left on device")
    full.tell("call.wav", "", "")
    assert full.advice == "Make room on the server's disk."
    full.tell("call:1.wav", '":"', "")
    assert full.advice.startswith("Make room on the server's disk. Many servers")
    refused = NameRefused("550 No.")
    refused.tell("call.wav", "", "")
    assert refused.advice == 'The server does not accept the name "call.wav".'


@given(entry=st.sampled_from(CATALOGUE), words=st.text(max_size=2 * MAX_WORDS))
def test_whatever_a_server_says_has_a_cause(entry: Entry, words: str) -> None:
    found = diagnose(entry, words)
    assert found is entry or entry in found.narrows


def test_a_failure_is_stored_with_the_code_and_one_of_before_or_of_later_is_read() -> None:
    stored = LastError.of(LoginRefused("530 Login incorrect."))
    assert (stored.cause, stored.diagnosis) == ("login-refused", LoginRefused.entry)
    before = {"kind": "account", "words": "530 No.", "advice": "Check it."}
    assert LastError.stored(before).diagnosis is None
    assert LastError.stored({**before, "cause": "of-a-later-version"}).diagnosis is None


def test_the_document_is_what_the_catalogue_says() -> None:
    assert DOC.read_text() == written(), "run: python -m tests.errors_doc"


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_customers_are_advised_nothing_that_is_the_platforms_to_do(entry: Entry) -> None:
    advice = advice_for_customers(entry.code, entry.next_step)
    for inner in (
        *("pipeline", "COURIER_", "RabbitMQ", "file_name", "own store", "resolver"),
        *("operators have to check", "operators have to correct", "in the log"),
    ):
        assert inner not in advice


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_no_cause_tells_how_the_platform_is_built(entry: Entry) -> None:
    for inner in ("proxy", "source address", "descriptors", "broker", "RabbitMQ", "login at"):
        assert inner not in entry.cause


def test_what_was_said_of_one_failure_stays_in_the_advice_for_customers() -> None:
    refused = NameRefused("550 a.wav: Forbidden filename")
    refused.tell("a:b.wav", ":", "")
    advice = advice_for_customers(refused.diagnosis.code, refused.advice)
    assert "pipeline" not in advice
    assert advice.startswith(refused.diagnosis.for_customers)
    assert '"Replace Characters"' in advice
    refused = NameRefused("550 no")
    refused.tell("a+b.wav", "", "+")
    assert "pipeline" not in refused.advice


def test_advice_of_an_unknown_cause_is_what_was_stored() -> None:
    assert advice_for_customers("of-another-version", "Look there.") == "Look there."
