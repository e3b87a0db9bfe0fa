"""The folders of the program, and which way their imports run (ARCHITECTURE.md)."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).resolve().parents[2]
BELOW = {
    "worker": {"consumers", "transports", "alerts", "config"},
    "consumers": {"transports", "alerts", "config"},
    "transports": {"config"},
    "alerts": {"config"},
    "config": set[str](),
}
PURE = [
    "consumers/delivery/policy.py",
    "config/accounts.py",
    "config/name_templates.py",
    "config/numbers.py",
    "config/permissions.py",
    "alerts/message.py",
    "alerts/recovery.py",
    "alerts/suspension.py",
]
WITHOUT_IO = {
    *("abc", "base64", "collections", "dataclasses", "datetime", "email", "enum", "hashlib"),
    "functools",
    *("ipaddress", "re", "typing", "unicodedata", "pydantic"),
    "cryptography",  # reads certificates that are texts
    "phonenumbers",  # tables of the countries' numbering plans, which are modules
    "zoneinfo",  # reads the system's time zones, which are as fixed as a table
}
"""All that pure modules may import; whatever else comes in is to be looked at here."""
SOURCES = [path for room in BELOW for path in sorted((HOUSE / room).rglob("*.py"))]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_files(name: str) -> Iterator[Path]:
    """The module's file, and those of the packages it is in."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        path = HOUSE.joinpath(*parts[:length])
        yield from (
            each for each in (path.with_suffix(".py"), path / "__init__.py") if each.exists()
        )


def reached(path: Path, seen: set[Path]) -> set[str]:
    """Everything the module imports, through our own modules too."""
    seen.add(path)
    names = set(imported(path))
    for file in [file for name in names for file in module_files(name) if file not in seen]:
        names |= reached(file, seen) if file not in seen else set()
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(HOUSE).as_posix())
def test_imports_run_one_way(path: Path) -> None:
    room = path.relative_to(HOUSE).parts[0]
    rooms = {name.partition(".")[0] for name in imported(path)}

    assert not rooms & (BELOW.keys() - BELOW[room] - {room})
    assert not rooms & {"tests", "deploy"}, "the program needs nothing of its tests and tools"


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_no_io(module: str) -> None:
    names = {name.partition(".")[0] for name in reached(HOUSE / module, set())}

    assert names - BELOW.keys() <= WITHOUT_IO


def test_every_room_is_looked_at() -> None:
    found = {path.relative_to(HOUSE).parts[0] for path in SOURCES}

    assert found == BELOW.keys()
    assert not found & sys.stdlib_module_names
