"""A test file by the very means of the uploads: whether a server fails, or one file at it."""

import secrets
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from transports.base import SAMPLE, Server
from transports.errors import TransferError
from transports.job import Intent, Job, Journal, Transfer, intend_each
from transports.names import join, like_part
from transports.phases import Progress
from transports.takeover import removed
from transports.upload import upload

_BLOCK = 256 * 1024


MOST_BYTES = 16 * 1024 * 1024
"""Hardly a recording is larger; a test file never is."""


class Sample:
    """A small text that is uploaded as the job would its recording, and removed again.

    With `size` it has so many bytes, MOST_BYTES at most: a server that has no room for a recording
    may well have room for a line.
    """

    def __init__(self, job: Job, size: int = 0) -> None:
        name = f"courier-test-{secrets.token_hex(6)}"
        self._text = _Text(SAMPLE * max(1, min(size, MOST_BYTES) // len(SAMPLE)))
        self._path = join(job.folder, f"{name}.txt")
        self._job = replace(
            job,
            part=like_part(job.part, name),
            leftovers=(),
            intent=None,
            expected_size=self._text.size,
            expected_sha256=None,
            progress=Progress(),
        )
        self.left: tuple[str, ...] = ()
        """Paths at which it may stand still."""

    def upload(self, server: Server, journal: Journal) -> None:
        """Of the journal it asks for the permit alone: nothing is noted.

        Raises TransferError where the text does not arrive; one that cannot be removed has arrived
        all the same.
        """
        unnoted = _Unnoted(self._path, journal)
        transfer = Transfer(lambda: nullcontext(self._text), self._job, unnoted)
        upload(server, [transfer], intend_each)
        if self._job.progress.part_left:
            self.left = (self._job.part_path, self._path)
        self.left = (transfer.result().remote_path,)
        with suppress(TransferError):
            self.remove(server)

    def remove(self, server: Server) -> None:
        """Remove what may stand there. Raises where the connection was lost over it."""
        self.left = tuple(path for path in self.left if not removed(server, path))


class _Text:
    """The test file as a recording."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.size = len(content)

    def __iter__(self) -> Iterator[bytes]:
        yield from (self._content[at : at + _BLOCK] for at in range(0, self.size, _BLOCK))


@dataclass
class _Unnoted:
    """The journal of a file that is in no ledger."""

    path: str
    journal: Journal

    def candidates(self) -> Iterator[str]:
        yield self.path

    def own(self) -> str:
        return self.path

    def intend(self, intent: Intent) -> bool:  # noqa: ARG002 - the journal of an upload is asked so
        return True

    def withdraw(self) -> bool:
        return True

    def permit(self) -> None:
        self.journal.permit()
