"""The fields of the FTP settings that say where a recording stands, and under which name."""

from enum import StrEnum

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from config.entered import Input, entered
from config.file_names import TEMPORARY
from config.models import FROZEN
from config.name_templates import FolderTemplate, NameTemplate
from config.text import Text

MAX_TEMPLATE = 255
MAX_FOLDER_TEMPLATE = 500


class InFlight(StrEnum):
    """Where and how a file is written until it is whole."""

    SUFFIX = "suffix"
    """Beside its place, under a name that ends in `.part`."""
    DOT = "dot"
    """Beside its place, under a name that begins with a dot."""
    FOLDER = "folder"
    """In a folder of its own beneath Path."""
    NONE = "none"
    """In its place: whoever looks meanwhile sees a part of it."""


class NameEncoding(StrEnum):
    """In which bytes names are sent to the server."""

    UTF_8 = "utf-8"
    LATIN_1 = "latin-1"


class NamingSettings(BaseModel):
    """The path, and what makes names."""

    model_config = FROZEN

    path: Text = Field(
        default=".",
        max_length=1024,
        title="Path",
        description="The folder for the files; made where it is missing. A dot is the folder that "
        "the login leads to.",
        json_schema_extra=entered(Input.TEXT),
    )
    folder_template: FolderTemplate = Field(
        default="",
        max_length=MAX_FOLDER_TEMPLATE,
        title="Subfolders",
        description="Folders beneath Path, made as they are needed, such as {date:%Y-%m}/{number}. "
        "Fields: {account} {number} {direction} {recording} {date:%Y-%m-%d} {counter}.",
        json_schema_extra=entered(Input.TEXT),
    )
    name_template: NameTemplate = Field(
        default="",
        max_length=MAX_TEMPLATE,
        title="File Name",
        description="Left empty, the recording's own. Such as {date:%Y-%m-%d}-{stem}{extension}. "
        "Fields besides those above: {name} {stem} {extension} of the recording's own name.",
        json_schema_extra=entered(Input.TEXT),
    )
    in_flight: InFlight = Field(
        default=InFlight.SUFFIX,
        title="Files on Their Way",
        description="How a file is named until it is whole, for programs that take files away at "
        "the server.",
        json_schema_extra=entered(
            Input.SELECT,
            options={
                "suffix": f"The name ends in {TEMPORARY}",
                "dot": "The name begins with a dot",
                "folder": "In the folder courier-part beneath Path",
                "none": "Written in their place (not safe for programs that look meanwhile)",
            },
        ),
    )
    name_encoding: NameEncoding = Field(
        default=NameEncoding.UTF_8,
        title="Name Encoding",
        description="Of names with other letters than a to z: Latin-1 for old servers that do not "
        'take UTF-8. What Latin-1 does not have becomes "_".',
        json_schema_extra=entered(
            Input.SELECT, options={"utf-8": "UTF-8", "latin-1": "Latin-1 (ISO 8859-1)"}
        ),
    )

    @field_validator("name_encoding")
    @classmethod
    def _has_all_letters(cls, encoding: NameEncoding, info: ValidationInfo) -> NameEncoding:
        """What a person has typed is sent as it is, or not at all."""
        for name in ("path", "folder_template", "name_template"):
            try:
                str(info.data.get(name, "")).encode(encoding)
            except UnicodeEncodeError:
                title = cls.model_fields[name].title
                raise ValueError(
                    f"must be UTF-8: {title} has letters that {encoding} does not have"
                ) from None
        return encoding
