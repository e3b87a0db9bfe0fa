"""Recordings in buckets of Google Cloud Storage, through gcsfs.

gcsfs says what is asked for and how; it gets a session that is guarded, and no login: it would
fetch tokens by itself, in the loop and past every limit. Those are google-auth's, in the thread of
the upload. A service account's key signs them here: nobody is asked for them.
"""

import asyncio
import functools
import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import aiohttp

# Else the package loads Google's own client with gRPC, whose connections nothing here would guard.
os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")

import google.auth
import google.auth.credentials
import google.auth.exceptions
import requests
from gcsfs.core import GCSFileSystem
from google.auth.transport.requests import Request
from google.oauth2 import service_account

from config.clouds import GoogleSettings
from transports.errors import SourceFailure, SourceRefused
from transports.sources.clouds.guard import NONSENSE, Refusal, whole
from transports.sources.clouds.loop import Loop
from transports.sources.clouds.reading import CloudSource, Opened, Version
from transports.sources.http import place_of
from transports.sources.logins import Login
from transports.sources.object_urls import ObjectUrl
from transports.sources.stores import Reach
from transports.words import spoken, system_words

_SCOPES = ("https://www.googleapis.com/auth/devstorage.read_only",)
_RENEWAL = timedelta(minutes=5)
"""How long before its end a token is renewed."""
_SECONDS = 10.0
"""Of each request for a token, where one is asked for."""
_NO_BUCKET = "bucket does not exist"
_NO_LOGIN = (
    "No credentials for Google: none were found that can be used. Set COURIER_GS_CREDENTIALS_FILE, "
    "or what Google's tools read"
)


def google_source(found: ObjectUrl, reach: Reach) -> CloudSource:
    """The object of Google's, which may be read."""
    return CloudSource(GoogleStore(found.bucket, found.key, reach.stores.google), reach)


class GoogleStore:
    """See `transports.sources.clouds.reading.Store`."""

    def __init__(self, bucket: str, key: str, settings: GoogleSettings) -> None:
        self.root = f"gs://{bucket}"
        self._bucket = bucket
        self.place = place_of(settings.endpoint, "https", "http")
        self._key = key
        self._endpoint = settings.endpoint
        self._login = _login(settings.credentials and settings.credentials.get_secret_value())

    def renew(self, cut: threading.Event) -> None:
        """Raises SourceRefused, ResourcesExhausted, Cut."""
        self._login.renew(cut)

    def open(self, session: aiohttp.ClientSession, loop: Loop, _reach: Reach) -> Opened:
        """The object."""
        buckets = _Buckets(session, loop, self._endpoint, self._login)
        return _Object(buckets, self._bucket, self._key)

    def told(self, refusal: Refusal) -> tuple[str, str]:
        """The message, which is all that tells errors of one status apart."""
        try:
            message = str(json.loads(refusal.body)["error"]["message"])
        except NONSENSE:
            return "", refusal.words
        return message, f"{spoken(message)} (HTTP {refusal.status})"

    def meaning(self, status: int, code: str) -> type[SourceFailure] | None:
        """A bucket that is not there, and a token that is not taken, are the platform's to mend."""
        is_no_bucket = status == HTTPStatus.NOT_FOUND and _NO_BUCKET in code
        return SourceRefused if status == HTTPStatus.UNAUTHORIZED or is_no_bucket else None


