"""The way of a recording's bytes to the server, and how far it is made sure that they arrived."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from config.accounts import HashAlgorithm
from transports.base import Put, Server, Unsupported, is_refused, put_alone
from transports.content import Content, Mark
from transports.errors import ContentDamaged, SourceMismatch, TemporaryGone, VerificationFailed
from transports.job import Job, Verified
from transports.phases import Phase
from transports.sources.source import Source

SIZE_WAITS = (0.1, 0.4, 1.0, 2.0)
"""Seconds before each further question for a size that does not fit."""

GONE = "The temporary file is gone from the server"


class Sending:
    """One recording on its way: opened when its first byte is wanted, closed behind its last."""

    def __init__(self, open_source: Callable[[], AbstractContextManager[Source]], job: Job) -> None:
        self._open_source = open_source
        self._job = job
        self._content: Content | None = None

    @property
    def is_begun(self) -> bool:
        """Whether the server was ready for its bytes: the file there is this upload's then."""
        return self._content is not None and self._content.is_begun

    @property
    def content(self) -> Content:
        """What has passed."""
        if self._content is None:
            raise AssertionError("No byte was asked for")
        return self._content

    @contextmanager
    def opened(self, behind: Mark | None = None) -> Iterator[Iterable[bytes]]:
        """Its blocks; those behind a mark of what has passed before.

        Raises SourceMismatch where they are not what the event says, and what the source raises.
        """
        job = self._job
        job.progress.phase = Phase.OPENING
        with self._open_source() as source:
            job.progress.phase = Phase.WRITING
            self._content = Content(source, job.expected_size, job.hash or HashAlgorithm.SHA256)
            if source.size is not None:
                _check_size(source.size, job)
            blocks = self._content if behind is None else self._content.behind(behind)
            try:
                yield blocks if job.spread is None else job.spread(blocks)
            finally:
                job.progress.sent = self._content.size
        _check_size(self._content.size, job)
        sha256 = self._content.sha256
        if job.expected_sha256 is not None and job.expected_sha256.lower() != sha256:
            raise SourceMismatch(f"Its SHA-256 is {sha256}, the event says {job.expected_sha256}")

    def refused(self, put: Put) -> None:
        """The server has refused it: what it has not taken before counts as not sent."""
        progress = self._job.progress
        progress.sent = min(progress.sent, put.reached)


def send(server: Server, sending: Sending, path: str, *, new: bool = False) -> Content:
    """Stream the recording to the path. Raises TargetExists with `new`."""
    put = Put(path, sending.opened, new=new)
    try:
        seen = put_alone(server.put_all, put)
    finally:
        if is_refused(put):
            sending.refused(put)
    sending.content.seen = seen
    return sending.content


def verify(
    server: Server, path: str, content: Content, job: Job, *, may_be_taken: bool = False
) -> Verified:
    """How far the server confirms what was sent. Raises VerificationFailed.

    `may_be_taken`: under its final name the customer may take the file as soon as it is there.
    """
    job.progress.phase = Phase.VERIFYING
    if content.seen.size == content.size:
        verified = Verified.SIZE
    else:
        verified = _verify_size(server, path, content.size, may_be_taken=may_be_taken)
    if job.hash is None:
        return verified
    try:
        digest = content.seen.digest or server.digest(path, job.hash, content.size)
    except Unsupported:
        return verified
    sent = content.digest(job.hash)
    if digest != sent:
        told = f"The server's {job.hash.upper()} of the file is {digest}"
        raise ContentDamaged(f"{told}, that of what was sent {sent}")
    return Verified.by(job.hash)


def size_of(server: Server, path: str, expected: int, *, may_be_taken: bool = False) -> int | None:
    """The size that the server tells of a file that was just written. Raises Unsupported.

    Gateways of buckets tell it late: one that is too small, or none, is asked for again.
    """
    size = server.size(path)
    for seconds in SIZE_WAITS:
        if (size is None and may_be_taken) or (size is not None and size >= expected):
            break
        time.sleep(seconds)
        size = server.size(path)
    return size


def _check_size(size: int, job: Job) -> None:
    if job.expected_size is not None and size != job.expected_size:
        raise SourceMismatch(f"It has {size} bytes, the event says {job.expected_size}")


def _verify_size(server: Server, path: str, size: int, *, may_be_taken: bool) -> Verified:
    try:
        arrived = size_of(server, path, size, may_be_taken=may_be_taken)
    except Unsupported:
        return Verified.REPLY
    if arrived is None and may_be_taken:
        return Verified.REPLY
    if arrived is None:
        raise TemporaryGone(GONE)
    if arrived != size:
        raise VerificationFailed(f"The server stored {arrived} of the {size} bytes sent")
    return Verified.SIZE
