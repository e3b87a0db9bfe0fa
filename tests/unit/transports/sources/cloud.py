"""A store of Google's or Azure's that says what a test wants, and one recording read from it."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings
from config.stores import Bucket
from tests.servers.google import credentials
from tests.servers.store import Asked, Reply, Store
from transports.base import Egress, Limits
from transports.sources.source import open_source
from transports.sources.stores import Stores

CONTENT = bytes(range(256)) * 10
LOGIN = credentials()
KEY = base64.b64encode(b"s3cr3t of the platform").decode()
NAMES = (Bucket("calls"),)
QUICK = Limits(resolve=1, connect=1, reply=0.5, stall=1)


class Cloud:
    """One store of the two, with a recording of CONTENT."""

    def __init__(self, scheme: str, store: Store) -> None:
        self.scheme = scheme
        self.store = store
        self.mark = "1"
        self.encoding = ""
        self.answers: Callable[[Asked], Reply | None] = lambda _: None
        store.does.replies = self.reply

    @property
    def stores(self) -> Stores:
        endpoint = f"https://{self.store.authority}"
        return Stores(
            google=GoogleSettings(NAMES, endpoint, LOGIN),
            azure=AzureSettings(NAMES, "platform", f"{endpoint}/platform", SecretStr(KEY)),
        )

    def error(self, status: int, code: str) -> Callable[[Asked], Reply]:
        """Answers with this error."""
        told = {"error": {"code": status, "message": code}}
        body = json.dumps(told).encode() if self.scheme == "gs" else b""
        headers = {"x-ms-error-code": code} if code else {}
        return lambda _: (status, {**headers, "Location": self.store.url}, body)

    def is_for_content(self, asked: Asked) -> bool:
        return asked.method == "GET" and ("range" in asked.headers or "x-ms-range" in asked.headers)

    def reply(self, asked: Asked) -> Reply:
        """To a request."""
        if (said := self.answers(asked)) is not None:
            return said
        told = {
            "ETag": f'"{self.mark}"',
            "Content-Encoding": self.encoding,
            "Last-Modified": "Mon, 23 Nov 2026 14:05:00 GMT",
            "x-ms-blob-type": "BlockBlob",
        }
        if self.is_for_content(asked):
            given = asked.headers.get("range") or asked.headers["x-ms-range"]
            found = re.fullmatch(r"bytes=(\d+)-(\d+)", given)
            assert found is not None
            first, last = int(found[1]), min(int(found[2]), len(CONTENT) - 1)
            told["Content-Range"] = f"bytes {first}-{last}/{len(CONTENT)}"
            return 206, told, CONTENT[first : last + 1]
        if asked.method == "HEAD":
            return 200, {**told, "Content-Length": str(len(CONTENT))}, b""
        meta: dict[str, Any] = {"name": "a.wav", "size": str(len(CONTENT)), "generation": self.mark}
        meta |= {"contentEncoding": self.encoding} if self.encoding else {}
        return 200, {"Content-Type": "application/json"}, json.dumps(meta).encode()


def read(
    cloud: Cloud,
    stores: Stores | None = None,
    key: str = "2026/a.wav",
    limits: Limits | None = None,
) -> bytes:
    with open_source(
        f"{cloud.scheme}://calls/{key}",
        dirs=(),
        max_bytes=10_000,
        egress=Egress(),
        limits=limits or Limits(),
        stores=stores or cloud.stores,
    ) as source:
        return b"".join(source)
