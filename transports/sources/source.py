"""Opens a recording, wherever it lies, as a stream of blocks."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self
from urllib.parse import unquote_to_bytes

from transports.base import BLOCK, Egress, Limits
from transports.errors import SourceChanged, SourceMissing, SourceUnreadable, TransferError
from transports.sources.files import open_regular, resolve_within
from transports.sources.generated import SCHEME, GeneratedSource
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
    url: str, *, dirs: tuple[Path, ...], max_bytes: int, egress: Egress, limits: Limits
) -> Iterator[OpenSource]:
    """The recording at a `file://` or `https://` URL, or the canary's own.

    Files must be regular, on a file system that stores them, and, where `dirs` names folders, lie
    in one of them after all symbolic links are resolved. https recordings have `max_bytes` at
    most, and connections go only where `egress` lets them.
    Raises SourceMissing, SourceUnreadable.
    """
    if url.lower().startswith("https://"):
        from transports.sources.https import HttpsSource  # noqa: PLC0415 - only where it is used

        with HttpsSource(url, max_bytes, egress, limits) as source:
            yield source
        return
    if url.startswith(f"{SCHEME}://"):
        yield GeneratedSource(url)
        return
    with FileSource(_path_of(url), dirs) as file:
        yield file


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
                raise SourceChanged("The recording was replaced while it was read")


def _path_of(url: str) -> Path:
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
    except RuntimeError as error:  # pathlib, for a circle of symbolic links
        raise SourceUnreadable("Too many levels of symbolic links") from error
