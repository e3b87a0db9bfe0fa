"""The names by which settings are given: in the environment, and in a `.env` file.

Each `COURIER_NAME` can also be given as `COURIER_NAME_FILE`, a file that holds the value (the
way container platforms hand out secrets), and in a `.env` file of the working folder. The
environment wins over the file. What is given empty is not given; an empty list is none. A file
that is named and empty is a mistake.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from config.errors import SettingsError

PREFIX = "COURIER_"
MAX_FILE_BYTES = 65536
"""The largest file of a `_FILE` setting: a device would be read for ever."""
_OF_FILE = "_FILE"


@dataclass(frozen=True)
class Names:
    """The settings that there are."""

    fields: Collection[str]
    lists: Collection[str]
    """Those that may be an empty list: given empty they are that, and not the default."""

    def read(self, environ: Mapping[str, str], dotenv: Path) -> tuple[dict[str, str], list[str]]:
        """The values by their fields, and a sentence for each name that is wrong.

        Raises SettingsError where the `.env` file cannot be read.
        """
        values: dict[str, str] = {}
        problems: list[str] = []
        for name, value in sorted(self._merged(environ, dotenv).items()):
            self._take(name, value, values, problems)
        return values, problems

    def _merged(self, environ: Mapping[str, str], dotenv: Path) -> dict[str, str]:
        environ = self._given(environ)
        merged = {**self._given(_stored(dotenv)), **environ}
        for name in environ:  # an own value in the environment wins over a `_FILE` in the file
            if not name.endswith(_OF_FILE) and f"{name}{_OF_FILE}" not in environ:
                merged.pop(f"{name}{_OF_FILE}", None)
            elif name.endswith(_OF_FILE) and name.removesuffix(_OF_FILE) not in environ:
                merged.pop(name.removesuffix(_OF_FILE), None)
        return merged

    def _given(self, source: Mapping[str, str]) -> dict[str, str]:
        """Without what is empty, as Compose and unit files give what is not set."""
        return {
            name: value
            for name, value in source.items()
            if name.startswith(PREFIX) and (value or self._counts_empty(name, source))
        }

    def _counts_empty(self, name: str, source: Mapping[str, str]) -> bool:
        """Whether an empty value says something: a list is empty, or the name is unknown."""
        if (field := self._field(name)) is not None:
            return field in self.lists and not source.get(f"{name}{_OF_FILE}")
        return self._field_of_file(name) is None

    def _take(self, name: str, value: str, values: dict[str, str], problems: list[str]) -> None:
        if (field := self._field(name)) is not None:
            values[field] = value
            return
        if (field := self._field_of_file(name)) is None:
            problems.append(f"{name} is not a setting of Courier: correct its name or remove it.")
            return
        if field in values:
            problems.append(f"{PREFIX}{field.upper()} and {name} are both set: keep one of them.")
            return
        try:
            content = _read(Path(value))
        except (OSError, ValueError) as error:
            problems.append(f"{name} names {value!r}, which cannot be read: {_reason(error)}.")
            return
        if content or field in self.lists:
            values[field] = content
        else:  # it was named on purpose: one that nobody has filled yet
            problems.append(f"{name} names {value!r}, which is empty: fill it, or remove {name}.")

    def _field(self, name: str) -> str | None:
        """The setting of this name."""
        field = name.removeprefix(PREFIX).lower()
        return field if field in self.fields and name == f"{PREFIX}{field.upper()}" else None

    def _field_of_file(self, name: str) -> str | None:
        """The setting whose file has this name."""
        return self._field(name.removesuffix(_OF_FILE)) if name.endswith(_OF_FILE) else None


def _stored(dotenv: Path) -> dict[str, str]:
    try:
        if not dotenv.is_file():
            return {}
        from dotenv import dotenv_values  # noqa: PLC0415 - only where there is such a file

        values = dotenv_values(dotenv)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError([f"{dotenv} cannot be read: {_reason(error)}."]) from None
    return {name: value or "" for name, value in values.items()}


def _read(file: Path) -> str:
    """Raises OSError, UnicodeDecodeError, and ValueError where it is too long."""
    with file.open("rb") as opened:
        content = opened.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError(f"it is longer than {MAX_FILE_BYTES} bytes")
    return content.decode().strip()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
