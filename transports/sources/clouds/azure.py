"""Recordings in containers of Azure Blob Storage, through adlfs.

adlfs takes what stands behind a ? in a name for a version, finds logins in the environment, and
leaves a finaliser behind that keeps each of its file systems to the end of the process: so it is
made without its own beginning, connects by a session that is guarded, and is asked by names that
are not parsed. Tokens, where there is neither key nor signature, are azure-identity's, in the
thread of the upload.
"""

import functools
import os
import threading
import time
from http import HTTPStatus
from typing import Any, Self

import aiohttp
from adlfs import AzureBlobFileSystem
from azure.core import MatchConditions
from azure.core.credentials import AccessToken, AzureSasCredential
from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import AioHttpTransport
from azure.identity import CredentialUnavailableError, DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient
from fsspec.asyn import AsyncFileSystem
from pydantic import SecretStr

from config.clouds import AzureSettings
from transports.base import Limits
from transports.errors import SourceAway, SourceFailure, SourceRefused, SourceUnreadable
from transports.sources.clouds.guard import NONSENSE, Refusal
from transports.sources.clouds.loop import Loop
from transports.sources.clouds.reading import CloudSource, Opened, Version
from transports.sources.http import place_of
from transports.sources.logins import Login
from transports.sources.object_urls import ObjectUrl
from transports.sources.stores import Reach
from transports.words import spoken

_SCOPE = "https://storage.azure.com/.default"
_RENEWAL = 300
"""Seconds before its end in which a token is renewed."""
_MOST = 300
"""Characters of what azure-identity says."""
_UNAVAILABLE = "unavailable"
"""Says each way to a login that found nothing to try."""
_OF_THE_PLATFORM = {
    *("ContainerNotFound", "ContainerBeingDeleted", "ContainerDisabled", "AccountIsDisabled"),
    *("AuthenticationFailed", "InvalidAuthenticationInfo", "NoAuthenticationInformation"),
    *("InsufficientAccountPermissions", "AuthorizationFailure", "AuthorizationServiceMismatch"),
    *(
        "AuthorizationProtocolMismatch",
        "AuthorizationSourceIPMismatch",
        "KeyBasedAuthenticationNotPermitted",
    ),
    "AccountRequiresHttps",
}
"""Codes that tell of the platform's settings, not of a blob."""
_FOR_GOOD = {"BlobArchived", "BlobBeingRehydrated"}


def azure_source(found: ObjectUrl, reach: Reach) -> CloudSource:
    """The blob of Azure's, which may be read."""
    return CloudSource(AzureStore(found.bucket, found.key, reach.stores.azure), reach)


class AzureStore:
    """See `transports.sources.clouds.reading.Store`."""

    def __init__(self, container: str, key: str, settings: AzureSettings) -> None:
        self.root = f"az://{container}"
        self._container = container
        self.place = place_of(settings.url, "https", "http")
        self._key = key
        self._settings = settings
        has_login = settings.key or settings.sas
        self._tokens = None if has_login else _tokens()

    def renew(self, cut: threading.Event) -> None:
        """Raises SourceRefused, ResourcesExhausted, Cut."""
        if self._tokens is not None:
            self._tokens.renew(cut)

    def open(self, session: aiohttp.ClientSession, loop: Loop, reach: Reach) -> Opened:
        """The blob."""
        containers = _Containers(
            self._settings.url, self._credential(), session, loop, reach.limits
        )
        return _Blob(containers, self._container, self._key)

    def told(self, refusal: Refusal) -> tuple[str, str]:
        """The code, which also an answer without content has."""
        code = refusal.headers.get("x-ms-error-code", "")
        return code, f"{spoken(code)} (HTTP {refusal.status})" if code else refusal.words

    def meaning(self, status: int, code: str) -> type[SourceFailure] | None:
        """By the code, where it tells more than the status."""
        if code in _OF_THE_PLATFORM or status == HTTPStatus.UNAUTHORIZED:
            return SourceRefused
        return SourceUnreadable if code in _FOR_GOOD else None

    def _credential(self) -> Any:
        key, sas = self._settings.key, self._settings.sas
        if key is not None:
            return {
                "account_name": self._settings.account,
                "account_key": key.get_secret_value(),
            }
        return self._tokens if sas is None else AzureSasCredential(sas.get_secret_value())


