"""Packages of npm for the tests, as committed locks name them, in the checkout's ignored folder.

They are servers that customers run, schemas and types that documents of ours are checked against,
what looks for faults of the pages, and an emulator of Azure's store.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from deploy.local import packages
from deploy.local.folders import NPM
from deploy.local.processes import ServiceError

PROGRAMS = {"nodejs": "node", "npm": "npm"}
"""Debian package -> the program."""


@dataclass(frozen=True)
class Locked:
    """The packages of one lock: `wanted` has it, `folder` is where they are installed."""

    wanted: Path
    folder: Path

    @property
    def modules(self) -> Path:
        return self.folder / "node_modules"

    @property
    def names(self) -> list[str]:
        """The packages that are asked for by name."""
        return list(json.loads((self.wanted / "package.json").read_text())["dependencies"])

    @property
    def are_installed(self) -> bool:
        """Whether they are there, just as the lock names them."""
        lock = (self.wanted / "package-lock.json").read_bytes()
        return self._done.exists() and self._done.read_bytes() == lock

    def install(self) -> None:
        """Install them without running any script of theirs. Raises `ServiceError`."""
        shutil.copytree(self.wanted, self.folder, dirs_exist_ok=True)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        if complaint := packages.run(command, self.folder):
            raise ServiceError(f"npm could not install {' and '.join(self.names)} ({complaint}).")
        shutil.copy2(self.wanted / "package-lock.json", self._done)

    @property
    def _done(self) -> Path:
        """A copy of the lock that was installed, written last."""
        return self.folder / "installed.json"


_HERE = Path(__file__).parent
SERVERS = Locked(_HERE / "npm_servers", NPM)
SCHEMAS = Locked(_HERE / "npm_schemas", NPM / "schemas")
TYPES = Locked(_HERE / "npm_types", NPM / "types")
PAGES = Locked(_HERE / "npm_pages", NPM / "pages")
AZURITE = Locked(_HERE / "npm_azurite", NPM / "azurite")
ALL = (SERVERS, SCHEMAS, TYPES, PAGES, AZURITE)
MODULES = SERVERS.modules
