"""What passes from a recording to the server: counted, bounded and hashed on its way."""

import hashlib
from collections.abc import Iterator

from config.accounts import HashAlgorithm
from transports.base import PutResult
from transports.errors import SourceMismatch
from transports.sources.source import Source


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
        self._digests = {
            name: hashlib.new(name, usedforsecurity=False)
            for name in {HashAlgorithm.SHA256, algorithm}
        }

    @property
    def sha256(self) -> str:
        """Of what has passed, in hexadecimal digits."""
        return self.digest(HashAlgorithm.SHA256)

    def digest(self, algorithm: HashAlgorithm) -> str:
        """The same by SHA-256 or by the wanted algorithm."""
        return self._digests[algorithm].hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The blocks, once. Raises what the source raises, SourceMismatch for too much of it."""
        self.is_begun = True
        for block in self._source:
            self.size += len(block)
            if self._most is not None and self.size > self._most:
                raise SourceMismatch(f"It has more than the {self._most} bytes that the event says")
            for digest in self._digests.values():
                digest.update(block)
            yield block
