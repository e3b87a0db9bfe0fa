"""Opens a recording, wherever it lies, as a stream of blocks."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote_to_bytes

from transports.base import BLOCK, Egress, Limits
from transports.errors import (
    SourceChanged,
    SourceMissing,
    SourceRefused,
    SourceUnreadable,
    TransferError,
)
from transports.sources.files import open_regular, resolve_within
from transports.sources.generated import SCHEME, GeneratedSource
from transports.sources.object_urls import SCHEMES, ObjectUrl, scheme_of
from transports.sources.stores import Reach, Stores
from transports.words import system_words

_FILE_URL = re.compile(r"file://(?:localhost)?(/.*)", re.IGNORECASE | re.DOTALL)


class Source(Protocol):
    """A recording that can be read, again from its beginning each time it is iterated."""

    @property
    def size(self) -> int | None:
        """Bytes, None where it is not known before the end."""

    def __iter__(self) -> Iterator[bytes]:
        """The content. Raises SourceChanged where it was replaced while it was read."""


class OpenSource(Source, Protocol):
    """One that is held open."""

    def cut(self) -> None:
        """End a wait for more of it, from any thread: reading on fails then."""


@contextlib.contextmanager
def open_source(
    url: str,
    *,
    dirs: tuple[Path, ...],
    max_bytes: int,
    egress: Egress,
    limits: Limits,
    stores: Stores | None = None,
) -> Iterator[OpenSource]:
    """The recording at a `file://`, `https://`, `s3://`, `gs://` or `az://` URL, or the canary's.

    Files must be regular, on a file system that stores them, and, where `dirs` names folders, lie
    in one of them after all symbolic links are resolved. Others have `max_bytes` at most, and
    connections go only where `egress` lets them. `stores` has their logins, and the buckets
    that may be read; None: neither.
    Raises SourceMissing, SourceUnreadable.
    """
    if scheme_of(url) in {"https", *SCHEMES}:
        reach = Reach(max_bytes, egress, limits, stores or Stores())
        with remote(url, reach) as source:
            yield source
        return
    if url.startswith(f"{SCHEME}://"):
        yield GeneratedSource(url)
        return
    with FileSource(path_of(url), dirs) as file:
        yield file


def remote(url: str, reach: Reach) -> AbstractContextManager[OpenSource]:
    """One that is read over the network: https or a store of objects. Raises SourceUnreadable."""
    if scheme_of(url) == "https":
        from transports.sources.https import https_source  # noqa: PLC0415 - only where it is used

        return https_source(url, reach)
    found = reach.stores.object_at(url)
    try:
        return _OPENERS[found.scheme](found, reach)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        words = (
            f"This worker lacks the package {package}, which {found.scheme}:// recordings are "
            f"read with: install {SCHEMES[found.scheme].extra}"
        )
        raise SourceRefused(words) from None


def _s3(found: ObjectUrl, reach: Reach) -> AbstractContextManager[OpenSource]:
    from transports.sources.s3 import s3_source  # noqa: PLC0415 - only where it is used

    return s3_source(found, reach)


def _google(found: ObjectUrl, reach: Reach) -> AbstractContextManager[OpenSource]:
    from transports.sources.clouds.google import google_source  # noqa: PLC0415 - the same

    return google_source(found, reach)


def _azure(found: ObjectUrl, reach: Reach) -> AbstractContextManager[OpenSource]:
    from transports.sources.clouds.azure import azure_source  # noqa: PLC0415 - the same

    return azure_source(found, reach)


_OPENERS: dict[str, Callable[[ObjectUrl, Reach], AbstractContextManager[OpenSource]]] = {
    "s3": _s3,
    "gs": _google,
    "az": _azure,
}


class FileSource:
    """A regular file, held open."""

    def __init__(self, path: Path, dirs: tuple[Path, ...]) -> None:
        """Open it. Raises SourceMissing, SourceUnreadable."""
        with _readable():
            self._path = resolve_within(path, dirs)
            self._file = open_regular(self._path)
        self._before = os.fstat(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        """Bytes when it was opened."""
        return self._before.st_size

    def __iter__(self) -> Iterator[bytes]:
        """The content in blocks. Of a file that grows, only the bytes it had when it was opened.

        Raises SourceChanged, SourceUnreadable.
        """
        with _readable():
            self._file.seek(0)
        left = self.size
        while left and (block := self._next_block(left)):
            left -= len(block)
            yield block
        self._check_unchanged(left)

    def cut(self) -> None:
        """A file is not waited for."""

    def _next_block(self, left: int) -> bytes:
        with _readable():
            return self._file.read(min(BLOCK, left)) or b""

    def _check_unchanged(self, left: int) -> None:
        with _readable():
            after = os.fstat(self._file.fileno())
        if left or _version(after) != _version(self._before):
            raise SourceChanged("The recording was written to while it was read")
        # One that is gone by now was read whole all the same.
        with _readable(), contextlib.suppress(FileNotFoundError):
            if _identity(self._path.stat()) != _identity(after):
                raise SourceChanged


def path_of(url: str) -> Path:
    """The file that a `file` URL names. Raises SourceUnreadable where it names none."""
    match = _FILE_URL.fullmatch(url)
    try:
        path = unquote_to_bytes(match[1]) if match else b"\0"
    except UnicodeError:  # half a surrogate pair
        path = b"\0"
    if b"\0" in path:
        raise SourceUnreadable("It is not the URL of a file on this machine")
    return Path(os.fsdecode(path))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _version(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except TransferError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceMissing(system_words(error)) from error
    except OSError as error:
        raise SourceUnreadable(system_words(error)) from error
