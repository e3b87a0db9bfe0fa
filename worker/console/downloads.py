"""Downloads of lists that run now, and how far each is, in the memory of the console's process."""

import threading
import time
from collections.abc import Generator, Iterable, Sequence, Sized
from dataclasses import dataclass, field
from typing import TypeVar

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from config.permissions import Principal
from consumers.ledger import Document
from worker.console.language import gettext as _
from worker.console.language import translated
from worker.console.limits import TooManyRequests
from worker.delivery_csv import csv_pages
from worker.show import (
    CUSTOMERS_FIELDS,
    CUSTOMERS_WORDS,
    DELIVERY_FIELDS,
    STATUS_WORDS,
    delivery_shape,
    worded,
)

Page = TypeVar("Page", bound=Sized)

AT_ONCE = 8
AT_ONCE_EACH = 2
"""Of one login: others are to have theirs."""
AT_ONCE_OF_ACCOUNT = 4
"""Of all users and tokens of one account, however many it has."""
MAX_KEPT = 200
BEGIN_SECONDS = 60.0
"""Whoever has taken nothing for so long after asking has left."""
_WAIT = 10.0


@dataclass(eq=False)
class Download:
    """One list that is sent: `written` of `total` rows."""

    name: str
    login: str
    account_id: str | None
    total: int | None
    """None: it was not counted beforehand."""
    written: int = 0
    is_begun: bool = False
    is_ended: bool = False
    is_complete: bool = False
    asked_at: float = field(default_factory=time.monotonic)

    @property
    def runs(self) -> bool:
        """Whether it goes on. Once begun it does until its stream is closed, however few rows it
        finds: the server cuts who does not read. Nobody tells of a reader who left before."""
        waits = time.monotonic() - self.asked_at < BEGIN_SECONDS
        return not self.is_ended and (self.is_begun or waits)


class Downloads:
    """Those that run, and those that ended lately. Callable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: list[Download] = []
        self._known: dict[tuple[str, str], Download] = {}
        """The last one of each name, for its page."""

    def begin(self, principal: Principal, name: str, total: int | None) -> Download:
        """One more, by a name that its page has made up, or none. Raises TooManyRequests."""
        download = Download(name, principal.login, principal.account_id, total)
        with self._lock:
            self._running = [each for each in self._running if each.runs]
            if self._is_too_much(principal):
                words = _("Other lists are downloaded at this moment: wait until one has ended.")
                raise TooManyRequests(words, _WAIT)
            self._running.append(download)
            if name:
                self._know(download)
        return download

    def find(self, principal: Principal, name: str) -> Download | None:
        """The principal's last download of this name."""
        with self._lock:
            return self._known.get((principal.login, name))

    def _is_too_much(self, principal: Principal) -> bool:
        own = [each for each in self._running if each.login == principal.login]
        account_id = principal.account_id
        theirs = [each for each in self._running if account_id and each.account_id == account_id]
        is_full = len(self._running) >= AT_ONCE or len(own) >= AT_ONCE_EACH
        return is_full or len(theirs) >= AT_ONCE_OF_ACCOUNT

    def _know(self, download: Download) -> None:
        key = (download.login, download.name)
        self._known.pop(key, None)
        self._known[key] = download
        ended = [key for key, each in self._known.items() if not each.runs]
        for old in ended[: max(0, len(self._known) - MAX_KEPT)]:
            del self._known[old]


def counted(download: Download, pages: Iterable[Page]) -> Generator[Page]:
    """The pages, their rows counted as they go; whoever stops taking them has ended the download.

    A page may be empty: it is handed on, so that a reader who left is noticed.
    """
    download.is_begun = True
    try:
        for page in pages:
            yield page
            download.written += len(page)
        download.is_complete = True
    finally:
        download.is_ended = True


class Csv(StreamingResponse):
    """Pages of the ledger's rows as CSV, in the words that its reader's pages have for a status.

    Whatever ends it ends its download: a generator that is left where it is would be closed at some
    time only.
    """

    def __init__(
        self, download: Download, pages: Iterable[Sequence[Document]], *, for_customer: bool
    ) -> None:
        told = CUSTOMERS_WORDS if for_customer else STATUS_WORDS
        words = {status: translated(word) for status, word in told.items()}
        shapes = (
            [worded(delivery_shape(row, for_customer=for_customer), words) for row in page]
            for page in counted(download, pages)
        )
        texts = csv_pages(shapes, CUSTOMERS_FIELDS if for_customer else DELIVERY_FIELDS)
        super().__init__(texts, media_type="text/csv; charset=utf-8")
        self._download = download

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._download.is_ended = True
