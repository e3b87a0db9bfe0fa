"""The files of TLS: read at the start, and refused in a sentence where they cannot be used."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption

from config import tls
from config.settings import load_settings
from tests.servers.certificates import Authority
from tests.unit.config.test_settings import NO_FILE, problems


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


def given(**files: Path | str) -> dict[str, str]:
    return {f"COURIER_TLS_{name.upper()}_FILE": str(path) for name, path in files.items()}


def test_the_authorities_of_the_system_are_not_read_to_judge_files_that_are_not_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tls.Trust, "context", lambda _trust: pytest.fail("it takes 50 ms"))

    load_settings({}, NO_FILE)


def test_the_files_are_those_of_all_three_services(authority: Authority) -> None:
    own = authority.issue("courier")
    settings = load_settings(given(ca=authority.file, cert=own.cert, key=own.key), NO_FILE)
    services = (settings.rabbitmq, settings.mongodb, settings.smtp)
    assert [each.trust for each in services] == [authority.trust(own)] * 3
    assert settings.trust.context().minimum_version is ssl.TLSVersion.TLSv1_2
    assert settings.trust.context().check_hostname


def test_one_file_may_hold_certificate_and_key(authority: Authority, tmp_path: Path) -> None:
    own = authority.issue("courier")
    both = tmp_path / "both.pem"
    both.write_bytes(own.key.read_bytes() + own.cert.read_bytes())
    load_settings(given(cert=both), NO_FILE).trust.context()


def test_a_file_that_is_not_there_is_named(authority: Authority, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    own = authority.issue("courier")
    told = problems(given(ca=missing, cert=own.cert, key=tmp_path))
    assert told == [
        f"COURIER_TLS_CA_FILE is not valid: '{missing}' cannot be read: No such file or directory.",
        f"COURIER_TLS_KEY_FILE is not valid: '{tmp_path}' cannot be read: Is a directory.",
    ]


@pytest.mark.parametrize("content", [b"", b"\x30\x82\x00", b"hunter2", b"\xff\xfe"])
def test_a_file_that_is_no_pem_is_named(
    authority: Authority, tmp_path: Path, content: bytes
) -> None:
    odd = tmp_path / "odd"
    odd.write_bytes(content)
    own = authority.issue("courier")
    assert problems(given(ca=odd)) == [
        f"COURIER_TLS_CA_FILE is not valid: '{odd}' is no PEM with certificates of authorities."
    ]
    assert len(problems(given(cert=odd, key=own.key))) == 1
    assert len(problems(given(cert=own.cert, key=odd))) == 1


def test_a_damaged_certificate_is_named(authority: Authority, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    (told,) = problems(given(ca=damaged))
    assert told.startswith(f"COURIER_TLS_CA_FILE is not valid: '{damaged}' is no PEM")
    (told,) = problems(given(cert=damaged, key=authority.issue("courier").key))
    assert told.startswith(f"COURIER_TLS_CERT_FILE is not valid: '{damaged}' cannot be used")


def test_a_key_of_another_certificate_is_refused(authority: Authority) -> None:
    one, other = authority.issue("one"), authority.issue("other")
    (told,) = problems(given(cert=one.cert, key=other.key))
    assert "belong together" in told


def test_a_key_alone_and_a_certificate_alone_are_refused(authority: Authority) -> None:
    own = authority.issue("courier")
    (told,) = problems(given(key=own.key))
    assert told.startswith("COURIER_TLS_KEY_FILE is not valid: it needs COURIER_TLS_CERT_FILE")
    (told,) = problems(given(cert=own.cert))
    assert told.startswith("COURIER_TLS_CERT_FILE is not valid: ")


def test_a_key_with_a_passphrase_is_refused_without_asking_for_it(
    authority: Authority, tmp_path: Path
) -> None:
    own = authority.issue("courier")
    key = serialization.load_pem_private_key(own.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            BestAvailableEncryption(b"hunter2"),
        )
    )
    (told,) = problems(given(cert=own.cert, key=locked))
    assert "passphrase" in told


def test_a_blank_name_is_no_file() -> None:
    assert "must name a file" in problems(given(ca=" "))[0]


def test_openssls_particulars_are_not_for_people() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    assert tls.in_words(error) == "TLS failed: wrong version number"


def test_what_a_server_refuses_a_certificate_for_is_told_with_what_to_do() -> None:
    told = tls.failure("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required")
    assert told.startswith("TLS failed: the server demands a certificate: set COURIER_TLS_CERT_")
    assert tls.failure("[SSL] unknown error (_ssl.c:1)") == "TLS failed: unknown error"
