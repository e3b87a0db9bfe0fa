"""Certificates that people give: taken alone, told by name and fingerprint."""

from pathlib import Path

import pytest

from config.certificates import check_certificates, told
from tests.servers.certificates import Authority, fingerprint, of_version_6, self_signed


def test_only_the_certificates_of_a_text_are_kept(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pem = authority.file.read_text()
    chain = authority.issue("ftp.example").cert.read_text()
    assert check_certificates(f"subject=Acme\n{pem}\nmore words\n{chain}") == check_certificates(
        pem + chain
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "words",
        "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nGrüße\n-----END CERTIFICATE-----\n",
        "\ud800",
    ],
)
def test_what_is_no_certificate_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="must be certificates in PEM"):
        check_certificates(wrong)


def test_a_certificate_of_no_known_version_is_refused(tmp_path: Path) -> None:
    pair = self_signed(tmp_path, "ftp.example", of_version_6)
    with pytest.raises(ValueError, match="must be certificates in PEM"):
        check_certificates(pair.cert.read_text())


def test_a_private_key_is_not_taken_for_safekeeping(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("ftp.example")
    with pytest.raises(ValueError, match="must hold no private key"):
        check_certificates(pair.cert.read_text() + pair.key.read_text())


def test_certificates_are_told_by_subject_and_fingerprint(tmp_path: Path) -> None:
    pair = Authority(tmp_path).issue("ftp.example")
    pem = check_certificates(pair.cert.read_text())
    assert fingerprint(pair) in told(pem)
