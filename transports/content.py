"""What passes from a recording to the server: counted, bounded and hashed on its way."""

import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from config.accounts import HashAlgorithm
from transports.base import BLOCK, Seen
from transports.errors import SourceMismatch
from transports.sources import Source

_IN_TURN = 16 * BLOCK
"""Bytes up to which handing blocks from thread to thread costs more than it brings."""
_AHEAD = 8
"""Blocks that are read before they can be sent: that much of a recording is in memory."""


class Content:
    """The blocks of a recording, for one upload; its digests are whole once it is closed.

    A long one is read and hashed in a thread beside the sending: neither needs the interpreter for
    most of its time, and together they take as long as the slower one.
    """

    def __init__(
        self, source: Source, most: int | None, algorithm: HashAlgorithm = HashAlgorithm.SHA256
    ) -> None:
        """`most`: bytes that it may have. `algorithm`: of which a digest is wanted as well."""
        self.size = 0
        self.seen = Seen()
        """What the server told on the way."""
        self._source = source
        self._most = most
        self._digests = {
            name: hashlib.new(name, usedforsecurity=False)
            for name in {HashAlgorithm.SHA256, algorithm}
        }
        self._reader: ThreadPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.shutdown(cancel_futures=True)

    @property
    def sha256(self) -> str:
        """Of what has passed, in hexadecimal digits."""
        return self.digest(HashAlgorithm.SHA256)

    def digest(self, algorithm: HashAlgorithm) -> str:
        """The same by SHA-256 or by the wanted algorithm."""
        return self._digests[algorithm].hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The blocks, once. Raises what the source raises, SourceMismatch for too much of it."""
        blocks = iter(self._source)
        while self.size < _IN_TURN:
            block = self._next(blocks)
            if block is None:
                return
            yield block
        yield from self._read_ahead(blocks)

    def _read_ahead(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="reader")
        ahead = deque(self._reader.submit(self._next, blocks) for _ in range(_AHEAD))
        while (block := ahead.popleft().result()) is not None:
            ahead.append(self._reader.submit(self._next, blocks))
            yield block

    def _next(self, blocks: Iterator[bytes]) -> bytes | None:
        """The next block, counted and hashed; None at the end."""
        block = next(blocks, None)
        if block is None:
            return None
        self.size += len(block)
        if self._most is not None and self.size > self._most:
            raise SourceMismatch(f"It has more than the {self._most} bytes that the event says")
        for digest in self._digests.values():
            digest.update(block)
        return block
