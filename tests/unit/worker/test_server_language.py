"""What the pages of settings and server show of sentences from below, as a German reads them."""

import ast
import itertools
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from config.capabilities import Capabilities, Look
from config.destination import FIELDS, check_password_stays
from config.errors import PasswordAsked
from config.fields import explain, settings_fields
from config.ftp_settings import ExistingFile, FtpSettings, FtpSettingsInput
from config.naming_settings import InFlight, NameEncoding
from transports.diagnosis import CATALOGUE, Whose
from transports.errors import (
    DataConnectFailed,
    HostKeyChanged,
    LoginRefused,
    Said,
    Speaker,
    TransferError,
)
from transports.settings_report import STEPS, Findings
from worker.console import field_sentences, server_sentences
from worker.console.language import reading, translated
from worker.server_facts import server_facts

COMPOSED = {
    "Authentication failed.",
    "unable to get local issuer certificate",
    "self-signed certificate",
    "self-signed certificate in certificate chain",
    "unable to verify the first certificate",
    *(" and ".join(each) for some in (2, 3, 4) for each in itertools.combinations(FIELDS, some)),
}
"""What paramiko and OpenSSL say, and what is put together of several fields' titles."""
ROOT = Path(__file__).parents[3]
SFTP = FtpSettings.model_validate({"protocol": "sftp", "host": "a.example", "username": "acme"})
ALIKE = {"FTP", "SFTP", "Host", "Port", "Passphrase", "Normal", "UTF-8", "Latin-1 (ISO 8859-1)"}
"""Words that are the same in both languages."""


@pytest.fixture(autouse=True)
def german() -> Iterator[None]:
    with reading("de"):
        yield


def detail_of(failure: TransferError, left: str = "") -> str:
    """The last step of a test that ended so."""
    findings = Findings(SFTP, None)
    if left:
        findings.left.paths[left] = "Permission denied"
    return findings.report(failure).steps[-1].detail


def test_every_field_and_every_choice_of_the_settings_is_named() -> None:
    for field in settings_fields():
        labels = [each.label for each in field.options]
        for words in {field.title, field.help, *labels} - ALIKE:
            assert translated(words) != words


def test_every_cause_every_advice_and_every_step_is_told() -> None:
    for entry in CATALOGUE:
        assert translated(entry.cause) != entry.cause
        assert translated(entry.next_step) != entry.next_step
    for whose in Whose:
        assert translated(whose.label) != whose.label
    for step in (*STEPS, "names"):
        assert translated(step.capitalize()) != step.capitalize()


@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ({"port": "70000"}, "Port: Bitte eine ganze Zahl von 1 bis 65535 angeben."),
        ({"port": "x"}, "Port: Bitte eine ganze Zahl von 1 bis 65535 angeben."),
        ({"username": ""}, "Benutzername: Bitte nicht leer lassen."),
        ({"username": "x" * 300}, "Benutzername: Höchstens 256 Zeichen sind erlaubt."),
        ({"email_alerts": ("it@a.example", "x")}, "E-Mail-Benachrichtigungen, Eintrag 2: Bitte"),
        ({"host": "ftp://a"}, "Host: Bitte einen Hostnamen oder eine IP-Adresse angeben"),
        ({"name_template": "{nam}"}, "Dateiname: Enthält das Feld {nam}; möglich sind {account}"),
        ({"name_template": "{date:%Q}"}, "Dateiname: Enthält %Q in einem Datum; möglich sind"),
        ({"name_template": "{date:x}"}, "wie es {date:%Y-%m-%d} tut."),
        ({"folder_template": "a\\b"}, "Unterordner: Darf kein \\ enthalten"),
        ({"folder_template": ".."}, "Unterordner: Kann zu .. werden, was kein Name ist."),
        ({"delivery_window": "25:00"}, "Zustellfenster: Bitte "),
        ({"time_zone": "Mars"}, "Zeitzone: Bitte eine Zeitzone angeben"),
        ({"protocol": "scp"}, "Protokoll: Bitte eines davon wählen: ftp, sftp, ftps"),
        ({"protocl": "ftp"}, "Protocl: Dieses Feld kann hier nicht angegeben werden."),
        ({"host_keys": ("x",)}, "Host-Keys, Eintrag 1: Bitte einen Fingerabdruck angeben"),
        ({"client_certificate": "x"}, "Client-Zertifikat: Bitte Zertifikate als PEM angeben"),
        (
            {"name_encoding": "latin-1", "path": "łódź"},
            "Kodierung der Namen: Bitte UTF-8 wählen: Pfad enthält Buchstaben, die latin-1 nicht",
        ),
    ],
)
def test_a_refused_field_is_told_by_its_title(entered: dict[str, object], told: str) -> None:
    values = {"protocol": "ftp", "host": "a.example", "username": "acme", **entered}
    with pytest.raises(ValidationError) as refused:
        FtpSettingsInput.model_validate(values)
    sentences = [translated(each) for each in explain(refused.value).values()]
    assert any(told in each for each in sentences), sentences


def test_a_password_that_would_go_elsewhere_is_asked_for_with_what_was_changed() -> None:
    other = SFTP.model_copy(update={"host": "b.example", "port": 2222})
    with pytest.raises(PasswordAsked) as asked:
        check_password_stays(SFTP, other)
    assert "geändert hat (Host und Port)" in translated(str(asked.value))


