"""Certificates for the servers of a test, made when it runs."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trustme

from config.tls import Trust


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

    def issue(self, name: str, *, expired: bool = False) -> Pair:
        """A certificate for this host name or address."""
        times: dict[str, Any] = {}
        if expired:
            now = datetime.now(UTC)
            times = {"not_before": now - timedelta(days=9), "not_after": now - timedelta(days=1)}
        issued = self._ca.issue_cert(name, **times)
        stem = f"{name}-expired" if expired else name
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
