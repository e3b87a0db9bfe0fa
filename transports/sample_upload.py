"""A test file by the very means of the uploads: whether a server fails, or one file at it."""

import secrets
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

from transports.base import SAMPLE, Server
from transports.errors import Progress, TransferError
from transports.job import Intent, Job, Journal, Transfer, intend_each
from transports.names import join
from transports.upload import upload

_BLOCK = 256 * 1024


MOST_BYTES = 16 * 1024 * 1024
"""Hardly a recording is larger; a test file never is."""


def upload_sample(server: Server, job: Job, journal: Journal, size: int = 0) -> None:
    """Upload a small text as the job would its recording, and remove it again.

    With `size` it has so many bytes, MOST_BYTES at most: a server that has no room for a recording
    may well have room for a line. Of the journal it asks for the permit alone: nothing is noted.
    Raises TransferError where the text does not arrive; one that cannot be removed has arrived all
    the same.
    """
    text = _Text(SAMPLE * max(1, min(size, MOST_BYTES) // len(SAMPLE)))
    name = f"courier-test-{secrets.token_hex(6)}"
    trial = replace(
        job,
        part=f"{name}.part",
        leftovers=(),
        intent=None,
        expected_size=text.size,
        expected_sha256=None,
        progress=Progress(),
    )
    path = join(job.folder, f"{name}.txt")
    transfer = Transfer(lambda: nullcontext(text), trial, _Unnoted(path, journal))
    upload(server, [transfer], intend_each)
    uploaded = transfer.result()
    with suppress(TransferError):
        server.remove(uploaded.remote_path)


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
