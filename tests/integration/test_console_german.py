"""The pages of settings, server, alerts and numbers in German; programs are told in English."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest

from config.accounts import DeliveryMethod, Protocol
from config.numbers import Number
from deploy.local.customers import PyFtpServer
from tests.integration.console import Browser, Console, serving
from tests.integration.platform import MakeCourier
from tests.integration.settings.page import FTP, GOOD, form, renew_host_key
from tests.servers import Sshd
from tests.unit.alerts.facts import EXAMPLE
from transports.errors import Speaker
from worker.console.reader import LANGUAGE_COOKIE
from worker.core import make_outbox

ENGLISH = re.compile(
    r"\b(the|is|are|and|of|to|with|it|not|be|this|that|has|what|no)\b", re.IGNORECASE
)
"""Words that every English sentence has, and no German one."""
_QUOTED = re.compile(r"<(code|q|script|time)\b.*?</\1>", re.DOTALL)
_CONTENT = re.compile(r'<div class="content">(.*)</main>', re.DOTALL)


@pytest.fixture
def console(make_courier: MakeCourier) -> Iterator[Console]:
    courier = make_courier(firewall_addresses=(ip_network("198.51.100.7"),))
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("admin", "acme")
        yield console


@pytest.fixture
def browser(console: Console) -> Browser:
    browser = console.browser("admin")
    browser.headers["Accept-Language"] = "de-DE,de;q=0.9,en;q=0.5"
    return browser


@pytest.fixture
def fragments(browser: Browser) -> Browser:
    browser.headers["HX-Request"] = "true"
    return browser


def read(text: str) -> str:
    """What a person reads of a page's content, but for what is quoted."""
    content = _CONTENT.search(text)
    bare = _QUOTED.sub("", content[1] if content else text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", bare)).split())


def english_in(text: str) -> list[str]:
    """Where English is left, with the words around it."""
    words = read(text)
    return [words[max(0, each.start() - 30) : each.end() + 30] for each in ENGLISH.finditer(words)]


def test_the_form_is_german_and_has_no_english_left(browser: Browser) -> None:
    page = browser.get(FTP).text
    for words in ("FTP-Einstellungen aktivieren", "Anmeldeart", "Benutzername", "Host-Keys"):
        assert words in page
    assert "Testen und speichern" in page
    assert "198.51.100.7" in page
    assert english_in(page) == []


def test_a_refused_field_is_german_and_english_for_programs(
    console: Console, fragments: Browser
) -> None:
    refused = fragments.send_form(FTP, **form(GOOD, port="0"))
    assert refused.status_code == 422
    assert "Port: Bitte eine ganze Zahl von 1 bis 65535 angeben." in refused.text
    assert english_in(refused.text) == []
    program = console.program("acme")
    program.headers["Accept-Language"] = "de"
    told = program.put("/accounts/acme/settings", json={"protocol": "ftp", "port": 0}).text
    assert "Port must be a whole number from 1 to 65535." in told


def test_a_test_that_passes_is_told_in_german(
    console: Console, fragments: Browser, tmp_path: Path, sshd: Sshd
) -> None:
    with PyFtpServer(tmp_path) as server:
        begun = fragments.send_form(FTP, **form(server.customer)).text
        passed = console.tested(fragments, "acme", begun)
    assert "Gespeichert und eingeschaltet." in passed
    assert ">Angemeldet<" in passed
    assert english_in(passed) == []
    begun = fragments.send_form(FTP, **form(sshd.customer), act="try").text
    tried = console.tested(fragments, "acme", begun)
    assert "Der Test ist gelungen, und es wurde nichts gespeichert." in tried
    assert english_in(tried) == []


def test_a_test_that_fails_is_told_in_german(
    console: Console, fragments: Browser, sshd: Sshd
) -> None:
    wrong = form(sshd.customer, password="wrong")
    failed = console.tested(fragments, "acme", fragments.send_form(FTP, **wrong).text)
    assert "Prüfen Sie Benutzername, Passwort und Anmeldeart" in failed
    assert "Wer es beheben kann: der Kunde" in failed
    assert english_in(failed) == []
    other = form(sshd.customer, protocol="ftps")
    failed = console.tested(fragments, "acme", fragments.send_form(FTP, **other).text)
    assert "Hier antwortet ein SFTP-Server: Wählen Sie SFTP" in failed
    assert english_in(failed) == []


def test_an_account_a_path_and_a_user_that_are_words_of_ours_stay_as_they_are(
    console: Console, fragments: Browser, tmp_path: Path
) -> None:
    console.user("provider", None)
    provider = console.browser("provider")
    provider.headers["Accept-Language"] = "de"
    chosen = {"do": "pause", "scope": "picked", "account:reading": "on", "path": "/overview"}
    with PyFtpServer(tmp_path) as server:
        begun = fragments.send_form(FTP, **form(server.customer, path="Recordings")).text
        passed = console.tested(fragments, "acme", begun)
        console.platform.account("reading", server.customer, Protocol.FTP)
        planned = provider.send_form("/account-acts", **chosen).headers["location"]
        assert "<dt>Konten</dt><dd>reading</dd>" in provider.get(planned).text
    assert '<span translate="no">Recordings</span>' in passed


def test_another_host_key_is_shown_and_approved_in_german(
    console: Console, fragments: Browser, sshd: Sshd
) -> None:
    console.tested(fragments, "acme", fragments.send_form(FTP, **form(sshd.customer)).text)
    for words in ("der hinterlegte wird vergessen", "die 2 hinterlegten werden vergessen"):
        renew_host_key(sshd)
        begun = fragments.send_form(FTP, **form(sshd.customer)).text
        refused = console.tested(fragments, "acme", begun)
        assert "Der Server zeigt einen anderen Host-Key. Es wurde nichts gespeichert" in refused
        assert words in refused
        assert english_in(refused) == []
        act = refused.split('action="')[1].split('"')[0]
        approved = console.tested(fragments, "acme", fragments.send_form(act, keep="yes").text)
        assert "Ab jetzt anerkannt, und kein anderer Host-Key:" in approved
        assert sshd.host_key in approved
        assert english_in(approved) == []


def test_the_pages_of_server_alerts_and_numbers_are_german(
    console: Console, browser: Browser, sshd: Sshd
) -> None:
    console.platform.core.directory.set_number(
        Number("+441632960001", "acme", DeliveryMethod.FTP_AND_EMAIL)
    )
    for page in ("server", "alerts", "numbers"):
        assert english_in(browser.get(f"/accounts/acme/{page}").text) == []
    changes = form(sshd.customer, email_alerts="it@acme.example")
    begun = browser.send_form(FTP, **changes)
    assert begun.status_code == 303
    console.tested(browser, "acme", browser.get(begun.headers["location"]).text)
    told = browser.notice("/accounts/acme/alerts", email_alerts="noc@acme.example")
    assert told.startswith("Die Benachrichtigungen sind gespeichert.")
    for page in ("server", "alerts", "numbers"):
        assert english_in(browser.get(f"/accounts/acme/{page}").text) == []


@pytest.mark.parametrize(
    ("by", "shown"),
    [
        (Speaker.SERVER.value, "The connection failed</span></p>"),
        (Speaker.SYSTEM.value, "The connection failed</span></p>"),
        (Speaker.COURIER.value, "Die Verbindung ist gescheitert</p>"),
        ("", "The connection failed</span></p>"),
    ],
)
def test_the_history_of_alerts_translates_the_platforms_own_words_alone(
    console: Console, browser: Browser, by: str, shown: str
) -> None:
    """Of an e-mail of an earlier version nobody knows whose they are: they may be a server's."""
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    outbox.store(replace(EXAMPLE, account_id="acme", words="The connection failed", said_by=by))

    told = browser.get("/accounts/acme/alerts").text

    assert "Ausgesetzt nach 10 Fehlversuchen:" in told
    assert shown in told


def test_an_email_in_which_nothing_was_said_tells_so_in_german(
    console: Console, browser: Browser
) -> None:
    outbox = make_outbox(console.platform.core, lambda _tried: None)
    outbox.store(replace(EXAMPLE, account_id="acme", words=""))

    assert "(keine Meldung)</p>" in browser.get("/accounts/acme/alerts").text


@pytest.mark.parametrize(
    ("by", "shown"), [("courier", "Die Verbindung ist gescheitert"), ("", "The connection failed")]
)
def test_the_last_error_of_an_account_is_translated_where_the_platform_said_it(
    console: Console, browser: Browser, by: str, shown: str
) -> None:
    error = {"kind": "account", "words": "The connection failed", "advice": "", "said_by": by}
    console.platform.core.database["accounts"].update_one(
        {"_id": "acme"}, {"$set": {"run.last_error": error}}
    )

    told = browser.get("/accounts/acme").text

    assert f"{shown}</span></p>" in told or f"{shown}</p>" in told


def test_the_page_of_a_fault_is_told_in_the_language_of_its_reader(
    console: Console, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object, **__: object) -> None:
        raise RuntimeError

    assert browser.notice("/language", language="de") == "Ihre Wahl ist gespeichert."
    monkeypatch.setattr("worker.console.pages.guides._shown", fault)
    monkeypatch.setattr("worker.console.pages.own_sessions.page", fault)
    nobody = console.nobody()
    nobody.headers["Accept-Language"] = "de"
    browser.headers["Accept-Language"] = "en"
    for answer in (nobody.get("/help"), browser.get("/sessions")):
        assert answer.status_code == 500
        assert "Das ist ein Fehler des Programms" in answer.text
        assert '<html lang="de">' in answer.text


def test_a_language_chosen_at_the_sign_in_keeps_where_one_wanted_to_go(console: Console) -> None:
    nobody = console.nobody()
    shown = nobody.get("/sign-in?to=/accounts/acme")
    assert 'href="/sign-in?language=de&amp;to=%2Faccounts%2Facme"' in shown.text
    chosen = nobody.get("/sign-in?language=de&to=/accounts/acme")
    assert chosen.headers["location"] == "/sign-in?to=%2Faccounts%2Facme"
    assert 'name="to" value="/accounts/acme"' in nobody.get(chosen.headers["location"]).text
    away = nobody.get("/sign-in?language=de&to=//evil.example")
    assert away.headers["location"] == "/sign-in"


def test_as_the_browser_asks_forgets_every_choice(browser: Browser) -> None:
    assert browser.get("/sign-in?language=en").cookies[LANGUAGE_COOKIE] == "en"
    assert '<html lang="en">' in browser.get("/accounts/acme").text
    assert browser.notice("/language", language="") == "Ihre Wahl ist gespeichert."
    assert LANGUAGE_COOKIE not in browser.cookies
    assert '<html lang="de">' in browser.get("/accounts/acme").text


def test_what_the_framework_refuses_is_told_in_german(browser: Browser) -> None:
    wrong = browser.request("PUT", "/help")
    assert wrong.status_code == 405
    assert "Diese Adresse nimmt diese Methode nicht an" in wrong.text
    many = browser.send_form("/language", **{f"field{number}": "" for number in range(5000)})
    assert many.status_code == 400
    assert "Die Anfrage lässt sich nicht lesen" in many.text
