"""What the event's JSON Schema says beyond types, in the words of regular expressions.

None looks ahead or behind: those of Go and Rust, with which authors may check, cannot.
"""

import re
from typing import Any

Schema = dict[str, Any]

URL = r"^[A-Za-z][A-Za-z0-9+.-]{0,31}://[^\s\x00-\x1f\x7f]+$"
"""A URL of any kind."""
_SIGN = r"[^\s\x00-\x1f\x7f]"
_PATH = rf"/+[^\s\x00-\x1f\x7f/?#]{_SIGN}*"
"""It names something."""
_PORT = (
    r"0*(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"
)
_HOST = r"(?:\[[^\s\x00-\x1f\x7f/?#@\[\]]+\]|[^\s\x00-\x1f\x7f/?#@:\[\]]+)"
_PLACE = rf"{_HOST}(?::(?:{_PORT})?)?"
AUTHORITY = re.compile(_PLACE)
"""Host and port of an https:// URL."""
_OBJECT = r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^\s\x00-\x1f\x7f?#]+"
_SLASH = r"(?:/|%2[Ff])"
_DOT = r"(?:\.|%2[Ee])"
_PART = rf"://[^/]*/(?:.*{_SLASH})?"
"""Up to the beginning of a part of an object's key."""
_END = rf"(?:{_SLASH}|$)"
_BLANK = "\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Python counts as blank."""

SUPPORTED = rf"^(?:file://(?:localhost)?{_PATH}|https://{_PLACE}{_PATH}|(?:s3|gs|az)://{_OBJECT})$"
"""URLs of the kinds that are supported. Courier's own canary:// is nobody else's."""
_NO_FILE = (
    r"^(?:file|s3|gs|az)://.*%00",
    rf"^(?:s3|gs|az){_PART}{_DOT}{{0,2}}{_END}",
    rf"^az{_PART}(?:{_DOT}|%20)*{_END}",
    r"^az://.*(?:\\|%5[Cc])",
)
"""Among them, what names no file or object."""
_NAMELESS = rf"^[^?#]*/(?:%20)*{_DOT}{{0,2}}(?:%20)*(?:[?#]|$)"
"""A URL whose last segment is no name."""
_HOURS = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_DAYS = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|[12][0-9]))"
)
TIMESTAMP = rf"^[0-9]{{4}}-{_DAYS}[Tt]{_HOURS}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:[Zz]|[+-]{_HOURS})$"
"""RFC 3339, but for leap years and leap seconds."""

FILE_URL: Schema = {
    "pattern": SUPPORTED,
    "not": {"anyOf": [{"pattern": each} for each in _NO_FILE]},
}
FILE_NAME: Schema = {"not": {"pattern": r"^ *\.{1,2} *$"}}
RECORDED_AT: Schema = {"format": "date-time", "not": {"pattern": "^0000"}}
_DEFAULT_NAME: Schema = {
    "if": {"properties": {"file_name": {"pattern": f"^[{_BLANK}]*$"}}},
    "then": {"properties": {"file_url": {"not": {"pattern": _NAMELESS}}}},
}
"""Without a name of its own a recording has that of its URL."""


def complete(schema: Schema) -> None:
    """Add to the model's schema what holds for several fields; null is no value, nor a default."""
    for each in schema["properties"].values():
        if each.get("default", "") is None:
            del each["default"]
    schema.update(_DEFAULT_NAME)
