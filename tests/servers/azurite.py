"""Azurite, Microsoft's own emulator of Azure Blob Storage, from npm."""

import base64
import hashlib
import hmac
import secrets
import ssl
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode
from urllib.request import Request, urlopen

import trustme
from pydantic import SecretStr

from config.clouds import AzureSettings
from config.stores import Bucket
from deploy.local import npm
from deploy.local.customers.facts import LOOPBACK
from deploy.local.processes import Child, free_port
from tests.servers.child import ChildServer

ACCOUNT = "platform"
CONTAINER = "recordings"
_VERSION = "2021-12-02"


class Azurite(ChildServer):
    """A storage account with one container, behind TLS."""

    def __init__(self, folder: Path, authority: trustme.CA) -> None:
        """`folder`: of its own; the authority's certificate is in `authority.pem` there."""
        self.folder = folder
        self.trusted = folder / "authority.pem"
        self._port = free_port()
        self._key = secrets.token_bytes(64)
        certificate = authority.issue_cert("localhost", LOOPBACK)
        authority.cert_pem.write_to_path(str(self.trusted))
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        for pem in certificate.cert_chain_pems:
            pem.write_to_path(str(folder / "cert.pem"), append=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    def start(self) -> None:
        """Start it, with its container."""
        super().start()
        self._put(self._url("", {"restype": "container"}), b"", {})

    @property
    def endpoint(self) -> str:
        """The address of the account's blobs."""
        return self.endpoint_at(self._port)

    @staticmethod
    def endpoint_at(port: int) -> str:
        """The same, by way of another port."""
        return f"https://{LOOPBACK}:{port}/{ACCOUNT}"

    @property
    def key(self) -> SecretStr:
        """The account's."""
        return SecretStr(base64.b64encode(self._key).decode())

    def settings(self, **changes: Any) -> AzureSettings:
        """As an operator sets them; what is named differs."""
        mine = AzureSettings((Bucket(CONTAINER),), ACCOUNT, self.endpoint, self.key)
        return mine._replace(**changes)

    def sas(self, *, hours: int = 1, rights: str = "r", key: bytes | None = None) -> SecretStr:
        """A shared access signature for the blobs of the account."""
        return SecretStr(urlencode(self._signature(hours, rights, key)))

    def put(self, name: str, content: bytes, **headers: str) -> str:
        """Store a blob; its URL in events."""
        told = {"x-ms-blob-type": "BlockBlob", **{f"x-ms-blob-{k}": v for k, v in headers.items()}}
        self._put(self.url(quote(name)), content, told)
        return f"az://{CONTAINER}/{quote(name)}"

    def url(self, name: str, *, port: int | None = None, hours: int = 1) -> str:
        """The URL of a blob, with a signature that lasts so many hours."""
        return self._url(f"/{name}", {}, port=port, hours=hours)

    def _url(
        self, path: str, query: Mapping[str, str], *, port: int | None = None, hours: int = 1
    ) -> str:
        signed = urlencode({**query, **self._signature(hours)})
        return f"{self.endpoint_at(port or self._port)}/{CONTAINER}{path}?{signed}"

    def _signature(
        self, hours: int, rights: str = "rwc", key: bytes | None = None
    ) -> dict[str, str]:
        """An account SAS for containers and objects (Azure Storage, "Create an account SAS")."""
        until = f"{datetime.now(UTC) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        told = (ACCOUNT, rights, "b", "co", "", until, "", "https", _VERSION, "", "")
        digest = hmac.digest(key or self._key, "\n".join(told).encode(), hashlib.sha256)
        sig = base64.b64encode(digest).decode()
        parts = {"sv": _VERSION, "ss": "b", "srt": "co", "sp": rights, "spr": "https"}
        return {**parts, "se": until, "sig": sig}

    def _put(self, url: str, content: bytes, headers: Mapping[str, str]) -> None:
        request = Request(url, content, dict(headers), method="PUT")  # noqa: S310 - of this server
        context = ssl.create_default_context(cafile=str(self.trusted))
        urlopen(request, context=context, timeout=60).close()  # noqa: S310 - of this server

    def _new_child(self) -> Child:
        program = npm.AZURITE.modules / "azurite" / "dist" / "src" / "blob" / "main.js"
        argv: Sequence[str] = [
            *("node", str(program), "--blobHost", LOOPBACK, "--blobPort", str(self._port)),
            *("--location", str(self.folder), "--cert", str(self.folder / "cert.pem")),
            *("--key", str(self.folder / "key.pem"), "--disableTelemetry", "--skipApiVersionCheck"),
        ]
        accounts = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{base64.b64encode(self._key).decode()}"}
        return Child("Azurite", argv, self.folder / "server.log", accounts)
