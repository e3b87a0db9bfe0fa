"""Recordings in buckets of S3 and of whatever speaks its protocol.

botocore finds the credentials and signs. The request itself goes as one over https does: by the
rules of egress and within our limits, whereas botocore looks names up and follows redirects itself,
and nothing could cut it.
"""

import contextlib
import functools
import re
import threading
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials, ReadOnlyCredentials, RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from config.stores import S3Settings, is_sendable
from transports.base import closed_on_failure
from transports.errors import (
    SourceAway,
    SourceChanged,
    SourceFailure,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
)
from transports.sources.http import (
    PASSING,
    Answer,
    Headers,
    NoSuchPlace,
    Place,
    ask,
    place_of,
)
from transports.sources.logins import Login
from transports.sources.object_urls import ObjectUrl
from transports.sources.remote import RemoteSource
from transports.sources.stores import Reach
from transports.words import spoken

DEFAULT_REGION = "us-east-1"
_MAY, _MUST = 900, 600
"""Seconds before their end in which credentials may, and have to be renewed, as botocore has it."""
_NEVER = threading.Event()
"""Whoever waits for credentials waits for as long as they may take."""
_MAX_ERROR = 16 * 1024
"""Bytes of an error's XML that are read."""
_ELEMENT = re.compile(r"<(Code|Message)>([^<]{1,500})</\1>")
_REDIRECTS = {301, 302, 303, 307, 308}
_CHANGED = {412, 416}
_FOR_GOOD = {"InvalidObjectState"}
"""Codes of 403 that are about one object: it lies in an archive."""
_OF_A_LOGIN = {
    *("ExpiredToken", "InvalidToken", "TokenRefreshRequired", "AuthorizationHeaderMalformed"),
    *("AuthorizationQueryParametersError", "IncorrectEndpoint", "NoSuchBucket"),
}
"""Codes of 400 and 404 that tell of the platform's settings, not of an object."""


def s3_source(found: ObjectUrl, reach: Reach) -> RemoteSource:
    """The object of S3, which may be read."""
    return RemoteSource(
        functools.partial(_ask_for, found.bucket, found.key, reach), "If-Match", reach
    )


def _ask_for(bucket: str, key: str, reach: Reach, headers: Headers) -> Answer:
    """See `transports.sources.remote.Ask`."""
    with _credentials_found():
        signer = _signer(reach.stores.s3)
        url = _url(reach.stores.s3, signer.region, bucket, key)
        signed = signer.signed(url, headers)
    place = place_of(url, "https", "http")
    try:
        answer = ask(place, signed, reach)
    except NoSuchPlace as error:  # the operator has named it, and can mend it
        raise SourceAway(error.words) from error
    with closed_on_failure(answer):
        if answer.status in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
            _check_told(answer, place)
            reach.stores.note_read(f"s3://{bucket}")
            return answer
        raise _failure(answer, bucket, reach)


class _Signer:
    """Signs requests with the credentials of the settings, or of Amazon's chain. Thread-safe."""

    def __init__(self, s3: S3Settings) -> None:
        """Raises BotoCoreError."""
        session = Session()
        # Of what the chain asks for by itself: roles at STS, credentials of a host or a container.
        session.set_default_client_config(
            Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
        )
        self._login = _Chain(s3, session)
        self.region = s3.region or session.get_config_variable("region") or DEFAULT_REGION

    def signed(self, url: str, headers: Headers) -> Headers:
        """The headers, with those of the signature. Raises SourceRefused, ResourcesExhausted,
        BotoCoreError."""
        request = AWSRequest(method="GET", url=url, headers=dict(headers))
        frozen = self._login.frozen()
        if not (is_sendable(frozen.access_key) and is_sendable(frozen.token or "none")):
            words = "The login for S3 has characters in it that no request can have"
            raise SourceRefused(words)
        S3SigV4Auth(frozen, "s3", self.region).add_auth(request)
        return [*request.headers.items()]


