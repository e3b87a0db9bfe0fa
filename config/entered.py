"""How a field of the FTP settings is entered, as its declaration tells it. Pure."""

from collections.abc import Mapping
from enum import StrEnum

from pydantic.config import JsonDict


class Input(StrEnum):
    """How a field is entered on a page."""

    TEXT = "text"
    SELECT = "select"
    PASSWORD = "password"  # noqa: S105 - the kind of an input
    NUMBER = "number"
    LIST = "list"
    LINES = "lines"
    CHECKBOX = "checkbox"


def entered(
    kind: Input,
    *,
    options: dict[str, str] | None = None,
    shown_when: dict[str, str] | None = None,
    sensitive: bool = False,
    ports: Mapping[str, int] | None = None,
    by_provider: bool = False,
) -> JsonDict:
    """What a form must know besides the field's type; JSON, so that OpenAPI carries it too.

    `ports`: the default of each protocol, where it depends on that.
    """
    return {
        "x-input": kind.value,
        "x-options": dict(options or {}),
        "x-shown-when": dict(shown_when or {}),
        "x-sensitive": sensitive,
        "x-by-provider": by_provider,
        "x-default-by-protocol": dict(ports or {}),
    }