class _Login(Login):
    """Tokens of one login."""

    def __init__(self, key: str | None) -> None:
        super().__init__()
        self._key = key
        self._credentials: google.auth.credentials.Credentials | None = None

    @property
    def header(self) -> Mapping[str, str]:
        """What a request is sent with."""
        assert self._credentials is not None  # noqa: S101 - it was renewed
        return {"Authorization": f"Bearer {self._credentials.token}"}

    @property
    def is_fresh(self) -> bool:
        """Whether it outlasts what is asked for with it."""
        if self._credentials is None or not self._credentials.valid:
            return False
        until = self._credentials.expiry
        return until is None or until.replace(tzinfo=UTC) > datetime.now(UTC) + _RENEWAL

    def ask(self) -> None:
        """Raises SourceRefused."""
        try:
            if self._credentials is None:
                self._credentials = self._found()
            if not self.is_fresh:
                self._refresh(self._credentials)
        except google.auth.exceptions.DefaultCredentialsError:
            raise SourceRefused(_NO_LOGIN) from None
        except (google.auth.exceptions.GoogleAuthError, ValueError) as error:
            words = spoken(str(error.args[0] if error.args else error))
            raise SourceRefused(f"No credentials for Google: {words}") from None
        except OSError as error:
            raise SourceRefused(f"{_NO_LOGIN} ({system_words(error)})") from None
        except NONSENSE:
            raise SourceRefused(f"{_NO_LOGIN} (what was found makes no sense)") from None

    def _found(self) -> google.auth.credentials.Credentials:
        if self._key is not None:
            info = json.loads(self._key)
            mine = service_account.Credentials.from_service_account_info(info, scopes=_SCOPES)
            return mine.with_always_use_jwt_access(True)  # noqa: FBT003 - its only argument
        with requests.Session() as session:
            found, _ = google.auth.default(scopes=_SCOPES, request=_Bounded(session))
        return found

    @staticmethod
    def _refresh(credentials: google.auth.credentials.Credentials) -> None:
        with requests.Session() as session:
            credentials.refresh(_Bounded(session))


class _Bounded(Request):  # type: ignore[misc]
    """Asks for tokens with a time limit of ours."""

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **more: Any,
    ) -> Any:
        seconds = min(timeout or _SECONDS, _SECONDS)
        return super().__call__(url, method, body, headers, seconds, **more)


@functools.lru_cache(maxsize=4)
def _login(key: str | None) -> _Login:
    """One for the process: tokens are asked for once, and renewed in time."""
    return _Login(key)


class _Buckets(GCSFileSystem):  # type: ignore[misc]
    """gcsfs over a guarded session. It asks once: when to ask again is decided above."""

    cachable = False

    def __init__(
        self, session: aiohttp.ClientSession, loop: Loop, endpoint: str, login: _Login
    ) -> None:
        super().__init__(
            token="anon",  # noqa: S106 - the login is ours
            project="",
            loop=loop.loop,
            endpoint_url=endpoint,
            use_listings_cache=False,
        )
        self._session = session
        self._login = login

    def _process_object(self, _bucket: str, told: dict[str, Any]) -> dict[str, Any]:
        """As Google tells it: gcsfs would take an object without a size for an empty one."""
        return told

    async def _request(
        self,
        method: str,
        path: str,
        *args: str,
        headers: Mapping[str, str] | None = None,
        **query: Any,
    ) -> tuple[int, Mapping[str, str], aiohttp.RequestInfo, bytes]:
        query = {name: value for name, value in query.items() if value is not None}
        async with self._session.request(
            method,
            self._format_path(path, args),
            params=query,
            headers={**(headers or {}), **self._login.header},
            allow_redirects=False,
        ) as answer:
            return answer.status, answer.headers, answer.request_info, await whole(answer)


class _Object:
    """One object of a bucket."""

    def __init__(self, buckets: _Buckets, bucket: str, key: str) -> None:
        self._buckets = buckets
        self._path = f"{bucket}/{key}"

    async def version(self) -> Version:
        """By its generation."""
        told = await self._buckets._get_object(self._path)  # noqa: SLF001 - without listing folders
        size, generation = str(told["size"]), str(told["generation"])
        if not (size.isdecimal() and generation.isdecimal()):
            raise ValueError("no number")
        return Version(generation, int(size), str(told.get("contentEncoding") or ""))

    async def piece(self, version: Version, first: int, end: int) -> bytes:
        """Of this generation."""
        found: bytes = await self._buckets._cat_file(  # noqa: SLF001 - fsspec's own way in a loop
            self._path, first, end, generation=version.mark
        )
        return found

    async def close(self) -> None:
        """The session is all that it has."""
        await asyncio.sleep(0)
