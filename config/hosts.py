"""Checks a server's address: a host name or an IP address, with nothing around it.

Names in other alphabets are stored in their ASCII form (`xn--...`, RFC 5890). So a name that only
looks like another one is seen to differ, and every library can use it.
"""

import re
import unicodedata
from ipaddress import IPv6Address, ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_HOST = 253
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,64})?")
_LOOK_ALIKE_SCRIPTS = {"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"}
"""Alphabets whose letters are taken for each other's (UTS 39, mixed-script confusables)."""

_NO_HOST = "must be a host name or an IP address, without protocol, port or path"


def check_host(value: str) -> str:
    """The address as it is stored: IPv6 without brackets, names in ASCII. Raises ValueError."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if _is_ipv6(bare):
        return bare
    name = value if value.isascii() else _in_ascii(value)
    if len(name) > MAX_HOST or not _HOST.fullmatch(name):
        raise ValueError(_NO_HOST)
    return name


def _is_ipv6(value: str) -> bool:
    try:
        return bool(_IPV6.fullmatch(value)) and isinstance(ip_address(value), IPv6Address)
    except ValueError:
        return False


def _in_ascii(value: str) -> str:
    name = unicodedata.normalize("NFC", value).lower()
    for label in name.split("."):
        if label.startswith("-") or label.endswith("-"):
            raise ValueError(_NO_HOST)
        if len(_scripts(label) & _LOOK_ALIKE_SCRIPTS) > 1:
            raise ValueError(
                "mixes letters of different alphabets that look alike: type the host name anew, "
                "or give its ASCII form (xn--...)"
            )
    try:
        ascii_name = name.encode("idna").decode()
        is_same = ascii_name.encode().decode("idna") == name
    except UnicodeError:
        raise ValueError(_NO_HOST) from None
    if not is_same:  # what would silently become another name: full-width letters, ligatures, ß
        raise ValueError(
            "holds characters that host names cannot have as they stand: type the host name anew, "
            "or give its ASCII form (xn--...)"
        )
    return ascii_name


def _scripts(label: str) -> set[str]:
    return {unicodedata.name(letter, "").partition(" ")[0] for letter in label if letter.isalpha()}


Host = Annotated[str, Field(max_length=MAX_HOST), AfterValidator(check_host)]
