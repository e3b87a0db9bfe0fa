"""What was said of the platform's own failures is for operators; customers read the cause."""

import html
import re
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest

from config.accounts import Protocol
from consumers.ledger import Claimant, LastError
from deploy.local.customers import PyFtpServer
from tests.integration.console import Console, serving
from tests.integration.ledger.rows import FAILED, claimed, opened
from tests.integration.platform import MakeCourier
from transports.diagnosis import Entry, ours
from transports.errors import Speaker

STORE, CRASHED = "store.internal has no address", "A fault of the program at 10.20.30.40"
PAGES = (
    "/overview",
    "/accounts/acme",
    "/accounts/acme/ftp/after",
    "/accounts/acme/recordings",
    "/accounts/acme/recordings.csv",
    "/accounts/acme/dead-letters",
    "/recordings/dead",
    "/recordings/waits",
)
CALLS = (
    "/accounts",
    "/accounts/acme",
    "/deliveries",
    "/deliveries.csv?account_id=acme",
    "/deliveries/dead",
    "/deliveries/waits",
    "/dead-letters",
)


def failure(kind: str, words: str, entry: Entry) -> LastError:
    return LastError(kind, words, entry.next_step, Speaker.COURIER.value, entry.code)


@pytest.fixture
def console(make_courier: MakeCourier, pyftpd_server: PyFtpServer) -> Iterator[Console]:
    """The store is away of one recording, and the account is suspended by the program."""
    courier = make_courier()
    courier.account("acme", pyftpd_server.customer, Protocol.FTP)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        ledger = console.services.ledger
        claim = claimed(ledger, "dead", Claimant("w", "s", 1))
        stored = replace(FAILED, error=failure("source", STORE, ours.STORE_AWAY))
        assert ledger.outcomes.dead_lettered(claim, stored, None)
        opened(ledger, "waits")
        last = asdict(failure("account", CRASHED, ours.PROGRAM_FAULT))
        now = datetime.now(UTC)
        run = {"state": "suspended", "failures": 10, "last_error": last, "outage_since": now}
        run["suspended_until"] = now + timedelta(minutes=15)
        changes = {f"run.{name}": value for name, value in run.items()}
        courier.core.database["accounts"].update_one({"_id": "acme"}, {"$set": changes})
        yield console


def read(text: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", text))


def test_customers_read_the_cause_where_operators_read_what_was_said(console: Console) -> None:
    inner = {STORE, CRASHED}
    seen_by_operators = set()
    for login, account_id in (("operator", None), ("admin", "acme")):
        browser, program = console.browser(login), console.program(account_id)
        answers = [(page, browser.get(page)) for page in PAGES]
        answers += [(call, program.get(call)) for call in CALLS]
        for path, answer in answers:
            assert answer.status_code == 200, path
            text = read(answer.text)
            said = {words for words in inner if words in text}
            if login == "operator":
                assert said, path
                seen_by_operators |= said
            else:
                assert not said, path
                causes = (ours.STORE_AWAY.cause, ours.PROGRAM_FAULT.cause)
                assert any(cause in text for cause in causes), path
    assert seen_by_operators == inner


def test_the_cause_stands_in_the_cell_and_in_the_sentence_and_is_no_quotation(
    console: Console,
) -> None:
    browser = console.browser("admin")
    after = read(browser.get("/accounts/acme/ftp/after").text)
    assert f"did not arrive: {ours.PROGRAM_FAULT.cause} It is tried again" in after
    for page in ("/overview", "/accounts/acme/recordings", "/accounts/acme"):
        text = read(browser.get(page).text)
        assert "<q></q>" not in text
        assert not re.search(r'<td data-label="(Place|Last error)" class="words"> ?</td>', text)
    activity = read(browser.get("/accounts/acme").text)
    card = activity.split('aria-label="Last error"')[1].split("</section>")[0]
    assert card.count(ours.PROGRAM_FAULT.cause) == 1
    assert '<small class="said"></small>' not in activity


def test_the_api_says_that_the_cause_is_the_platforms_word(console: Console) -> None:
    row = console.program("acme").get("/deliveries/dead").json()
    told = (row["last_error"], row["last_error_by"], row["last_error_cause"])
    assert told == (ours.STORE_AWAY.cause, "courier", ours.STORE_AWAY.code)
    waits = console.program("acme").get("/deliveries/waits").json()["story"][-1]
    assert waits["said"] == ours.PROGRAM_FAULT.cause


def test_in_a_test_of_the_settings_and_in_its_audit_too(
    make_courier: MakeCourier, pyftpd_server: PyFtpServer
) -> None:
    courier = make_courier(source_address=(ip_address("192.0.2.1"),))
    courier.account("acme", pyftpd_server.customer, Protocol.FTP)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        for login, account_id in (("operator", None), ("admin", "acme")):
            browser, program = console.browser(login), console.program(account_id)
            browser.headers["HX-Request"] = "true"
            begun = browser.send_form("/accounts/acme/server/test").text
            seen = [
                console.tested(browser, "acme", begun),
                program.post("/accounts/acme/settings/test").text,
                program.get("/audit?account_id=acme").text,
                browser.get("/accounts/acme/audit").text,
            ]
            for number, text in enumerate(map(read, seen)):
                is_told = "its address 192.0.2.1" in text
                assert is_told == (login == "operator"), number
                assert login == "operator" or ours.WAY_OUT_CLOSED.cause in text, number
        browser = console.browser("admin")
        browser.headers["Accept-Language"] = "de"
        audit = read(browser.get("/accounts/acme/audit").text)
        assert "Die Plattform selbst konnte sich nicht verbinden" in audit
