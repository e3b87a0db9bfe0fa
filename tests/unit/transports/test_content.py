"""What passes to the server is counted, bounded and hashed, however long it is."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from config.accounts import HashAlgorithm
from transports.base import BLOCK
from transports.content import MARK_EVERY, Content
from transports.errors import SourceChanged, SourceMismatch


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


def passed(sent: bytes, **more: Any) -> Content:
    """A recording all of which has passed."""
    content = Content(Blocks(sent), None, **more)
    assert b"".join(content) == sent
    return content


def test_what_is_behind_a_mark_passes_again_and_counts_with_what_was_before() -> None:
    sent = os.urandom(3 * MARK_EVERY)
    mark = passed(sent, algorithm=HashAlgorithm.CRC32).mark_before(2 * MARK_EVERY + BLOCK)
    assert mark is not None
    assert MARK_EVERY < mark.size <= 2 * MARK_EVERY + BLOCK
    again = Content(Blocks(sent), None, HashAlgorithm.CRC32)
    assert b"".join(again.behind(mark)) == sent[mark.size :]
    assert (again.size, again.sha256) == (len(sent), hashlib.sha256(sent).hexdigest())
    assert again.mark_before(mark.size) == mark


@pytest.mark.parametrize("at", [0, MARK_EVERY])
def test_a_recording_that_is_another_one_before_the_mark_is_told(at: int) -> None:
    sent = os.urandom(3 * MARK_EVERY)
    mark = passed(sent).mark_before(2 * MARK_EVERY)
    assert mark is not None
    other = sent[:at] + bytes([sent[at] ^ 1]) + sent[at + 1 :]
    with pytest.raises(SourceChanged):
        b"".join(Content(Blocks(other), None).behind(mark))
    with pytest.raises(SourceChanged):
        b"".join(Content(Blocks(sent[: mark.size - 1]), None).behind(mark))


def test_a_mark_within_a_block_ends_that_one() -> None:
    sent = os.urandom(3 * MARK_EVERY)
    mark = passed(sent).mark_before(2 * MARK_EVERY)
    assert mark is not None

    class Whole(Blocks):
        def __iter__(self) -> Iterator[bytes]:
            yield self.content

    assert b"".join(Content(Whole(sent), None).behind(mark)) == sent[mark.size :]


def test_the_newest_marks_are_kept() -> None:
    content = passed(bytes(100 * MARK_EVERY))
    assert content.mark_before(MARK_EVERY * 2) is None
    assert content.mark_before(len(bytes(100 * MARK_EVERY))) is not None
    assert passed(b"short").mark_before(5) is None
