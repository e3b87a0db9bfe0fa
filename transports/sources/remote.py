"""A recording in a store that speaks HTTP: where its connection is cut, its reading goes on.

It goes on only within the version that was begun: by the range that is missing, on the condition
of the version's ETag, and the answer must name both. A store that tells no strong ETag (RFC 9110,
8.8.3), or answers with anything else, is read anew by the next try of the file.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from types import TracebackType
from typing import NamedTuple, Self

from transports.base import closed_on_failure
from transports.errors import SourceAway, SourceChanged, SourceUnreadable
from transports.sources.http import Answer, Headers, Silent
from transports.sources.stores import Reach

PAUSES = (0.2, 1.0, 6.0)
"""Seconds before a cut connection is opened anew, as long as none brings anything. The last one is
longer than a store that did not answer is left alone (`stores.PAUSE`).
"""
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e\x80-\xff]+"')
_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")

Ask = Callable[[Headers], Answer]
"""Asks for the recording with these headers besides; the answer's status is 200, 206, 412 or 416.

Raises SourceFailure for every other.
"""


class _Version(NamedTuple):
    """Which version of the recording an answer has, as far as the store tells."""

    etag: str
    size: int | None

    @property
    def is_certain(self) -> bool:
        """Whether two answers that tell it have the same bytes."""
        return _STRONG_ETAG.fullmatch(self.etag) is not None


class RemoteSource:
    """Requested when it is opened, and again when it is read once more.

    Each block must come within the stall limit, the whole at the speed of `Limits.source`, and more
    than `Reach.max_bytes` are not taken.
    """

    def __init__(self, ask: Ask, condition: str, reach: Reach) -> None:
        """`condition`: the header that makes a range depend on an ETag, If-Range or If-Match."""
        self._ask = ask
        self._condition = condition
        self._check_size = reach.check_size
        self._limits = reach.limits
        self._cut = threading.Event()
        self._answer: Answer | None = None
        self._version = _Version("", None)
        self._total: int | None = None
        self._given = 0
        self._waited = 0.0

    def __enter__(self) -> Self:
        self._answer = self._begin()
        self._version = _version(self._answer)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._let_go()

    @property
    def size(self) -> int | None:
        """The Content-Length, None where the store does not tell it."""
        return self._version.size

    def __iter__(self) -> Iterator[bytes]:
        """The content in blocks. Raises SourceMissing, SourceUnreadable, SourceChanged."""
        if self._answer is None or self._answer.begun:
            self._let_go()
            self._answer = self._begin_again()
        self._total, self._given, self._waited = self.size, 0, 0.0
        while block := self._next_block():
            yield block
        if self._total not in {None, self._given}:
            raise SourceUnreadable(f"It ended after {self._given} of its {self._total} bytes")

    def cut(self) -> None:
        """End a wait for more of it, from any thread."""
        self._cut.set()
        if self._answer is not None:
            self._answer.cut()

    def _let_go(self) -> None:
        if self._answer is not None:
            self._answer.close()
            self._answer = None

    def _begin(self) -> Answer:
        answer = self._ask([])
        with closed_on_failure(answer):
            if answer.status != HTTPStatus.OK:
                raise SourceUnreadable(answer.words)
            answer.check_plain()
            self._check_size(answer.size or 0)
        return answer

    def _begin_again(self) -> Answer:
        answer = self._begin()
        with closed_on_failure(answer):
            if _version(answer) != self._version:
                raise SourceChanged
        return answer

    def _next_block(self) -> bytes:
        started = time.monotonic()
        block = self._read_on()
        self._waited += time.monotonic() - started
        self._given += len(block)
        self._check_size(self._given)
        if block and self._waited > self._limits.source(self._given):
            raise SourceAway(f"After {self._waited:.0f} seconds only {self._given} bytes came")
        return block

    def _read_on(self) -> bytes:
        """The next block; over a new connection where the one that stood is cut."""
        for pause in (*PAUSES, None):
            try:
                if self._answer is None:
                    self._answer = self._resume() if self._given else self._begin_again()
                return self._answer.next_block()
            except SourceAway as failure:
                self._let_go()
                if pause is None or not self._may_go_on(failure, pause) or self._cut.wait(pause):
                    raise
        raise AssertionError("the last pause is None")

    def _may_go_on(self, failure: SourceAway, pause: float) -> bool:
        """After a silence once only, and only in the middle: the customer's server waits too."""
        if isinstance(failure, Silent):
            return self._given > 0 and self._version.is_certain and pause == PAUSES[0]
        return self._version.is_certain or not self._given

    def _resume(self) -> Answer:
        """The rest of this very version. Raises SourceChanged, SourceFailure."""
        range_ = ("Range", f"bytes={self._given}-")
        answer = self._ask([range_, (self._condition, self._version.etag)])
        with closed_on_failure(answer):
            if answer.status not in {HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT}:
                raise SourceChanged
            answer.check_plain()
            self._check_range(answer)
        return answer

    def _check_range(self, answer: Answer) -> None:
        if answer.header("etag") != self._version.etag:
            raise SourceChanged
        told = answer.header("content-range")  # not the status: rclone has 200 for a range too
        if answer.status == HTTPStatus.OK and not told:
            raise SourceUnreadable("The connection was cut, and the store gives no ranges")
        found = _RANGE.fullmatch(told)
        first, last, total = map(int, found.groups()) if found else (-1, -1, -1)
        if first != self._given or last != total - 1 or answer.size != total - first:
            raise SourceUnreadable("The store answers with another range than was asked for")
        if self._total not in {None, total}:
            raise SourceChanged
        self._total = total


def _version(answer: Answer) -> _Version:
    return _Version(answer.header("etag"), answer.size)