def test_a_failed_step_is_told_sentence_by_sentence() -> None:
    refused = detail_of(LoginRefused("The server only takes: publickey"))
    assert translated(refused) == (
        "Der Server nimmt nur: publickey. Prüfen Sie Benutzername, Passwort und Anmeldeart, und "
        "dass der Benutzer nicht gesperrt ist."
    )
    lost = translated(detail_of(DataConnectFailed("Connection refused", 40001), left="a/b.part"))
    assert lost.startswith("Connection refused. Öffnen Sie in der Firewall auch die Ports")
    assert lost.endswith("Diesmal nannte er Port 40001. Dort geblieben: a/b.part.")
    changed = translated(detail_of(HostKeyChanged(pinned=("SHA256:a",), shown="SHA256:b")))
    assert changed.startswith("Der Schlüssel des Servers ist SHA256:b; erwartet wird SHA256:a. Hat")


def test_changed_fields_are_told_by_their_titles() -> None:
    why = "The settings were changed by it@a.example: Protocol, Host Keys, Email Alerts."
    assert translated(why) == (
        "Die Einstellungen wurden von it@a.example geändert: Protokoll, Host-Keys, "
        "E-Mail-Benachrichtigungen."
    )


def test_a_step_tells_a_value_and_a_servers_words_apart_from_the_programs_own() -> None:
    findings = Findings(SFTP.model_copy(update={"username": "reading", "path": "Recordings"}), None)
    findings.heard("logged in", "reading")
    findings.heard("certificate", "for a.example, issued by b")
    findings.passed_with("path", "Recordings")
    findings.failed("removed", "Left there: x.")
    said = LoginRefused(Said("The connection failed...", Speaker.SERVER))
    ours = LoginRefused("The connection failed")
    *steps, refused = findings.report(said).steps
    assert [(step.copied, step.told) for step in steps] == [
        ("reading", ""),
        ("", "for a.example, issued by b"),
        ("Recordings", ""),
        ("", "Left there: x."),
    ]
    assert (refused.copied, refused.told) == ("The connection failed.", said.advice)
    assert refused.detail == f"{refused.copied} {refused.told}"
    assert findings.report(ours).steps[-1].copied == ""
    assert set(refused.document()) == {"name", "ok", "detail", "cause", "whose"}


def test_a_servers_words_within_a_sentence_are_copied() -> None:
    told = translated("a/x.part. The server does not make it (reading), and takes files there")
    assert "(reading)" in told
    assert translated("reading (a/b is left there)").startswith("reading (")


def test_what_a_server_says_stays_as_it_said_it() -> None:
    said = "530 Sorry, no more than 3 of you. Come back later"
    assert translated(detail_of(LoginRefused(said))).startswith(f"{said}. Prüfen Sie")


def all_capabilities() -> Iterator[Capabilities]:
    bools = ("rename", "temporary", "size", "removes", "mkdir", "unicode", "enters")
    for values in itertools.product((True, False), repeat=len(bools)):
        for look in (None, Look.NOTHING, next(iter(set(Look) - {Look.NOTHING}))):
            yield Capabilities.model_validate(
                dict(zip(bools, values, strict=True)) | {"look": look}
            )
    yield Capabilities.model_validate(
        {"at_once": 3, "open_files": 2, "finish_seconds": 30, "forbids": "*?", "avoids": ("EPSV",)}
    )
    yield Capabilities.model_validate({"open_files": 1, "resumes": True, "hash": "sha256"})


def test_every_fact_about_a_server_is_told() -> None:
    for can in all_capabilities():
        for way, existing, encoding, replaces in itertools.product(
            (InFlight.SUFFIX, InFlight.NONE), ExistingFile, NameEncoding, (True, False)
        ):
            settings = SFTP.model_copy(
                update={
                    "capabilities": can,
                    "in_flight": way,
                    "existing_file": existing,
                    "name_encoding": encoding,
                    "replace_characters": replaces,
                }
            )
            for fact in server_facts(settings):
                assert translated(fact.title) != fact.title
                assert translated(fact.words) != fact.words


def test_no_text_makes_the_search_slow() -> None:
    hostile = ("a. " * 700, "The server only takes: " * 80, "a; b (c is left there). " * 80)
    began = time.perf_counter()
    for text in hostile:
        translated(text[:2000])
    assert time.perf_counter() - began < 2.0


def texts_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def runs_of(message: str) -> list[str]:
    """Every four words that stand together between two places."""
    pieces = [piece.split() for piece in re.split(r"%\(\w+\)s", message.replace("%%", "%"))]
    runs = [words[at : at + 4] for words in pieces for at in range(max(1, len(words) - 3))]
    return [" ".join(words).rstrip(".").casefold() for words in runs if words]


def test_every_listed_sentence_is_still_said_somewhere_below() -> None:
    folders = ("config", "transports", "consumers", "alerts", "worker")
    files = itertools.chain.from_iterable((ROOT / each).rglob("*.py") for each in folders)
    below = [each for each in files if not each.name.endswith("sentences.py")]
    said = "\n".join(text for path in below for text in texts_of(path)).casefold()
    listed = [
        *(field_sentences.WORDS + field_sentences.PATTERNS),
        *(server_sentences.WORDS + server_sentences.PATTERNS),
    ]
    unsaid = [each for each in listed if not any(run in said for run in runs_of(each))]
    assert set(unsaid) <= COMPOSED
