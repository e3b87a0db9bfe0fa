"""What the program is made of: declared, locked with hashes, and nothing besides."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PACKAGES = ("worker", "consumers", "transports", "alerts", "config")
RUNTIME, DEVELOPMENT = "requirements-runtime.txt", "requirements.txt"
CLOUDS = "requirements-clouds.txt"
"""Instead of the runtime's, for recordings of Google and Azure."""
_PIN = re.compile(
    r"([a-z0-9.-]+)(?:\[[a-z0-9,-]+\])?==(\S+)( ; [^\\\n]+)? \\\n((?:    --hash=\S+(?: \\)?\n)+)"
)


@cache
def project() -> dict[str, Any]:
    """The section `project` of pyproject.toml."""
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


@cache
def locked(name: str) -> dict[str, tuple[str, frozenset[str]]]:
    """Version and hashes of each package; the file must hold nothing else."""
    text = (ROOT / name).read_text()
    assert not _PIN.sub("", text).strip()
    return {
        package: (version, frozenset(re.findall(r"--hash=(sha256:[0-9a-f]{64})\b", hashes)))
        for package, version, _, hashes in _PIN.findall(text)
    }


def declared(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for."""
    yield from map(Requirement, project()["dependencies"])
    for extra in extras:
        for text in project()["optional-dependencies"][extra]:
            if not text.startswith("courier["):
                yield Requirement(text)


@pytest.mark.parametrize(
    ("name", "extras"),
    [
        (RUNTIME, ("tracing", "s3")),
        (CLOUDS, ("tracing", "s3", "clouds")),
        (DEVELOPMENT, ("tracing", "s3", "clouds", "local", "dev")),
    ],
    ids=["runtime", "clouds", "dev"],
)
def test_each_lock_has_what_is_declared_in_a_version_that_is_allowed(
    name: str, extras: tuple[str, ...]
) -> None:
    lock = locked(name)
    for each in declared(*extras):
        version, _ = lock[canonicalize_name(each.name)]
        assert each.specifier.contains(version), f"make lock: {each} is {version}"


@pytest.mark.parametrize("name", [RUNTIME, CLOUDS, DEVELOPMENT])
def test_each_package_of_a_lock_has_its_hashes(name: str) -> None:
    assert locked(name)
    assert all(hashes for _, hashes in locked(name).values())


def test_the_runtime_has_the_same_packages_as_development_and_none_of_its_tools() -> None:
    assert locked(RUNTIME).items() <= locked(CLOUDS).items() <= locked(DEVELOPMENT).items()
    tools = {canonicalize_name(each.name) for each in declared("local", "dev")}
    tools -= {canonicalize_name(each.name) for each in declared("tracing")}
    assert not tools & locked(CLOUDS).keys()


def test_what_reads_from_clouds_is_in_no_other_lock_of_the_program() -> None:
    assert not {"gcsfs", "adlfs", "aiohttp", "grpcio", "azure-core"} & locked(RUNTIME).keys()


def test_the_program_imports_nothing_that_its_lock_has_not() -> None:
    known = packages_distributions()
    for module in sorted(_imported() - set(sys.stdlib_module_names) - set(PACKAGES)):
        names = {canonicalize_name(name) for name in known[module]}
        assert names & locked(CLOUDS).keys(), f"{module} of {names} is not in {CLOUDS}"


def _imported() -> set[str]:
    found = set()
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.partition(".")[0])
    return found


def test_the_licence_is_named_and_there() -> None:
    assert project()["license"] == "Apache-2.0"
    assert project()["license-files"] == ["LICENSE"]
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "Copyright 2026 Courier contributors" in text
