"""Time zones by their names in the IANA database."""

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from config.text import Text

_NO_ZONES = {"localtime", "posixrules", "Factory"}
_OTHERS = ("posix/", "right/")
"""Depend on the host, or count leap seconds."""


def zone_of(name: str) -> ZoneInfo:
    """The zone of this name. Raises ValueError where there is none."""
    is_other = name in _NO_ZONES or name.startswith(_OTHERS)
    try:
        return ZoneInfo("" if is_other else name)
    except (KeyError, OSError, ValueError):  # not there; a folder of it; a path that leads out
        raise ValueError("must be a time zone, such as Europe/London or UTC") from None


def _checked(name: str) -> str:
    zone_of(name)
    return name


TimeZone = Annotated[Text, AfterValidator(_checked)]
