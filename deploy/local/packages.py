"""Installs what is missing with the machine's own apt."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.local.folders import LIBRARIES, STATE, UNPACKED
from deploy.local.processes import ServiceError

_APT_SECONDS = 900
_POLICY = Path("/usr/sbin/policy-rc.d")
_RELEASES = {"bookworm", "trixie", "oldstable", "stable"}
_UNITS = {
    "rabbitmq-server": "rabbitmq-server",
    "openssh-server": "ssh",
    "vsftpd": "vsftpd",
    "prometheus": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
}
_QUIET = ("-qq", "-y", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300")


def install(*packages: str) -> None:
    """Install Debian packages without starting their services.

    Raises `ServiceError` where that is not possible, with the command to run by hand.
    """
    by_hand = f"install by hand: {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        raise ServiceError(f"This machine has no apt-get; {by_hand}.")
    if os.geteuid() != 0:
        raise ServiceError(f"Only root may install packages; {by_hand}.")
    # --no-remove: a server that conflicts with one of ours stays, and apt says so.
    command = ["apt-get", "install", *_QUIET, "--no-install-recommends", "--no-remove", *packages]
    with _services_not_started():
        complaint = run(command)
        if complaint:
            # The package lists may be missing or out of date.
            run(["apt-get", "update", "-qq"])
            complaint = run(command)
    if complaint:
        raise ServiceError(f"apt-get could not install the packages ({complaint}); {by_hand}.")
    _not_at_boot([_UNITS[package] for package in packages if package in _UNITS])


def unpack(*packages: str) -> Path:
    """Unpack Debian packages that conflict with others into a folder of their own; the folder.

    What they are linked with is installed. Their services, users and scripts are not.
    Raises `ServiceError` where that is not possible.
    """
    folder = unpacked(packages[0])
    if folder.exists():
        return folder
    UNPACKED.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED) as name:
        aside = Path(name)
        _download(aside, packages)
        files = sorted(aside.glob("*.deb"))
        if missing := sorted(set(_linked_with(files)) - set(_installed())):
            install(*missing)
        for file in files:
            if complaint := run(["dpkg", "-x", str(file), str(aside / "root")]):
                raise ServiceError(f"{file.name} could not be unpacked ({complaint}).")
        (aside / "root").rename(folder)
    return folder


def unpacked(package: str) -> Path:
    """Where a package is unpacked, if it is."""
    return UNPACKED / package


def _download(folder: Path, packages: Sequence[str]) -> None:
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=root", *packages]
    if run(command, folder):
        # The package lists may be missing or out of date.
        run(["apt-get", "update", "-qq"])
        if complaint := run(command, folder):
            raise ServiceError(f"apt-get could not download {' '.join(packages)} ({complaint}).")


def _linked_with(files: Sequence[Path]) -> Iterator[str]:
    """The libraries that the packages depend on, and the names of protocols and services."""
    for file in files:
        for wanted in _output(["dpkg-deb", "--field", str(file), "Depends"]).split(","):
            name = wanted.partition("|")[0].split("(")[0].strip()
            if name.startswith("lib") or name == "netbase":
                yield name


def _installed() -> list[str]:
    lines = _output(["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n"])
    pairs = (line.split() for line in lines.splitlines())
    return [name for name, *status in pairs if status == ["installed"]]


def _output(command: Sequence[str]) -> str:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def fetch_openssl_1_1() -> None:
    """Unpack OpenSSL 1.1 from the machine's mirror of Debian 11 into the checkout's folder.

    The machine's own package sources and libraries stay as they are.
    Raises `ServiceError` where the mirror does not have it.
    """
    STATE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE) as name:
        folder = Path(name)
        _download_from_debian_11(folder, "libssl1.1")
        for package in folder.glob("*.deb"):
            _must(["dpkg", "-x", str(package), str(folder / "unpacked")])
        LIBRARIES.mkdir(exist_ok=True)
        for library in (folder / "unpacked").rglob("*.so.1.1"):
            shutil.copy2(library, LIBRARIES / library.name)


def _download_from_debian_11(folder: Path, package: str) -> None:
    sources = folder / "debian-11.list"
    sources.write_text(debian_11_source())
    for wanted in ("lists/partial", "cache/archives/partial"):
        (folder / wanted).mkdir(parents=True)
    private = [
        "apt-get",
        "-qq",
        *("-o", f"Dir::Etc::SourceList={sources}"),
        *("-o", "Dir::Etc::SourceParts=-"),
        *("-o", f"Dir::State::Lists={folder / 'lists'}"),
        *("-o", f"Dir::Cache={folder / 'cache'}"),
        *("-o", "APT::Sandbox::User=root"),
    ]
    _must([*private, "update"], folder)
    _must([*private, "download", package], folder)


def debian_11_source(apt: Path = Path("/etc/apt")) -> str:
    """A line of sources.list for Debian 11, at the mirror that this machine's own sources name.

    Raises `ServiceError` where they name none.
    """
    options, address = _mirror(apt)
    return f"deb {options}{address} bullseye main\n"


def debian_mirror(apt: Path = Path("/etc/apt")) -> str:
    """The address of the mirror that this machine's own sources name.

    Raises `ServiceError` where they name none.
    """
    return _mirror(apt)[1]


def _mirror(apt: Path) -> tuple[str, str]:
    mirror = next(_mirrors(apt), None)
    if mirror is None:
        raise ServiceError(f"No Debian mirror is named in {apt}: install the service by hand.")
    return mirror


def _mirrors(apt: Path) -> Iterator[tuple[str, str]]:
    """Options and address of each source of a whole Debian release, in both formats of apt."""
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            yield from _mirror_of_stanza(stanza)
    for file in [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.exists() else []:
            yield from _mirror_of_line(line)


def _mirror_of_stanza(stanza: str) -> Iterator[tuple[str, str]]:
    lines = [line.partition(":") for line in stanza.splitlines() if not line.startswith("#")]
    fields = {name.strip().lower(): value.split() for name, _, value in lines}
    if _is_debian(fields.get("suites", []), fields.get("components", [])):
        key = next(iter(fields.get("signed-by", [])), "")
        yield f"[signed-by={key}] " if key.startswith("/") else "", fields["uris"][0]


def _mirror_of_line(line: str) -> Iterator[tuple[str, str]]:
    kind, _, rest = line.strip().partition(" ")
    options, closing, after = rest.rpartition("]")
    address, *suite_and_components = after.split() or [""]
    if kind == "deb" and _is_debian(suite_and_components[:1], suite_and_components[1:]):
        yield f"{options.strip()}{closing} ".lstrip(), address


def _is_debian(suites: Sequence[str], components: Sequence[str]) -> bool:
    return "main" in components and not _RELEASES.isdisjoint(suites)


@contextmanager
def _services_not_started() -> Iterator[None]:
    """Keep the packages' own services from being started while they are installed.

    Debian asks policy-rc.d whether an installation may start services.
    """
    aside = _POLICY.with_suffix(".courier-aside")
    if _POLICY.exists():
        _POLICY.rename(aside)
    try:
        _POLICY.write_text("#!/bin/sh\nexit 101\n")
        _POLICY.chmod(0o755)
        yield
    finally:
        if aside.exists():
            aside.rename(_POLICY)
        else:
            _POLICY.unlink(missing_ok=True)


def _not_at_boot(units: Sequence[str]) -> None:
    if units and shutil.which("systemctl"):
        run(["systemctl", "--quiet", "disable", *units])


def _must(command: Sequence[str], folder: Path | None = None) -> None:
    if complaint := run(command, folder):
        raise ServiceError(
            f"OpenSSL 1.1, which the packaged MongoDB needs, could not be had from Debian 11 "
            f"({complaint}); install MongoDB by hand, or set COURIER_MONGODB_URL."
        )


def run(command: Sequence[str], folder: Path | None = None) -> str | None:
    """Run a command; its last words when it failed, else None."""
    try:
        result = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_APT_SECONDS} s"
    if result.returncode == 0:
        return None
    lines = (result.stderr or result.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {result.returncode}"
