"""Another release of Debian in a folder of the checkout: its programs beside this machine's own."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from deploy.local import packages
from deploy.local.folders import RELEASES
from deploy.local.processes import ServiceError

_PATTERN = re.compile(r"[a-z]+")
# Older ones know only their names: the script of Debian unstable makes each that is newer.
_SCRIPT = "/usr/share/debootstrap/scripts/sid"
# The node's folders, its log and the certificates of a test stay where they are: only the programs
# and their libraries are those of the other release.
_INSIDE = 'mount --bind "$0/usr" /usr && exec "$@"'


def root(release: str, package: str) -> Path | None:
    """Where the release stands with this package, or None where it was not made yet.

    Raises `ServiceError` where that is no name of a release.
    """
    if not _PATTERN.fullmatch(release):
        raise ServiceError(
            f"{release!r} is no name of a Debian release: trixie and forky are tried."
        )
    folder = RELEASES / f"{release}-{package}"
    return folder if folder.exists() else None


def make(release: str, package: str) -> Path:
    """Make the release with this package by debootstrap, unless it stands; its folder.

    It takes minutes, and root. Raises `ServiceError` where it is not possible.
    """
    made = root(release, package)
    if made is not None:
        return made
    if shutil.which("debootstrap") is None:
        packages.install("debootstrap")
    folder = RELEASES / f"{release}-{package}"
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    command = ["debootstrap", "--variant=minbase", f"--include={package}"]
    command += [release, str(unfinished), packages.debian_mirror(), _SCRIPT]
    if complaint := packages.run(command):
        raise ServiceError(f"debootstrap could not make {release} with {package} ({complaint}).")
    unfinished.rename(folder)
    return folder


def wrapper(folder: Path) -> Sequence[str]:
    """What runs a command, in the same process, with the programs and libraries of the release.

    The command sees its `/usr` in place of this machine's, in a mount namespace of its own.
    """
    return ("unshare", "--mount", "sh", "-c", _INSIDE, str(folder))
