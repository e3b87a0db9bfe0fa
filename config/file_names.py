"""What a name at a customer's server may be: of one folder, and not too long. Pure."""

import re

MAX_BYTES = 255
TEMPORARY = ".part"
"""The ending of a file on its way: of the names that the program gives, and of no template."""
UNSAFE = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", re.IGNORECASE)
"""Names of devices, which Windows gives to no file (Microsoft, "Naming Files, Paths, and
Namespaces")."""
NO_NAMES = frozenset({"", ".", "..", "~"})
"""No name, the folder itself, the one above it, and the home."""


def one_name(text: str) -> str:
    """The text as the name of one folder or file, whatever it holds: never a path, nor a way up."""
    cleaned = UNSAFE.sub("_", text).strip(" ")
    if cleaned in NO_NAMES:
        cleaned = "_" * max(1, len(cleaned))
    return shortened(cleaned, "")


def shortened(name: str, mark: str) -> str:
    """The name with the mark before its extension: at most 255 bytes, the extension kept."""
    suffix = extension_of(name)
    if len(suffix.encode()) > MAX_BYTES // 2:
        suffix = ""
    stem = name.removesuffix(suffix)
    room = MAX_BYTES - len((mark + suffix).encode())
    return (stem.encode()[:room].decode(errors="ignore") + mark + suffix).rstrip(" ")


def extension_of(name: str) -> str:
    """The extension with its dot; nothing of `name`, `name.` and `.name`."""
    dot = name.rfind(".")
    return name[dot:] if 0 < dot < len(name) - 1 else ""
