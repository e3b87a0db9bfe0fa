"""The stores that recordings may come from over the network, and what is known of them just now."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from config.clouds import AzureSettings, GoogleSettings
from config.stores import S3Settings, is_within
from transports.base import Egress, Limits
from transports.errors import SourceAway, SourceRefused, SourceUnreadable
from transports.sources.object_urls import SCHEMES, NoObject, ObjectUrl, parts_of

PAUSE = 5.0
"""Seconds for which a store that did not answer is not asked again."""


@dataclass
class _Silence:
    """A store that did not answer: why, and when somebody may try it again."""

    words: str
    until: float


class Stores:
    """For one process, and all of its threads."""

    def __init__(
        self,
        logins: Mapping[str, SecretStr] | None = None,
        s3: S3Settings | None = None,
        google: GoogleSettings | None = None,
        azure: AzureSettings | None = None,
    ) -> None:
        """`logins`: the Authorization header for each host (`host` or `host:port`) of https."""
        self.logins = logins or {}
        self.s3 = s3 or S3Settings()
        self.google = google or GoogleSettings()
        self.azure = (azure or AzureSettings()).resolved
        self.buckets = {
            "s3": self.s3.buckets,
            "gs": self.google.buckets,
            "az": self.azure.containers,
        }
        """Those that recordings may come from, by scheme."""
        self._lock = threading.Lock()
        self._silences: dict[str, _Silence] = {}
        self._read_since: set[str] = set()

    def object_at(self, url: str) -> ObjectUrl:
        """What the URL of an object names. Raises SourceUnreadable where it may not be read."""
        try:
            found = parts_of(url)
        except NoObject as error:
            raise SourceUnreadable(f"Its URL {error}") from None
        if not self._may_read(found):
            named = SCHEMES[found.scheme]
            raise SourceUnreadable(
                f"It is not in a {named.bucket} that recordings may come from ({named.setting})"
            )
        return found

    def permits(self, url: str) -> bool:
        """Whether the settings let this URL of an object be read. Raises NoObject."""
        return self._may_read(parts_of(url))

    def _may_read(self, found: ObjectUrl) -> bool:
        return is_within(self.buckets[found.scheme], found.bucket, found.key)

    @contextmanager
    def asking(self, store: str, seconds: float) -> Iterator[None]:
        """The block asks the store, which takes so many seconds at most.

        Raises SourceAway where the store did not answer just now. Then one after the other tries
        it: so it costs one upload slot a time limit, and not each of them.
        """
        self._check(store, seconds)
        try:
            yield
        except SourceAway as failure:
            self._note_silence(store, failure.words)
            raise
        except BaseException:  # nothing is known of the store: the next one may try it
            self._let_try(store)
            raise
        with self._lock:
            self._silences.pop(store, None)

    def note_read(self, store: str) -> None:
        """The login of this store may read what was just read there."""
        with self._lock:
            self._read_since.add(store)

    def refused(self, store: str, words: str) -> SourceUnreadable:
        """What a refusal means: the recording's own failure where the store has given another
        recording since the last refusal, else that of the login, for which the file waits.

        S3 does not tell whoever may not list a bucket that an object is missing, but refuses it:
        without this its file would wait as well.
        """
        with self._lock:
            is_own = store in self._read_since
            self._read_since.discard(store)
        return SourceUnreadable(words) if is_own else SourceRefused(words)

    def _check(self, store: str, seconds: float) -> None:
        now = time.monotonic()
        with self._lock:
            silence = self._silences.get(store)
            if silence is None:
                return
            if now < silence.until:
                raise SourceAway(silence.words)
            silence.until = now + seconds

    def _let_try(self, store: str) -> None:
        with self._lock:
            if (silence := self._silences.get(store)) is not None:
                silence.until = time.monotonic()

    def _note_silence(self, store: str, words: str) -> None:
        now = time.monotonic()
        with self._lock:
            for name in [name for name, each in self._silences.items() if each.until < now]:
                del self._silences[name]
            self._silences[store] = _Silence(words, now + PAUSE)


@dataclass(frozen=True)
class Reach:
    """How far recordings are fetched over the network."""

    max_bytes: int
    egress: Egress
    limits: Limits
    stores: Stores

    def check_size(self, size: int) -> None:
        """Raises SourceUnreadable where a recording may not have so many bytes."""
        if size > self.max_bytes:
            raise SourceUnreadable(
                f"It has more than the {self.max_bytes} bytes that a recording may have"
            )
