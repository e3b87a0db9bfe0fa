"""What passes to the server is counted, bounded and hashed, however long it is."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from config.accounts import HashAlgorithm
from transports.base import BLOCK
from transports.content import Content
from transports.errors import SourceMismatch


@dataclass
class Blocks:
    """A recording in memory."""

    content: bytes
    size: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self.content), BLOCK):
            yield self.content[start : start + BLOCK]


@pytest.mark.parametrize("blocks", [0, 1, 2])
def test_its_digests_are_of_all_that_has_passed(blocks: int) -> None:
    sent = os.urandom(blocks * BLOCK + 1)
    content = Content(Blocks(sent), None, HashAlgorithm.MD5)
    assert b"".join(content) == sent
    assert content.size == len(sent)
    assert content.sha256 == hashlib.sha256(sent).hexdigest()
    assert content.digest(HashAlgorithm.MD5) == hashlib.md5(sent).hexdigest()  # noqa: S324 - as asked


@pytest.mark.parametrize("blocks", [1, 2])
def test_a_source_that_gives_more_than_announced_is_ended(blocks: int) -> None:
    sent = bytes(blocks * BLOCK)
    content = Content(Blocks(sent), len(sent) - 1)
    with pytest.raises(SourceMismatch, match=f"more than the {len(sent) - 1} bytes"):
        list(content)
