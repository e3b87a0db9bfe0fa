"""What errors of TLS mean, and what is told of certificates."""

import ssl

import pytest

from transports.errors import (
    CertificateExpired,
    CertificateNotYetValid,
    CertificateOfAnother,
    CertificateUntrusted,
    ClientCertificateRefused,
    ConnectionLost,
    NoTlsAnswers,
    TlsFailed,
    TlsTooOld,
    TransferError,
)
from transports.ftp.trust import HandshakeRefused, failure_of


def failed(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f"[SSL: {reason}] words (_ssl.c:1)")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "expected", "words"),
    [
        ("SSLV3_ALERT_HANDSHAKE_FAILURE", HandshakeRefused, "handshake failure"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", TlsTooOld, "1.2"),
        ("UNSUPPORTED_PROTOCOL", TlsTooOld, "1.2"),
        ("TLSV13_ALERT_CERTIFICATE_REQUIRED", ClientCertificateRefused, "certificate required"),
        ("TLSV1_ALERT_UNKNOWN_CA", ClientCertificateRefused, "unknown ca"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", ClientCertificateRefused, "bad certificate"),
        ("WRONG_VERSION_NUMBER", NoTlsAnswers, "no TLS"),
        ("RECORD_LAYER_FAILURE", NoTlsAnswers, "no TLS"),
        ("DH_KEY_TOO_SMALL", TlsFailed, "dh key too small"),
        ("", TlsFailed, "the connection was cut"),
    ],
)
def test_an_error_of_tls_means(reason: str, expected: type[TransferError], words: str) -> None:
    failure = failure_of(failed(reason))
    assert type(failure) is expected
    assert words in failure.words
    assert "_ssl" not in failure.words


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (10, CertificateExpired),
        (9, CertificateNotYetValid),
        (62, CertificateOfAnother),
        (64, CertificateOfAnother),
        (18, CertificateUntrusted),
        (20, CertificateUntrusted),
    ],
)
def test_a_certificate_that_openssl_refuses_means(code: int, expected: type[TransferError]) -> None:
    error = ssl.SSLCertVerificationError(1, "words")
    error.verify_code, error.verify_message = code, "unable to get local issuer certificate"
    assert type(failure_of(error)) is expected


def test_the_end_of_a_connection_is_none_of_tls() -> None:
    for error in (ssl.SSLEOFError(8, "EOF occurred"), ssl.SSLZeroReturnError(6, "closed")):
        assert type(failure_of(error)) is ConnectionLost
