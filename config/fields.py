"""Describes the settings' fields for forms and commands, from their declarations.

`settings_fields` feeds the page and the commands, `read_form` takes what a browser sends, and
`explain` is the one place that says in plain words what is wrong with a value.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from annotated_types import Ge, Le, MaxLen
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from config.entered import Input
from config.ftp_settings import FtpSettingsInput


@dataclass(frozen=True)
class Option:
    """A choice of a drop-down: what is stored and what people read."""

    value: str
    label: str


@dataclass(frozen=True)
class FieldSpec:
    """One field of the FTP settings, as it was declared."""

    name: str
    title: str
    help: str
    kind: Input
    required: bool
    default: Any
    """The default; an enum's value; None where there is none."""
    default_by_protocol: Mapping[str, int]
    """The default for each protocol, where it depends on the protocol."""
    options: tuple[Option, ...]
    shown_when: Mapping[str, str]
    """Field and values, with `|` between them, that make this field apply; empty: always."""
    sensitive: bool
    """Never shown, logged or sent back."""
    by_provider: bool
    """Only the service provider may change it."""
    minimum: int | None
    maximum: int | None
    max_length: int | None

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the field means anything beside these values of the others."""
        return all(
            str(values.get(name) or declared(name).default) in wanted.split("|")
            for name, wanted in self.shown_when.items()
        )


@cache
def settings_fields() -> tuple[FieldSpec, ...]:
    """The fields that people enter, in the order of the screen."""
    return tuple(_spec(name, info) for name, info in FtpSettingsInput.model_fields.items())


def settings_field(name: str) -> FieldSpec | None:
    """The field of this name, or None."""
    return next((field for field in settings_fields() if field.name == name), None)


def declared(name: str) -> FieldSpec:
    """The field of this name. Raises KeyError."""
    field = settings_field(name)
    if field is None:
        raise KeyError(name)
    return field


def read_form(form: Mapping[str, str]) -> dict[str, Any]:
    """The settings' fields of a submitted form, ready for FtpSettingsInput.

    An empty text is a field not given; a list is split at commas, semicolons and blanks; a box
    that was not ticked is not sent, and false. Names that are no field of the settings are left
    out: they are the page's own.
    """
    values = {field.name: _entered(field, form.get(field.name)) for field in settings_fields()}
    return {name: value for name, value in values.items() if value is not None}


def explain(error: ValidationError) -> dict[str, str]:
    """For each field that is wrong one sentence, which never repeats the value.

    An error that concerns no single field has the key "".
    """
    return explain_problems(error.errors(include_url=False, include_input=False))


def explain_problems(problems: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The same for items such as `ValidationError.errors()` has, whoever collected them."""
    told: dict[str, str] = {}
    for problem in problems:
        loc = problem["loc"]
        field = str(loc[0]) if loc else ""
        told.setdefault(field, f"{_subject(loc)} {_words(field, problem)}.")
    return told


def _spec(name: str, info: FieldInfo) -> FieldSpec:
    extra = info.json_schema_extra
    if not isinstance(extra, dict):
        raise TypeError(f"{name} does not say how it is entered")
    declared: dict[str, Any] = {**extra}
    by_protocol = declared["x-default-by-protocol"]
    default = None if info.is_required() or by_protocol else info.default
    return FieldSpec(
        name=name,
        title=info.title or name,
        help=info.description or "",
        kind=Input(declared["x-input"]),
        required=info.is_required(),
        default=getattr(default, "value", default),
        default_by_protocol=by_protocol,
        options=tuple(Option(*each) for each in declared["x-options"].items()),
        shown_when=declared["x-shown-when"],
        sensitive=declared["x-sensitive"],
        by_provider=declared["x-by-provider"],
        minimum=_limit(info, Ge, "ge"),
        maximum=_limit(info, Le, "le"),
        max_length=_limit(info, MaxLen, "max_length"),
    )


def _limit(info: FieldInfo, kind: type, attribute: str) -> int | None:
    found = (getattr(each, attribute) for each in info.metadata if isinstance(each, kind))
    return next(found, None)


def _entered(field: FieldSpec, text: str | None) -> Any:
    if field.kind is Input.CHECKBOX:
        return text is not None
    if field.kind is Input.LIST:
        return tuple(part for part in re.split(r"[,;\s]+", text or "") if part)
    if field.kind is Input.PASSWORD:
        return text or None
    return (text or "").strip() or None


def _subject(loc: tuple[int | str, ...]) -> str:
    if not loc:
        return "What was given"
    field = settings_field(str(loc[0]))
    title = field.title if field else str(loc[0]).replace("_", " ").capitalize()
    entry = next((part for part in loc[1:] if isinstance(part, int)), None)
    return title if entry is None else f"{title}, entry {entry + 1},"


def _words(name: str, problem: Mapping[str, Any]) -> str:
    field = settings_field(name)
    kind, context = problem["type"], problem.get("ctx", {})
    if kind.startswith("int_") or kind in {"greater_than_equal", "less_than_equal"}:
        return f"must be a whole number{_range(field, context)}"
    if kind in _WORDS:
        return _WORDS[kind](context)
    message = problem["msg"].removeprefix("Value error, ")
    message = re.sub(r"^(Input|Value|String|Tuple|List) should ", "must ", message)
    return f"{message[:1].lower()}{message[1:]}".rstrip(".")


def _range(field: FieldSpec | None, context: Mapping[str, Any]) -> str:
    if field is not None and field.minimum is not None:
        return f" from {field.minimum} to {field.maximum}"
    if "ge" in context:
        return f" of at least {context['ge']}"
    return f" of at most {context['le']}" if "le" in context else ""


def _at_least(context: Mapping[str, Any]) -> str:
    least = context["min_length"]
    return "must not be empty" if least == 1 else f"must have at least {least} characters"


def _at_most(context: Mapping[str, Any]) -> str:
    of = "entries" if context.get("field_type") in _LISTS else "characters"
    return f"must have at most {context['max_length']} {of}"


_LISTS = ("Tuple", "List", "Set", "Frozenset", "Dictionary")
_A_TIME = "must be a time, such as 2026-11-23T14:05:00Z"
_WORDS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "missing": lambda _: "is required",
    "string_type": lambda _: "must be a text",
    "string_unicode": lambda _: "must be valid Unicode text",
    "string_too_short": _at_least,
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "too_long": _at_most,
    "tuple_type": lambda _: "must be a list",
    "list_type": lambda _: "must be a list",
    "bool_type": lambda _: "must be true or false",
    "bool_parsing": lambda _: "must be true or false",
    "enum": lambda context: f"must be {context['expected'].replace(chr(39), '')}",
    "extra_forbidden": lambda _: "is not a field that can be given here",
    "json_invalid": lambda _: "is not JSON",
    "model_attributes_type": lambda _: "must be a JSON object with the fields",
    "datetime_from_date_parsing": lambda _: _A_TIME,
    "datetime_parsing": lambda _: _A_TIME,
}
