"""What an account's page, the lists and a recording's story say of each state, in each language."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from consumers.ledger import Claimant, LastError, SuspensionAlert
from tests.integration.console import Browser, Console, serving
from tests.integration.ledger.rows import (
    AWAY,
    claim_one,
    claimed,
    deliver_one,
    dies,
    opened,
    uploaded,
)
from tests.integration.platform import MakeCourier
from transports.diagnosis import ours, reaching
from transports.phases import Phase
from worker.console.pages.render import initial

ACME = "/accounts/acme"
REFUSED = replace(AWAY, cause=reaching.CONNECTION_REFUSED.code)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier()
    directory = courier.core.directory
    directory.create("acme", name="Acme Ltd", ftp_access=True)
    settings = FtpSettings(protocol=Protocol.FTP, host="ftp.acme.example", username="acme")
    directory.save_settings("acme", settings, SecretStr("secret"))
    directory.create("bare", ftp_access=True)
    directory.create("locked", parent="acme", ftp_access=False)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        yield console


def suspend(console: Console, failures: int = 10) -> None:
    accounts, directory = console.services.ledger.accounts, console.services.directory
    assert accounts.fence("acme", 1)
    alert = SuspensionAlert(directory.get("acme"), REFUSED, 0, None)
    seen = accounts.read("acme")
    assert accounts.suspend("acme", 1, seen, failures=failures, seconds=900, alert=alert)


def read(browser: Browser, address: str, language: str = "en") -> str:
    """The words of a page, without what says how old they are."""
    answer = browser.get(address, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    body = answer.text.split("<main", 1)[1].split("</main>")[0]
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def test_an_accounts_page_says_what_it_does(console: Console) -> None:
    browser, ledger = console.browser("operator"), console.services.ledger

    def says(english: str, german: str, account_id: str = "acme") -> None:
        assert english in read(browser, f"/accounts/{account_id}")
        assert german in read(browser, f"/accounts/{account_id}", "de")

    says(
        "Active Nothing waits; new recordings go out as they arrive.",
        "Aktiv Nichts wartet; neue Aufnahmen werden gesendet, sobald sie eintreffen.",
    )
    opened(ledger, "one")
    says("Active 1 file on the way.", "Aktiv 1 Datei unterwegs.")
    opened(ledger, "two")
    says("2 files on the way.", "2 Dateien unterwegs.")
    assert deliver_one(ledger, claimed(ledger, "one"), uploaded("/in/one.wav")) is not None
    assert dies(ledger, claimed(ledger, "two"))
    says("So far: 1 delivered, 1 dead letter.", "Bisher: 1 zugestellt, 1 Dead Letter.")
    says("No FTP settings are stored yet.", "Es sind noch keine FTP-Einstellungen", "bare")
    says("it was not granted.", "Er wurde nicht erteilt.", "locked")

    suspend(console)
    says("Suspended for 1", "Ausgesetzt für 1")
    says(
        "After 10 failures in a row nothing is sent for now. When the time is over the oldest file "
        "is tried; if it arrives, the rest follow.",
        "Nach 10 Fehlern in Folge wird vorerst nichts gesendet. Ist die Zeit um, wird die älteste "
        "Datei versucht; kommt sie an, folgen die übrigen.",
    )
    assert ledger.accounts.pause("acme")
    says(
        "Paused Somebody paused this account. Files stay queued until it is resumed.",
        "Angehalten Jemand hat dieses Konto angehalten.",
    )
    console.services.directory.set_enabled("acme", enabled=False)
    says(
        "they are switched on. It is paused as well: also then its files wait until somebody "
        "resumes it. Resume Switch on",
        "Es ist außerdem angehalten: Auch dann warten seine Dateien, bis jemand es fortsetzt.",
    )


def test_an_account_that_is_held_does_not_look_well(console: Console) -> None:
    ledger = console.services.ledger
    opened(ledger, "one")
    assert ledger.accounts.fence("acme", 1)
    away = LastError.ours("The platform's proxy cannot be reached", ours.WAY_OUT_CLOSED)
    ledger.accounts.reschedule("acme", 1, 0, 10.0, waiting=away)
    for login in ("operator", "admin"):
        browser = console.browser(login)
        words = read(browser, ACME)
        assert (
            "Held 1 file on the way. Recordings wait until what is told under “Last error” is over"
            "; no failure is counted."
        ) in words
        assert "Active" not in words
        assert "Aufgehalten 1 Datei unterwegs. Aufnahmen warten, bis" in read(browser, ACME, "de")
        shown = browser.get(ACME).text
        assert 'class="card state held"' in shown
        assert '<span class="badge held">held</span>' in shown
        assert '<span class="badge held">held</span>' in browser.get("/accounts").text
    assert console.program(None).get("/accounts/acme").json()["state"] == "active"
    ledger.accounts.goes_on("acme", 1)
    assert "Active 1 file on the way." in read(console.browser("operator"), ACME)


def test_one_failure_is_one(console: Console) -> None:
    suspend(console, failures=1)
    assert "After 1 failure in a row" in read(console.browser("operator"), ACME)


def test_what_is_done_with_an_account_is_told_in_the_readers_language(console: Console) -> None:
    browser = console.browser("operator")
    browser.headers["Accept-Language"] = "de-AT, en;q=0.5"
    told = browser.notice(f"{ACME}/state", do="resume")
    assert told == "Das Konto ist nicht angehalten, sondern aktiv: Es gibt nichts fortzusetzen."
    told = browser.notice(f"{ACME}/state", do="pause")
    assert told.startswith("Das Konto ist angehalten: Dateien bleiben in der Warteschlange")
    assert browser.notice(f"{ACME}/state", do="resume") == "Das Konto ist fortgesetzt."
    program = console.program(None)
    program.headers["Accept-Language"] = "de"
    refused = program.post("/accounts/acme/resume")
    assert refused.json()["error"]["message"].startswith("The account is not paused but active"), (
        "the API"
    )


def test_lists_are_filtered_by_reasons_that_are_written_as_they_are(console: Console) -> None:
    browser = console.browser("operator")
    suspend(console)
    english, german = read(browser, "/overview"), read(browser, "/overview", "de")
    assert "No FTP access above it" in english, "'FTP' keeps its capitals"
    assert "Kein FTP-Zugriff darüber" in german
    assert "3 accounts" in english
    assert "3 Konten" in german
    assert "1 of 3 accounts" not in english
    narrowed = read(browser, "/overview?state=suspended", "de")
    assert "1 von 3 Konten" in narrowed
    assert "Ausgesetzt 1" in narrowed
    assert "vom Kunden zu beheben" in narrowed
    assert initial("no FTP access") == "No FTP access"
    assert initial("") == ""


def test_a_recordings_story_is_told_in_german(console: Console) -> None:
    ledger, claimant = console.services.ledger, Claimant("worker-1", "session", 1)
    opened(ledger, "one")
    claim = claim_one(ledger, "one", 1, claimant)
    assert claim is not None
    assert dies(ledger, claim, error=REFUSED, phase=Phase.CONNECTING)
    operator = read(console.browser("operator"), "/recordings/one", "de")
    customer = read(console.browser("admin"), "/recordings/one", "de")
    for text in (operator, customer):
        assert "Die Aufnahme traf ein." in text
        assert "Versuch 1 ist beim Verbinden mit dem Server fehlgeschlagen." in text
        assert reaching.CONNECTION_REFUSED.cause not in text
    assert "Sie wurde zum Dead Letter: Ihre Versuche sind verbraucht." in operator
    assert "Sie wurde übersprungen: Ihre Versuche sind verbraucht." in customer
    assert "dead letter" not in customer.lower()


def test_customers_read_of_skipped_files_in_german_too(console: Console) -> None:
    opened(console.services.ledger, "one")
    assert dies(console.services.ledger, claimed(console.services.ledger, "one"))
    customer, operator = console.browser("admin"), console.browser("operator")
    assert "1 übersprungene Datei" in read(customer, f"{ACME}/dead-letters", "de")
    assert "1 Dead Letter" in read(operator, f"{ACME}/dead-letters", "de")
    assert "1 passender Dead Letter" in read(operator, "/dead-letters?account=acme", "de")
    assert "1 dead letter that matches" in read(operator, "/dead-letters?account=acme")
    assert "dead letter" not in read(customer, ACME, "de").lower()
    assert "übersprungen" in read(customer, f"{ACME}/recordings", "de")


def test_a_search_that_cannot_be_is_told_in_german(console: Console) -> None:
    browser = console.browser("operator")
    browser.headers["Accept-Language"] = "de"
    for query, words in (
        ("number=12", "Geben Sie eine Rufnummer ein oder mindestens"),
        ("file_name=*a", "Geben Sie nach dem * mindestens 3 Buchstaben des Namens ein."),
        ("since=yesterday", "Das ist keine Zeit"),
        ("status=lost", "Wählen Sie eines davon: queued"),
        ("after=nonsense", "Das ist keine Stelle der Liste"),
    ):
        answer = browser.get(f"/recordings?{query}")
        assert answer.status_code == 422
        assert words in html.unescape(answer.text), query


def test_who_has_chosen_no_account_is_told_so_in_german(console: Console) -> None:
    browser = console.browser("operator")
    browser.headers["Accept-Language"] = "de"
    told = browser.notice("/account-acts", scope="selected", do="pause", path="/overview")
    assert told == "Wählen Sie zuerst Konten aus, oder nehmen Sie alle passenden."
