"""`courier accounts preview-name`."""

from typing import Annotated

import typer

from config.naming_settings import InFlight, NameEncoding
from worker.cli import context, output
from worker.cli.options import AccountId, field_option
from worker.cli.output import AsJson
from worker.name_preview import preview


def preview_name(
    account_id: AccountId,
    *,
    path: Annotated[str | None, field_option("path")] = None,
    folder_template: Annotated[
        str | None, field_option("folder_template", metavar="TEMPLATE")
    ] = None,
    name_template: Annotated[str | None, field_option("name_template", metavar="TEMPLATE")] = None,
    time_zone: Annotated[str | None, field_option("time_zone", metavar="ZONE")] = None,
    in_flight: Annotated[InFlight | None, field_option("in_flight")] = None,
    name_encoding: Annotated[NameEncoding | None, field_option("name_encoding")] = None,
    replace_characters: Annotated[
        bool | None,
        field_option("replace_characters", "--replace-characters/--no-replace-characters"),
    ] = None,
    number: Annotated[str | None, typer.Option(help="The number that was recorded.")] = None,
    direction: Annotated[str | None, typer.Option(help="Such as inbound.")] = None,
    recording_id: Annotated[str | None, typer.Option(help="The recording's id.")] = None,
    recorded_at: Annotated[
        str | None, typer.Option(metavar="TIME", help="Such as 2026-11-23T14:05:00Z.")
    ] = None,
    file_name: Annotated[str | None, typer.Option(help="The recording's own name.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the path that a recording would get, and save nothing.

    Settings that are left out are those stored; of the recording, those of an example.
    """
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
        "number": number,
        "direction": direction,
        "recording_id": recording_id,
        "recorded_at": recorded_at,
        "file_name": file_name,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    with context.core() as core:
        stored = core.directory.get(account_id).settings
    shown = preview(account_id, stored, changes, sample)
    if as_json:
        output.print_json(shown._asdict())
        return
    output.print_page(
        (
            ("path", shown.path),
            ("the next of this name", shown.next_path),
            ("until it is whole", shown.temporary_path),
        )
    )
