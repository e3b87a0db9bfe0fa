"""Servers of npm, as a committed lock names them, in the ignored folder of the checkout."""

import json
import shutil
from pathlib import Path

from deploy.local import packages
from deploy.local.folders import NPM
from deploy.local.processes import ServiceError

PROGRAMS = {"nodejs": "node", "npm": "npm"}
"""Debian package -> the program."""
MODULES = NPM / "node_modules"
_WANTED = Path(__file__).with_name("npm_servers")
_DONE = NPM / "installed.json"
"""A copy of the lock that was installed, written last."""


def servers() -> list[str]:
    """The names of the servers' packages."""
    return list(json.loads((_WANTED / "package.json").read_text())["dependencies"])


def installed() -> bool:
    """Whether they are there, just as the lock names them."""
    return _DONE.exists() and _DONE.read_bytes() == (_WANTED / "package-lock.json").read_bytes()


def install() -> None:
    """Install them without running any script of theirs. Raises `ServiceError`."""
    shutil.copytree(_WANTED, NPM, dirs_exist_ok=True)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if complaint := packages.run(command, NPM):
        raise ServiceError(f"npm could not install {' and '.join(servers())} ({complaint}).")
    shutil.copy2(_WANTED / "package-lock.json", _DONE)
