"""Digests of what passes, with the one that hashlib does not have."""

import hashlib
import zlib
from typing import Protocol

from config.accounts import HashAlgorithm


class Digest(Protocol):
    """Of all bytes that were put into it."""

    def update(self, data: bytes, /) -> None:
        """Some more of them."""

    def hexdigest(self) -> str:
        """The digest so far, in hexadecimal digits."""


class Crc32:
    """The checksum of IEEE 802.3, told by XCRC: it guards against damage, not against malice."""

    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        """Some more bytes."""
        self._value = zlib.crc32(data, self._value)

    def hexdigest(self) -> str:
        """Eight digits, with the zeros in front."""
        return f"{self._value:08x}"


def new_digest(algorithm: HashAlgorithm) -> Digest:
    """Of nothing yet."""
    if algorithm is HashAlgorithm.CRC32:
        return Crc32()
    return hashlib.new(algorithm, usedforsecurity=False)


def digest_of(content: bytes, algorithm: HashAlgorithm) -> str:
    """Of this content, in hexadecimal digits."""
    digest = new_digest(algorithm)
    digest.update(content)
    return digest.hexdigest()
