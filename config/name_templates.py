"""Templates for the folders and the names that recordings have at a customer's server. Pure.

A template is text with fields in braces, and nothing else is special in it:

| field | what it becomes |
|---|---|
| `{account}` | the account's id |
| `{number}` | the number that was recorded; `unknown` where the event names none |
| `{direction}` | what the event says in `direction`, `inbound` for one; else `unknown` |
| `{recording}` | the recording's id |
| `{name}` | the name that the event gives, with its extension |
| `{stem}`, `{extension}` | that name without extension; the extension with its dot, or nothing |
| `{date:%Y-%m-%d}` | when the call was, else when its event came, in the account's time zone |
| `{counter}`, `{counter:6}` | the account's running number of the recording; with so many digits |

The fields are these and no others, and no value is read as a template: what an event says of itself
becomes a part of one name, never a path. So a recording stays beneath the account's path.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from config.file_names import MAX_BYTES, NO_NAMES, RESERVED, TEMPORARY, extension_of, one_name
from config.text import Text

MAX_FOLDERS = 16
MAX_FOLDER_BYTES = 1000
"""Of all folders of a template together: servers take paths of some thousand bytes."""
UNKNOWN = "unknown"
DATE_CODES: Mapping[str, Callable[[datetime], str]] = {
    "%Y": lambda at: f"{at.year:04}",
    "%y": lambda at: f"{at.year % 100:02}",
    "%m": lambda at: f"{at.month:02}",
    "%d": lambda at: f"{at.day:02}",
    "%H": lambda at: f"{at.hour:02}",
    "%M": lambda at: f"{at.minute:02}",
    "%S": lambda at: f"{at.second:02}",
    "%j": lambda at: f"{at.timetuple().tm_yday:03}",
    "%G": lambda at: f"{at.isocalendar().year:04}",
    "%V": lambda at: f"{at.isocalendar().week:02}",
}
"""Year, month, day, hour, minute, second; day of the year; ISO 8601's year and week."""
_PLAIN_FIELDS = ("account", "number", "direction", "recording", "name", "stem", "extension")
_KNOWN = ", ".join(f"{{{each}}}" for each in (*_PLAIN_FIELDS, "date:%Y-%m-%d", "counter"))
_PIECE = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<brace>[{}])|(?P<text>[^{}]+)")
_CODE = re.compile(r"%.?")
_WIDTH = re.compile(r"[1-9]|1[0-2]")


@dataclass(frozen=True)
class Recording:
    """What a template may say of a recording."""

    account_id: str
    recording_id: str
    name: str
    """As its event wants it, made safe."""
    moment: datetime
    number: str | None = None
    direction: str | None = None
    counter: int = 1


@dataclass(frozen=True)
class Piece:
    """A text, or a field with what stands behind its colon."""

    text: str = ""
    field: str = ""
    argument: str = ""

    def of(self, recording: Recording, zone: tzinfo) -> str:
        """What it becomes."""
        match self.field:
            case "":
                return self.text
            case "date":
                at = _local(recording.moment, zone)
                return _CODE.sub(lambda code: DATE_CODES[code[0]](at), self.argument)
            case "counter":
                return str(recording.counter).zfill(int(self.argument or 1))
            case _:
                return _texts(recording)[self.field]


Template = tuple[Piece, ...]
"""Of one name."""
Fields = frozenset[str]


@lru_cache(maxsize=2048)
def folders_of(text: str) -> tuple[Template, ...]:
    """The folders of a template, outermost first; none of an empty one.

    Raises ValueError with what is wrong, to be told behind the name of its field.
    """
    if not text:
        return ()
    if text.startswith("/"):
        raise ValueError("must not begin with /: the folders stand beneath Path")
    folders: list[list[Piece]] = [[]]
    for piece in _pieces(text.removesuffix("/")):
        first, *others = _split(piece)
        folders[-1].append(first)
        folders += [[each] for each in others]
    found = tuple(tuple(each) for each in folders)
    if len(found) > MAX_FOLDERS:
        raise ValueError(f"must have at most {MAX_FOLDERS} folders")
    for template in found:
        _check(template)
    if sum(len(_longest(each)) + 1 for each in found) > MAX_FOLDER_BYTES:
        raise ValueError(f"may become longer than {MAX_FOLDER_BYTES} bytes")
    return found


@lru_cache(maxsize=2048)
def name_of(text: str) -> Template:
    """The template of a file's name; nothing of an empty one. Raises ValueError."""
    if not text:
        return ()
    template = tuple(_pieces(text))
    if any("/" in (piece.text + piece.argument) for piece in template):
        raise ValueError("must not have a / in it: folders stand in Subfolders")
    _check(template)
    last = template[-1].text
    if last.lower().endswith(TEMPORARY):
        raise ValueError(f"must not end in {TEMPORARY}: that is how files on their way are named")
    return template


