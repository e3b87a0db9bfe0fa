"""The events that `courier publish` makes of files and URLs, and what would become of them."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from consumers.intake.admission import Admission, Message
from consumers.intake.events import decode
from consumers.intake.reasons import InvalidEvent
from consumers.ledger import Arrival, Document
from transports.errors import SourceUnreadable
from transports.sources.files import is_within, resolved
from transports.sources.object_urls import SCHEMES, is_object_url, scheme_of
from transports.sources.source import path_of
from worker import show
from worker.cli.refusal import Refused
from worker.core import stores
from worker.database import Core

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Event:
    """One event to publish, as the pipeline would."""

    recording_id: str
    account_id: str
    file_url: str
    body: bytes

    @property
    def name(self) -> str:
        """What a person calls the recording: the last part of its URL."""
        path = unquote(urlsplit(self.file_url).path)
        return path.rpartition("/")[2] or self.recording_id

    @classmethod
    def of(cls, given: str, account_id: str, number: str | None, recording_id: str) -> Self:
        """Raises Refused where there is no such file, InvalidEvent where it would not be taken."""
        content: dict[str, Any] = {"recording_id": recording_id, "account_id": account_id}
        if _URL.match(given):
            content["file_url"] = given
        else:
            content |= _local(Path(given))
        if number is not None:
            content["number"] = number
        body = json.dumps(content).encode()
        decode(body, "application/json")
        return cls(recording_id, account_id, content["file_url"], body)

    def is_of(self, row: Document) -> bool:
        """Whether the row is this event's: an earlier recording of the same id does not count."""
        return (row["account_id"], row["file_url"]) == (self.account_id, self.file_url)


def judged(core: Core, events: Sequence[Event]) -> list[str]:
    """What would become of each event, in words. Raises InvalidEvent where one is not taken."""
    admission = Admission(core.directory, core.ledger.canary)
    judgements = admission.judge([Message(each.body, "application/json") for each in events])
    rows = core.ledger.queries.rows([each.recording_id for each in events])
    told = []
    for event, judgement in zip(events, judgements, strict=True):
        if isinstance(judgement, InvalidEvent):
            raise judgement
        row = rows.get(event.recording_id)
        told.append(_new(core, event, judgement) if row is None else _known(event, row))
    return told


def _new(core: Core, event: Event, judgement: Arrival) -> str:
    if judgement.skipped:
        return "would be left to e-mail"
    if is_object_url(event.file_url) and not stores(core.settings).permits(event.file_url):
        scheme = SCHEMES[scheme_of(event.file_url)]
        return f"would be a dead letter: {scheme.setting} does not name its {scheme.bucket}"
    try:
        is_permitted = _is_permitted(event.file_url, core.settings.source_dirs)
    except SourceUnreadable as error:
        return f"would be a dead letter: {error.words}"
    if not is_permitted:
        return "would be a dead letter: it lies outside of COURIER_SOURCE_DIRS"
    return "would be delivered"


def _is_permitted(url: str, dirs: Sequence[Path]) -> bool:
    """Whether a file may be read there, as far as its links can be followed here. Raises
    SourceUnreadable."""
    if not dirs or urlsplit(url).scheme.lower() != "file":
        return True
    return is_within(resolved(path_of(url)), dirs)


def _known(event: Event, row: Document) -> str:
    if not event.is_of(row):
        return "would be invalid: its recording id is another recording's"
    word = show.STATUS_WORDS[row["status"]]
    return f"is known already ({word}): nothing would come of it"


def _local(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise Refused(f"The file {path} {_no_file(path)}: nothing was published.")
    return {"file_url": path.resolve().as_uri(), "size": path.stat().st_size}


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "is a folder"
    return "is a device, a pipe or a socket" if path.exists() else "does not exist"
