"""The path that a recording would get, before templates are saved."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from config.naming_settings import InFlight, NameEncoding
from config.permissions import Principal
from worker.console.access import ApiAccess, Right
from worker.console.api.models import Given
from worker.console.services import services_of
from worker.name_preview import preview
from worker.show import Shape

router = APIRouter(tags=["accounts"])
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]


class NamePreviewShape(Given):
    """Where a recording would stand."""

    path: str
    next_path: str
    """That of another recording of the same name; the same where files are overwritten."""
    temporary_path: str
    """Until the recording is whole."""


@router.get("/accounts/{account_id}/settings/name-preview", response_model=NamePreviewShape)
def preview_name(
    _: Viewer,
    request: Request,
    account_id: str,
    *,
    path: str | None = None,
    folder_template: str | None = None,
    name_template: str | None = None,
    time_zone: str | None = None,
    in_flight: InFlight | None = None,
    name_encoding: NameEncoding | None = None,
    recording_id: str | None = None,
    number: str | None = None,
    direction: str | None = None,
    recorded_at: str | None = None,
    file_name: str | None = None,
    replace_characters: Annotated[bool | None, Query()] = None,
) -> Shape:
    """The path by the stored settings, with those that are given in their place; of an example,
    with what is given of the recording in its place. Nothing is changed."""
    given = {
        "path": path,
        "folder_template": folder_template,
        "name_template": name_template,
        "time_zone": time_zone,
        "in_flight": in_flight,
        "name_encoding": name_encoding,
        "replace_characters": replace_characters,
    }
    sample = {
        "recording_id": recording_id,
        "number": number,
        "direction": direction,
        "recorded_at": recorded_at,
        "file_name": file_name,
    }
    stored = services_of(request).directory.get(account_id).settings
    changes = {name: value for name, value in given.items() if value is not None}
    return preview(account_id, stored, changes, sample)._asdict()