def rendered(template: Template, recording: Recording, zone: tzinfo) -> str:
    """The name that the recording gives the template: of at most 255 bytes.

    Where it would be longer, the original name in it is shortened; where that is not enough, its
    end, but for the extension.
    """
    text = _filled(template, recording, zone)
    excess = len(text.encode()) - MAX_BYTES
    stems = sum(piece.field in {"name", "stem"} for piece in template)
    if excess > 0 and stems:
        shorter = _cut(recording.name, -(-excess // stems))
        text = _filled(template, replace(recording, name=shorter), zone)
    return one_name(text)


def fields_of(*templates: Template) -> Fields:
    """The fields that they use."""
    return frozenset(piece.field for template in templates for piece in template)


def _stripped(text: str) -> str:
    return text.strip(" ")


def _folder_template(text: str) -> str:
    folders_of(text)
    return text


def _name_template(text: str) -> str:
    name_of(text)
    return text


FolderTemplate = Annotated[Text, AfterValidator(_stripped), AfterValidator(_folder_template)]
NameTemplate = Annotated[Text, AfterValidator(_stripped), AfterValidator(_name_template)]


def _pieces(text: str) -> Iterator[Piece]:
    if "\\" in text:
        raise ValueError("must not have a \\ in it: folders are parted by /")
    for found in _PIECE.finditer(text):
        if found["brace"]:
            raise ValueError(f"has a {found['brace']} without its other half")
        yield Piece(found["text"]) if found["text"] else _field(found["field"])


def _field(inside: str) -> Piece:
    name, colon, argument = inside.partition(":")
    if name == "date":
        _check_date(argument)
    elif name == "counter" and colon:
        if not _WIDTH.fullmatch(argument):
            raise ValueError("has a {counter} with something else than 1 to 12 digits behind its :")
    elif name not in {*_PLAIN_FIELDS, "counter"} or colon:
        raise ValueError(f"has the field {{{inside}}}, which is none of {_KNOWN}")
    return Piece(field=name, argument=argument)


def _check_date(argument: str) -> None:
    codes = _CODE.findall(argument)
    if not codes:
        raise ValueError("has a {date} that does not say what of it, as {date:%Y-%m-%d} does")
    unknown = [code for code in codes if code not in DATE_CODES]
    if unknown:
        known = " ".join(DATE_CODES)
        raise ValueError(f"has {unknown[0]} in a date, which is none of {known}")


def _split(piece: Piece) -> list[Piece]:
    """A text with / in it, or a date with one, is parted into those of several folders."""
    if piece.field == "date":
        parts = [
            Piece(field="date", argument=part) if "%" in part else Piece(part)
            for part in piece.argument.split("/")
        ]
    else:
        parts = [replace(piece, text=part) for part in piece.text.split("/")]
    return parts


def _check(template: Template) -> None:
    """Whatever a recording has, its name is one: not empty, no way up, no device of Windows."""
    for name in (_shortest(template), _longest(template)):
        told = name.strip(b" ").decode()
        if not told:
            raise ValueError("may become an empty name")
        if told in NO_NAMES:
            raise ValueError(f"may become {told}, which is no name")
        if RESERVED.match(told):
            raise ValueError(f"may become {told}, a name that Windows keeps for a device")
    if len(_longest(template)) > MAX_BYTES:
        raise ValueError(f"may become longer than the {MAX_BYTES} bytes that a name has")


def _shortest(template: Template) -> bytes:
    return _filled(template, _SHORT, UTC).encode()


def _longest(template: Template) -> bytes:
    return _filled(template, _LONG, UTC).encode()


def _filled(template: Template, recording: Recording, zone: tzinfo) -> str:
    return "".join(piece.of(recording, zone) for piece in template)


def _texts(recording: Recording) -> Mapping[str, str]:
    extension = extension_of(recording.name)
    return {
        "account": recording.account_id,
        "number": recording.number or UNKNOWN,
        "direction": recording.direction or UNKNOWN,
        "recording": recording.recording_id,
        "name": recording.name,
        "stem": recording.name.removesuffix(extension),
        "extension": extension,
    }


def _cut(name: str, excess: int) -> str:
    """The name, its stem shorter by so many bytes."""
    extension = extension_of(name)
    stem = name.removesuffix(extension).encode()
    return stem[: max(1, len(stem) - excess)].decode(errors="ignore") + extension


def _local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # in the first or the last hours of all years
        return moment


_SHORT = Recording("a", "1", "a", datetime(2026, 1, 1, tzinfo=UTC), "1", "i")
_LONG = Recording(
    account_id="a" * 64,
    recording_id="r" * 64,
    name="n" * 60 + ".wav",
    moment=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
    number="+" + "9" * 15,
    direction="outbound",
    counter=9_999_999_999,
)
"""The longest values that are plausible: an account's id has no more, a number by E.164 has none.
What is longer all the same is shortened (`rendered`)."""
EXAMPLE = Recording(
    account_id="acme",
    recording_id="8f6c2f0e-9d43-4c1e-8a27-5b0f6a3d9c11",
    name="20261123-140500_01632960001.wav",
    moment=datetime(2026, 11, 23, 14, 5, tzinfo=UTC),
    number="+441632960001",
    direction="inbound",
    counter=1,
)
"""What a preview is made of."""
