"""What passes from a recording to the server: counted, bounded and hashed on its way."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from config.accounts import HashAlgorithm
from transports.base import PutResult
from transports.digests import new_digest
from transports.errors import SourceChanged, SourceMismatch
from transports.sources.source import Source

MARK_EVERY = 1024 * 1024
"""Bytes after which it is noted what has passed so far."""
_MOST_MARKS = 64
"""The newest are kept: so much may be on its way unconfirmed where an upload is cut."""


class Mark(NamedTuple):
    """The first bytes of a recording, as they have passed."""

    size: int
    digests: Mapping[HashAlgorithm, str]


class Content:
    """The blocks of a recording, for one upload."""

    def __init__(
        self, source: Source, most: int | None, algorithm: HashAlgorithm = HashAlgorithm.SHA256
    ) -> None:
        """`most`: bytes that it may have. `algorithm`: of which a digest is wanted as well."""
        self.size = 0
        self.is_begun = False
        """Whether the server was ready for its bytes: the file there is this upload's then."""
        self.seen = PutResult()
        """What the server told on the way."""
        self._source = source
        self._most = most
        self._digests = {name: new_digest(name) for name in {HashAlgorithm.SHA256, algorithm}}
        self._marks = deque[Mark](maxlen=_MOST_MARKS)
        self._next_mark = MARK_EVERY

    @property
    def sha256(self) -> str:
        """Of what has passed, in hexadecimal digits."""
        return self.digest(HashAlgorithm.SHA256)

    def digest(self, algorithm: HashAlgorithm) -> str:
        """The same by SHA-256 or by the wanted algorithm."""
        return self._digests[algorithm].hexdigest()

    def mark_before(self, size: int) -> Mark | None:
        """The last mark within the first `size` bytes; None where none is kept."""
        return next((mark for mark in reversed(self._marks) if mark.size <= size), None)

    def __iter__(self) -> Iterator[bytes]:
        """The blocks, once. Raises what the source raises, SourceMismatch for too much of it."""
        return self._passing(self._source)

    def behind(self, mark: Mark) -> Iterator[bytes]:
        """The blocks behind the mark, once; those before it are read again.

        Raises SourceChanged where they are not the ones that have passed before.
        """
        for block in self._passing(_split(self._source, mark.size)):
            if self.size > mark.size:
                yield block
            elif self.size == mark.size:
                self._compare(mark)
        if self.size < mark.size:
            self._compare(mark)

    def _passing(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        self.is_begun = True
        for block in blocks:
            self.size += len(block)
            if self._most is not None and self.size > self._most:
                raise SourceMismatch(f"It has more than the {self._most} bytes that the event says")
            for digest in self._digests.values():
                digest.update(block)
            if self.size >= self._next_mark:
                self._next_mark = self.size + MARK_EVERY
                self._marks.append(self._mark())
            yield block

    def _mark(self) -> Mark:
        return Mark(self.size, {name: each.hexdigest() for name, each in self._digests.items()})

    def _compare(self, mark: Mark) -> None:
        if self._mark() != mark:
            raise SourceChanged("The recording was replaced while it was sent")


def _split(blocks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same, with an end of a block behind so many bytes."""
    left = size
    for block in blocks:
        if 0 < left < len(block):
            yield block[:left]
            yield block[left:]
        else:
            yield block
        left -= len(block)
