"""Certificates for the servers of a test, made when it runs."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from config.tls import Trust

Alter = Callable[[bytes], bytes]
_ONE, _OTHER = x509.ObjectIdentifier("1.2.3.4.1"), x509.ObjectIdentifier("1.2.3.4.2")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    cert: Path
    key: Path


class Authority:
    """Issues certificates, and is trusted by whoever has its file."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._ca = trustme.CA()
        self.file = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(self.file)

    def issue(self, name: str, *, expired: bool = False, early: bool = False) -> Pair:
        """A certificate for this host name or address; an early one is not valid yet."""
        times: dict[str, Any] = {}
        now = datetime.now(UTC)
        if expired:
            times = {"not_before": now - timedelta(days=9), "not_after": now - timedelta(days=1)}
        if early:
            times = {"not_before": now + timedelta(days=1), "not_after": now + timedelta(days=9)}
        issued = self._ca.issue_cert(name, **times)
        stem = f"{name}{'-expired' if expired else ''}{'-early' if early else ''}"
        pair = Pair(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        issued.private_key_pem.write_to_path(pair.key)
        pair.cert.write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
        return pair

    def trust(self, own: Pair | None = None) -> Trust:
        """What a client needs to trust it, and to show a certificate of its own."""
        return Trust(self.file, own.cert if own else None, own.key if own else None)

    def server_context(self, pair: Pair, *, demands: bool = False) -> ssl.SSLContext:
        """What a server listens with; it may demand a certificate of this authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.cert, pair.key)
        if demands:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.file)
        return context


def fingerprint(pair: Pair) -> str:
    """The fingerprint of the first certificate, as OpenSSL shows it."""
    first = pair.cert.read_text().partition("-----END")[0] + "-----END CERTIFICATE-----"
    return sha256(ssl.PEM_cert_to_DER_cert(first)).digest().hex(":").upper()


def doubled(der: bytes) -> bytes:
    """The certificate of `self_signed` with one extension twice, which RFC 5280 forbids."""
    return der.replace(bytes.fromhex("2a030402"), bytes.fromhex("2a030401"))


def of_version_6(der: bytes) -> bytes:
    """The certificate of `self_signed` with a version that X.509 has not."""
    return der.replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020105"))


def self_signed(folder: Path, name: str, alter: Alter = bytes) -> Pair:
    """A certificate that a server has made itself, as installers do: for no name of the host's.

    `alter` changes its bytes afterwards, whatever that makes of the signature.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.UnrecognizedExtension(_ONE, b"\x05\x00"), critical=False)
        .add_extension(x509.UnrecognizedExtension(_OTHER, b"\x05\x00"), critical=False)
        .sign(key, SHA256())
    )
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    pair.cert.write_text(ssl.DER_cert_to_PEM_cert(alter(made.public_bytes(Encoding.DER))))
    pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return pair