class _Chain(Login):
    """The credentials of the settings, or what Amazon's chain finds: a program of the operator's
    among others, which botocore gives no time limit."""

    def __init__(self, s3: S3Settings, session: Session) -> None:
        super().__init__()
        self._s3 = s3
        self._session = session
        self._credentials: Credentials | None = None
        self._frozen = ReadOnlyCredentials("", "", "")

    def frozen(self) -> ReadOnlyCredentials:
        """Those that are valid for long enough are nobody's to wait for. Raises SourceRefused,
        ResourcesExhausted."""
        self.renew(_NEVER)
        return self._frozen

    @property
    def is_fresh(self) -> bool:
        return self._credentials is not None and not self._ends_in(_MUST)

    @property
    def is_due(self) -> bool:
        return self._ends_in(_MAY)

    def ask(self) -> None:
        """botocore renews them where they are due."""
        with _credentials_found():
            credentials = self._credentials or self._find()
            self._frozen = credentials.get_frozen_credentials()
            self._credentials = credentials

    def _find(self) -> Credentials:
        secret = self._s3.secret_access_key
        if self._s3.access_key_id and secret:
            return Credentials(self._s3.access_key_id, secret.get_secret_value())
        found: Credentials | None = self._session.get_credentials()
        if found is None:
            raise SourceRefused(
                "No credentials for S3 were found: set COURIER_S3_ACCESS_KEY_ID and "
                "COURIER_S3_SECRET_ACCESS_KEY, or what Amazon's tools read"
            )
        return found

    def _ends_in(self, seconds: int) -> bool:
        found = self._credentials
        return isinstance(found, RefreshableCredentials) and bool(found.refresh_needed(seconds))


@functools.lru_cache(maxsize=4)
def _signer(s3: S3Settings) -> _Signer:
    """One for the process: credentials of a role are asked for once, and renewed in time."""
    return _Signer(s3)


@contextlib.contextmanager
def _credentials_found() -> Iterator[None]:
    """The edge to botocore: what it cannot find or renew is the operator's to mend."""
    try:
        yield
    except (BotoCoreError, ClientError, RuntimeError) as error:  # the last: new ones that are over
        raise SourceRefused(f"No credentials for S3: {spoken(str(error))}") from error


def _url(s3: S3Settings, region: str, bucket: str, key: str) -> str:
    """Buckets are in the path of an own endpoint, and in the host's name at Amazon.

    There a name with dots is in the path as well: the certificate has none for it.
    """
    path = quote(key, safe="/~")
    if s3.endpoint is not None:
        return f"{s3.endpoint}/{bucket}/{path}"
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    if "." in bucket:
        return f"https://s3.{region}.{domain}/{bucket}/{path}"
    return f"https://{bucket}.s3.{region}.{domain}/{path}"


def _check_told(answer: Answer, place: Place) -> None:
    """Without TLS nothing but its length tells that an answer has come to its end."""
    if place.scheme != "https" and answer.size is None:
        raise SourceUnreadable("The store does not tell its size")


def _failure(answer: Answer, bucket: str, reach: Reach) -> SourceFailure:
    """What an error means, by its status and by the code in it."""
    code, words = _code_and_words(answer)
    if answer.status in {401, 403} and code in {"", "AccessDenied", "AllAccessDisabled"}:
        return reach.stores.refused(f"s3://{bucket}", words)
    if answer.status in _REDIRECTS:
        region = spoken(answer.header("x-amz-bucket-region")) or "of another endpoint"
        return SourceRefused(f"{words}: the bucket is in the region {region}")
    return _meaning(answer.status, code)(words)


def _meaning(status: int, code: str) -> type[SourceFailure]:
    if status in PASSING:
        return SourceAway
    if status in _CHANGED:
        return SourceChanged
    of_a_login = status in {401, 403} and code not in _FOR_GOOD
    if of_a_login or code in _OF_A_LOGIN:
        return SourceRefused
    return SourceMissing if status in {404, 410} else SourceUnreadable


def _code_and_words(answer: Answer) -> tuple[str, str]:
    """The code of an error, and the words that are shown of it."""
    try:
        text = answer.beginning(_MAX_ERROR).decode("utf-8", "replace")
    except SourceUnreadable:  # it broke off: its status is told all the same
        text = ""
    told = dict(_ELEMENT.findall(text))
    code, message = told.get("Code", ""), told.get("Message", "")
    words = ": ".join(each for each in (code, message) if each)
    return code, f"{spoken(words)} (HTTP {answer.status})" if words else answer.words
