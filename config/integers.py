"""Numbers that people and programs give: a truth value is none, though Python counts with it."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

_DIGITS = re.compile(r"\s*[+-]?[0-9]+\s*")
_NONE = None
"""Stands for what is no number: no field of numbers takes it."""


def _whole(value: Any) -> Any:
    """The digits of one, with blanks around them, are one; so is 21.0, as JSON has no other kind
    (RFC 8259 section 6)."""
    match value:
        case bool():
            return _NONE
        case str():
            return value if _DIGITS.fullmatch(value) else _NONE
        case float():
            return value if value.is_integer() else _NONE
    return value


def _number(value: Any) -> Any:
    return _NONE if isinstance(value, bool) else value


Whole = Annotated[int, BeforeValidator(_whole)]
Number = Annotated[float, BeforeValidator(_number)]