class _Tokens(Login):
    """What Azure's tools find of logins: of the environment, a pod, or the machine."""

    def __init__(self) -> None:
        super().__init__()
        self._token = AccessToken("", 0)
        self._credential: DefaultAzureCredential | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether it outlasts what is asked for with it."""
        return self._token.expires_on > time.time() + _RENEWAL

    def ask(self) -> None:
        """Raises SourceRefused."""
        try:
            if self._credential is None:
                self._credential = _credential()
            self._token = self._credential.get_token(_SCOPE)
        except (AzureError, OSError, *NONSENSE) as error:
            raise SourceRefused(
                f"No credentials for Azure: {_attempt(error)}. Set COURIER_AZ_KEY, COURIER_AZ_SAS "
                "or COURIER_AZ_CONNECTION_STRING, or what Azure's tools read"
            ) from None

    async def get_token(self, *_scopes: str, **_more: Any) -> AccessToken:
        """As Azure's client asks for it: what was renewed before."""
        return self._token

    async def close(self) -> None:
        """It is kept for the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """It is kept for the process."""


def _credential() -> DefaultAzureCredential:
    """Without the tools of developers. Raises ValueError where the environment is wrong."""
    return DefaultAzureCredential(
        exclude_cli_credential=True,
        exclude_developer_cli_credential=True,
        exclude_powershell_credential=True,
        exclude_shared_token_cache_credential=True,
        exclude_visual_studio_code_credential=True,
        exclude_broker_credential=True,
        connection_timeout=5,
        read_timeout=10,
        retry_total=1,
    )


def _attempt(error: BaseException) -> str:
    """What the last way to a login said, at which Azure's library gave up; they all are in its
    text, between sentences of advice.
    """
    _, are_told, told = str(error).partition("Attempted credentials:")
    tries = told.partition("\nTo mitigate")[0].split("\n\t")[1:]
    if isinstance(error, CredentialUnavailableError) or (
        are_told and all(_UNAVAILABLE in each for each in tries)
    ):
        return "none were found"
    secret = SecretStr(os.environ.get("AZURE_CLIENT_SECRET", ""))
    return spoken(tries[-1] if tries else str(error), secret, _MOST).rstrip(".")


@functools.lru_cache(maxsize=1)
def _tokens() -> _Tokens:
    """One for the process: tokens are asked for once, and renewed in time."""
    return _Tokens()


class _Containers(AzureBlobFileSystem):  # type: ignore[misc]
    """adlfs over a guarded session. It asks once: when to ask again is decided above."""

    cachable = False

    def __init__(
        self, url: str, credential: Any, session: aiohttp.ClientSession, loop: Loop, limits: Limits
    ) -> None:
        AsyncFileSystem.__init__(self, loop=loop.loop, use_listings_cache=False)
        self._connection = (url, credential, session, limits)
        self.do_connect()

    def do_connect(self) -> None:
        """Makes the client, which connects once it is asked for something."""
        url, credential, session, limits = self._connection
        self.service_client = BlobServiceClient(
            url,
            credential,
            transport=AioHttpTransport(
                session=session,
                session_owner=False,
                use_env_settings=False,
                connection_timeout=limits.connect,
                read_timeout=limits.stall,
            ),
            retry_total=0,
            permit_redirects=False,
        )


class _Blob:
    """One blob of a container.

    The client asks for a range that was cut again by itself, three times and within our limit.
    """

    def __init__(self, containers: _Containers, container: str, key: str) -> None:
        self._client = containers.service_client.get_blob_client(container, key)

    async def version(self) -> Version:
        """By its ETag."""
        told = await _meant(self._client.get_blob_properties())
        encoding = told.content_settings.content_encoding or ""
        return Version(str(told.etag), int(told.size), encoding)

    async def piece(self, version: Version, first: int, end: int) -> bytes:
        """Of the version with this ETag."""
        found: bytes = await _meant(self._read(version, first, end))
        return found

    async def close(self) -> None:
        """The session is closed by whoever has made it."""
        await self._client.close()

    async def _read(self, version: Version, first: int, end: int) -> bytes:
        download = await self._client.download_blob(
            offset=first,
            length=end - first,
            etag=version.mark,
            match_condition=MatchConditions.IfNotModified,
            max_concurrency=1,
            decompress=False,
        )
        found: bytes = await download.readall()
        return found


async def _meant(work: Any) -> Any:
    """What the client raises itself is of the connection."""
    try:
        return await work
    except AzureError as error:
        raise _cause(error) from None


def _cause(error: AzureError) -> BaseException:
    """What the client has wrapped, maybe twice. Its own text may have the URL, with a signature."""
    cause: BaseException | None = error
    while isinstance(cause, AzureError):
        cause = cause.inner_exception or cause.__cause__
    if isinstance(cause, aiohttp.ClientError | OSError):
        return cause
    return SourceAway(f"Azure's client could not read it ({type(error).__name__})")
