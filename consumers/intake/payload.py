"""The body of an unusable event as a person may see it: in part, and without secrets. Pure.

Whoever can publish an event decides what is in it, and addresses of recordings carry credentials.
"""

import json
import re
from typing import Any

MOST_READ = 64 * 1024
"""Bytes of a body that are looked at: as many as an event may have."""
HIDDEN = "***"
_ADDRESS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,20}:(?:\\?/){2})(?P<rest>[^\s\"'<>]*)")
_TELLING = "password|passphrase|secret|token|private|credential"
_SECRET = re.compile(_TELLING, re.IGNORECASE)
_FIELD = re.compile(
    rf"""(?P<name>(?P<quote>["'])[^"']{{0,64}}?(?:{_TELLING})[^"']{{0,64}}(?P=quote)\s*:\s*)
    (?:"(?:[^"\\]|\\.)*"? | '(?:[^'\\]|\\.)*'? | [\[{{].* | [^\s,}}\]]+)""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
"""A field in what cannot be read as JSON. Of a list or an object nobody can tell where it ends."""
_ENCODER = json.JSONEncoder(indent=2, ensure_ascii=False)


def readable(body: bytes, most: int) -> str:
    """The first `most` characters, JSON laid out; secrets in it, and in addresses, are hidden."""
    text = body[:MOST_READ].decode(errors="replace")
    try:
        text = _laid_out(_without_secrets(json.loads(text)), most)
    except (ValueError, RecursionError):
        text = _as_it_came(text)
    return text[:most].encode(errors="replace").decode()


def beginning(body: bytes, most: int) -> str:
    """The first `most` characters as they came, but for the secrets."""
    return _as_it_came(body[:MOST_READ].decode(errors="replace"))[:most]


def without_credentials(text: str) -> str:
    """The text with user, password and query of each address hidden."""
    return _ADDRESS.sub(lambda found: found["scheme"] + _hidden(found["rest"]), text)


def _as_it_came(text: str) -> str:
    return without_credentials(_FIELD.sub(rf'\g<name>"{HIDDEN}"', text))


def _laid_out(content: Any, most: int) -> str:
    """So many characters at least: what is deep in others has a thousand times its size."""
    parts, length = list[str](), 0
    for part in _ENCODER.iterencode(content):
        parts.append(part)
        length += len(part)
        if length >= most:
            break
    return "".join(parts)


def _hidden(rest: str) -> str:
    before, asks, _ = rest.partition("?")
    authority = re.split(r"[/#\\]", before, maxsplit=1)[0]
    _, at, host = authority.rpartition("@")
    shown = f"{HIDDEN}@{host}{before[len(authority) :]}" if at else before
    return f"{shown}?{HIDDEN}" if asks else shown


def _without_secrets(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            without_credentials(name): HIDDEN if _SECRET.search(name) else _without_secrets(each)
            for name, each in value.items()
        }
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    return without_credentials(value) if isinstance(value, str) else value
