"""Texts that people type: one line, no characters that hide or reorder others."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(rf"(?=[^@]{{1,64}}@[^@]{{1,253}}\Z){_ATOM}(\.{_ATOM})*@{_LABEL}(\.{_LABEL})*")
MAX_NAME = 100
MAX_WORDS = 500
"""Characters that are kept of what a server of somebody else's said."""


def one_line(value: str) -> str:
    """The text itself; raises ValueError where a protocol or a log would break on it."""
    if _CONTROL.search(value):
        raise ValueError("must not hold line breaks or other control characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode text") from None
    return value


def _as_it_looks(value: str) -> str:
    """Refuses what shows a text in another order than it is stored (CVE-2021-42574)."""
    if _DIRECTION.search(value):
        raise ValueError("must not hold invisible characters that change the direction of writing")
    return value


def visible(value: str) -> str:
    """The text with a sign for each character that hides, breaks the line or reorders others."""
    return _DIRECTION.sub("\ufffd", _CONTROL.sub("\ufffd", value))


def shortened(words: str, most: int = MAX_WORDS) -> str:
    """The words, with a sign where some of them are left out."""
    return words if len(words) <= most else words[: most - 1] + "…"


def is_email(value: str) -> bool:
    """Whether a mail server can be given the address (RFC 5321's dot-atom form, ASCII)."""
    return _EMAIL.fullmatch(value) is not None


def _email(value: str) -> str:
    if not is_email(value):
        raise ValueError("must be an e-mail address, such as it@customer.example")
    return value


Text = Annotated[str, AfterValidator(one_line), AfterValidator(_as_it_looks)]
Name = Annotated[Text, Field(max_length=MAX_NAME)]
EmailAddress = Annotated[str, AfterValidator(_email)]
