"""The path that a recording would get, by templates that are not saved yet. Changes nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from config.accounts import FtpSettings
from config.errors import FieldRefused
from config.ftp_settings import ExistingFile
from config.name_templates import EXAMPLE
from config.naming_settings import InFlight, NamingSettings
from consumers.delivery.naming import Naming
from consumers.intake.events import RecordingReady
from consumers.ledger import Facts
from transports.names import join, numbered, part_name

FIELDS = (*NamingSettings.model_fields, "time_zone", "replace_characters", "existing_file")
"""Of the settings: those that make a path."""
_ANYWHERE = {"protocol": "ftp", "host": "preview.example", "username": "preview"}
_SAMPLE = {
    "recording_id": EXAMPLE.recording_id,
    "number": EXAMPLE.number,
    "direction": EXAMPLE.direction,
    "recorded_at": "2026-11-23T14:05:00Z",
    "file_name": EXAMPLE.name,
    "file_url": "file:///recordings/recording.wav",
}


class NamePreview(NamedTuple):
    """Where the recording would stand."""

    path: str
    next_path: str
    """That of another recording of the same name; the same where files are overwritten."""
    temporary_path: str
    """Until it is whole."""


def preview(
    account_id: str,
    stored: FtpSettings | None,
    changes: Mapping[str, Any],
    sample: Mapping[str, Any],
) -> NamePreview:
    """By the stored settings with the changes. `sample`: fields of the recording's event, where
    they are not those of an example.

    Raises ValidationError, FieldRefused.
    """
    kept = {} if stored is None else stored.model_dump(include=set(FIELDS))
    settings = FtpSettings.model_validate({**_ANYWHERE, **kept, **changes})
    given = {name: value for name, value in sample.items() if value is not None}
    event = RecordingReady.model_validate({**_SAMPLE, "account_id": account_id, **given})
    facts, body = _told(event)
    place = Naming(settings).place(facts, body, part_name(event.recording_id, 1))
    overwrites = settings.existing_file is ExistingFile.OVERWRITE
    second = numbered(place.name, 1 if overwrites else 2)
    temporary = place.path if settings.in_flight is InFlight.NONE else place.part_path
    return NamePreview(place.path, join(place.folder, second), temporary)


def _told(event: RecordingReady) -> tuple[Facts, bytes]:
    """What its row would say, and its event."""
    try:
        body, name = event.model_dump_json(exclude_unset=True).encode(), event.target_name
    except ValueError as error:
        raise FieldRefused("file_name", f"File name cannot be used: {error}.") from None
    facts = Facts(
        recording_id=event.recording_id,
        account_id=event.account_id,
        file_name=name,
        number=event.number,
        recorded_at=event.recorded_at,
        created_at=datetime.now(UTC),
        counter=EXAMPLE.counter,
    )
    return facts, body
