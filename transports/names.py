"""Names at the customer's server: made safe, numbered, temporary. Pure."""

import hashlib
import posixpath
import re
import unicodedata
from pathlib import PurePosixPath

from config.file_names import RESERVED, TEMPORARY, UNSAFE, extension_of, shortened
from config.naming_settings import InFlight

MAX_ID = 64
"""Characters of a recording's id that its name carries."""
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")
_FORBIDDEN = re.compile(r'[\\/:*?"<>|]')
"""What Windows has in no name (Microsoft, "Naming Files, Paths, and Namespaces")."""
_PLAIN_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")
STAGING = "courier-part"
"""The folder for files on their way, where one of their own was chosen."""
_UNUSUAL = re.compile(r"[^A-Za-z0-9 ._()-]")
_MOST_TOLD = 5


def safe_name(name: str) -> str:
    """The name as it may stand in the customer's folder: never a path, at most 255 bytes.

    `/`, `\\` and control characters become `_`; a longer name is shortened, its extension kept.
    Blanks at both ends go: servers drop or replace them, each in its own way.
    Raises ValueError for `.`, `..`, a name of blanks and text that is not Unicode.
    """
    cleaned = UNSAFE.sub("_", name).strip(" ")
    if cleaned in {"", ".", ".."}:
        raise ValueError(f"{name!r} is not a file name")
    try:
        cleaned.encode()
    except UnicodeEncodeError:
        raise ValueError("it is not valid Unicode text") from None
    return shortened(cleaned, "")


def portable(name: str) -> str:
    """The name without what servers commonly forbid in one: that becomes `_`.

    Blanks and dots at its end go.
    """
    allowed = _FORBIDDEN.sub("_", name)
    if RESERVED.match(allowed):
        allowed = f"_{allowed}"
    return shortened(_trimmed(allowed), "")


def forbidden_in(name: str) -> str:
    """What is in the name that servers commonly forbid, in words. Empty where nothing is."""
    found = [f'"{sign}"' for sign in dict.fromkeys(_FORBIDDEN.findall(name))]
    if name != name.rstrip(" ."):
        found.append("a dot or a blank at the end")
    if reserved := RESERVED.match(name):
        found.append(f"the name {reserved[1]}")
    return ", ".join(found)


def unusual_in(name: str) -> str:
    """What is in the name beside plain letters, digits, blanks and `._-()`, in words.

    Only the first few signs are named. Empty where there is nothing.
    """
    found = [f'"{sign}"' for sign in dict.fromkeys(_UNUSUAL.findall(name))]
    return ", ".join(found[:_MOST_TOLD]) + (" and others" if len(found) > _MOST_TOLD else "")


def numbered(name: str, copy: int) -> str:
    """`call (2).wav` for the second recording named `call.wav`; the first keeps its name."""
    return name if copy == 1 else shortened(name, f" ({copy})")


def identified(name: str, recording_id: str) -> str:
    """`call-<id>.wav`: a name that no other recording has, nor a file of somebody else's.

    An id that is long, or cannot stand in a name as it is, is shortened and has its digest behind.
    """
    mark = _NOT_PLAIN.sub("_", recording_id)[:MAX_ID]
    mark = mark.rstrip(".")
    if mark != recording_id:
        mark = f"{mark}-{hashlib.sha256(recording_id.encode()).hexdigest()[:12]}"
    return shortened(name, f"-{mark}")


def may_be(listed: bytes, name: str) -> bool:
    """Whether a name in a listing may be that of the file.

    Upper and lower case are one on many servers, and accents have two spellings (NFC, NFD). Where
    a server lists in another encoding, or `?` for what it cannot show, the plain letters decide.
    """
    try:
        text = listed.decode()
    except UnicodeDecodeError:
        text = "?"
    if not name.isascii() and "?" in text:
        return _plain(listed.decode("ascii", "ignore")) == _plain(name)
    return _folded(text) == _folded(name)


def part_name(recording_id: str, attempt: int) -> str:
    """The temporary name of one attempt: of fixed length, and never that of another attempt."""
    digest = hashlib.sha256(recording_id.encode()).hexdigest()[:20]
    return f"courier-{digest}-{attempt & 0xFFFFFFFF:08x}{TEMPORARY}"


def on_its_way(part: str, final: str, in_flight: InFlight) -> str:
    """The temporary name `….part` by the convention that was chosen.

    Where the ending does not tell what it is, it has the one of the final name: a server that takes
    no other files takes it then.
    """
    if in_flight not in {InFlight.DOT, InFlight.FOLDER}:
        return part
    ending = extension_of(final)
    plain = part.removesuffix(TEMPORARY) + (ending if _PLAIN_ENDING.fullmatch(ending) else "")
    return f".{plain}" if in_flight is InFlight.DOT else plain


def like_part(part: str, name: str) -> str:
    """Another temporary name, with the beginning and the ending of this one."""
    dot = "." if part.startswith(".") else ""
    return f"{dot}{name}{extension_of(part)}"


def staging_of(path: str, in_flight: InFlight) -> str:
    """The folder for files on their way, where it is not the one that they go to; else empty."""
    return join(path, STAGING) if in_flight is InFlight.FOLDER else ""


def join(folder: str, name: str) -> str:
    """`folder/name`; a folder that is empty or `.` is the login folder itself."""
    if folder in {"", "."}:
        return name
    return posixpath.join(folder, name)


def with_parents(folder: str) -> list[str]:
    """The folders above, outermost first, and the folder itself: `/a`, `/a/b` for `/a/b`."""
    path = PurePosixPath(folder)
    return [str(parent) for parent in [*reversed(path.parents), path] if parent.name]


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _plain(name: str) -> str:
    return _folded(name).encode("ascii", "ignore").decode().replace("?", "")


def _trimmed(name: str) -> str:
    return name.strip().rstrip(". ") or "_" * len(name)
