"""Where a recording goes at its customer, and under which name, by the account's settings. Pure.

It is told by the row and the settings alone, never by the clock: every start of a recording finds
the same place, as long as the settings stay. Once an intent is written down it counts, whatever
the settings say by then (`transports.takeover`).
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import accumulate
from typing import Any

from config.accounts import FtpSettings
from config.name_templates import (
    Recording,
    Template,
    fields_of,
    folders_of,
    name_of,
    rendered,
)
from config.naming_settings import InFlight, NameEncoding
from config.time_zones import zone_of
from consumers.ledger import Facts
from transports.names import join, on_its_way, portable, staging_of

MAX_DIRECTION = 64
_NOT_LATIN_1 = re.compile(r"[^\x00-\xff]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True)
class Place:
    """One recording's at its customer."""

    folders: tuple[str, ...]
    """The account's path, and each folder from there to the file's own."""
    name: str
    """The name that is wanted."""
    usual_part: str
    """The temporary name as it is without a convention of the account's."""
    in_flight: InFlight

    @property
    def part(self) -> str:
        """The name as long as the file is on its way."""
        return on_its_way(self.usual_part, self.name, self.in_flight)

    @property
    def staging(self) -> str:
        """The folder as long as it is on its way; empty: the file's own."""
        return staging_of(self.folders[0], self.in_flight)

    @property
    def folder(self) -> str:
        """In which the file is to stand."""
        return self.folders[-1]

    @property
    def path(self) -> str:
        """The one that is wanted."""
        return join(self.folder, self.name)

    @property
    def part_path(self) -> str:
        """The path as long as the file is on its way."""
        return join(self.staging or self.folder, self.part)


@dataclass(frozen=True)
class Naming:
    """Of one account, by its settings as they stand."""

    settings: FtpSettings

    @cached_property
    def counts(self) -> bool:
        """Whether the names tell the running number."""
        return "counter" in self._fields

    @property
    def is_usual(self) -> bool:
        """Whether names are those of the events, whatever signs in them are replaced."""
        return not (self.settings.folder_template or self.settings.name_template)

    def place(self, facts: Facts, body: bytes, part: str) -> Place:
        """The recording's. `body`: its event, `part`: its usual temporary name."""
        if self.is_usual:
            return self.usual(facts, part)
        folders, name = self._made(facts, body)
        return self._placed(folders, name, part)

    def usual(self, facts: Facts, part: str) -> Place:
        """The same without the templates."""
        return self._placed((), facts.file_name, part)

    def _placed(self, folders: Sequence[str], wanted: str, part: str) -> Place:
        path = self.settings.path
        return Place(
            folders=tuple(accumulate(map(self._sendable, folders), join, initial=path)),
            name=self._sendable(wanted),
            usual_part=part,
            in_flight=self.settings.in_flight,
        )

    def key(self, facts: Facts, body: bytes) -> str:
        """What two recordings have in common that are to go one after the other."""
        if self.counts and facts.counter is None:
            return f"{facts.recording_id}/"  # its number will be its own; no path ends so
        try:
            return self.place(facts, body, "").path
        except Exception:  # noqa: BLE001 - what is wrong with its name is told once it is tried
            return facts.file_name

    @cached_property
    def _folders(self) -> tuple[Template, ...]:
        return folders_of(self.settings.folder_template)

    @cached_property
    def _name(self) -> Template:
        return name_of(self.settings.name_template)

    @cached_property
    def _fields(self) -> frozenset[str]:
        return fields_of(self._name, *self._folders) - {""}

    def _made(self, facts: Facts, body: bytes) -> tuple[Sequence[str], str]:
        """The folders and the name by the templates."""
        told, zone = self._told(facts, body), zone_of(self.settings.time_zone)
        folders = [rendered(each, told, zone) for each in self._folders]
        return folders, rendered(self._name, told, zone) if self._name else facts.file_name

    def _told(self, facts: Facts, body: bytes) -> Recording:
        return Recording(
            account_id=facts.account_id,
            recording_id=facts.recording_id,
            name=facts.file_name,
            moment=_moment(facts),
            number=facts.number,
            direction=direction_of(body) if "direction" in self._fields else None,
            counter=facts.counter or 1,
        )

    def _sendable(self, name: str) -> str:
        """Without what the server does not take, as far as that was told or found out."""
        settings, can = self.settings, self.settings.capabilities
        if settings.name_encoding is NameEncoding.LATIN_1:
            name = _NOT_LATIN_1.sub("_", unicodedata.normalize("NFC", name))
        if not settings.replace_characters:
            return name
        if not can.unicode:
            name = _NOT_ASCII.sub("_", unicodedata.normalize("NFC", name))
        return portable(name.translate(dict.fromkeys(map(ord, can.forbids), "_")))


def direction_of(body: bytes) -> str | None:
    """What an event says of itself in `direction`, a field that nobody has checked."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    told = content.get("direction") if isinstance(content, dict) else None
    if not isinstance(told, str):
        return None
    return told.encode(errors="ignore").decode().strip()[:MAX_DIRECTION] or None


def _moment(facts: Facts) -> datetime:
    """When the call was, by its event; else when the event came."""
    if facts.recorded_at is None:
        return facts.created_at
    return datetime.fromisoformat(facts.recorded_at.upper())
