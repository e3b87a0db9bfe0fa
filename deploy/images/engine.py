"""A Docker engine of the checkout's own: in a folder that is removed, in namespaces that end."""

import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from deploy.local import debian, packages
from deploy.local.folders import STATE
from deploy.local.processes import Child, ServiceError, wait_until

RELEASE = "trixie"
HOME = STATE / "images"
ROOT = HOME / "root"
SOURCE = ROOT / "source"
"""The checkout as the engine sees it, under `/source`."""
LOG = STATE / "images-engine.log"
_BASE = HOME / "base.tar"
_PACKAGES = ("docker.io", "docker-cli", "docker-compose", "iptables", "iproute2")
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SOCKET = "/engine/docker.sock"
_NAMESPACES = Path(__file__).with_name("namespaces")
_READY_SECONDS = 120.0
_STOP_SECONDS = 60.0
_COMMAND_SECONDS = 1200
# Builds reach this machine's mirrors, so that one is in its network, and changes nothing of it.
_BUILDER = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none")


@dataclass(frozen=True)
class Engine:
    """One that answers."""

    pid: int

    def docker(
        self, *arguments: str, environment: Mapping[str, str] | None = None, stdin: str = ""
    ) -> str:
        """What the command says. Raises `ServiceError` with its last words where it fails."""
        settings = {"DOCKER_BUILDKIT": "0", "PATH": _PATH, **(environment or {})}
        given = [f"{name}={value}" for name, value in settings.items()]
        command = [*self.within("--mount"), "env", "-C", "/source", f"DOCKER_HOST=unix://{_SOCKET}"]
        done = subprocess.run(
            [*command, *given, "docker", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise ServiceError(f"docker {' '.join(arguments[:6])} failed:\n{words}")
        return done.stdout.strip()

    def within(self, *more: str) -> list[str]:
        """What runs a command in the engine's network."""
        return ["nsenter", "--target", str(self.pid), "--net", *more]

    @property
    def url(self) -> str:
        """Its address outside of the folder."""
        return f"unix://{ROOT}{_SOCKET}"


def make_root() -> None:
    """Make the folder: Debian with its Docker engine. Raises `ServiceError` where it cannot be."""
    base = debian.make(RELEASE, "ca-certificates")
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    with tarfile.open(_BASE, "w") as tar:
        tar.add(base, ".")
    _must(["cp", "--archive", str(base), str(ROOT)])
    for name in ("resolv.conf", "hosts"):
        shutil.copyfile(Path("/etc") / name, ROOT / "etc" / name)
    chroot = ["chroot", str(ROOT), "apt-get", "-qq", "-o", "APT::Sandbox::User=root"]
    _must([*chroot, "update"])
    _must([*chroot, "install", "--yes", "--no-install-recommends", *_PACKAGES])
    _copy_checkout()


def import_base(engine: Engine, name: str) -> None:
    """Make Debian alone an image of this name."""
    shutil.move(_BASE, ROOT / "base.tar")
    engine.docker("import", "/base.tar", name)


@contextmanager
def engine(*, apart: bool) -> Iterator[Engine]:
    """An engine that answers, ended with all its containers.

    `apart`: in a network of its own, with bridges, loopback and nothing else; otherwise in this
    machine's, without bridges, to build. Raises `ServiceError` where it does not start.
    """
    argv = ["unshare", "--mount", "--pid", "--fork", "--kill-child", *(["--net"] if apart else [])]
    argv += ["bash", str(_NAMESPACES), str(ROOT), "dockerd", "--host", f"unix://{_SOCKET}"]
    argv += [] if apart else _BUILDER
    (ROOT / "engine").mkdir(exist_ok=True)
    LOG.unlink(missing_ok=True)
    child = Child("Docker's engine", argv, LOG)
    try:
        child.start()
        found = Engine(_started(child))
        wait_until(lambda: _answers(child, found), _READY_SECONDS, f"No engine answers: see {LOG}.")
        yield found
        _end(found.pid)
    finally:
        child.kill()


def _started(child: Child) -> int:
    """The engine's own process: `unshare` is its parent."""
    children = Path(f"/proc/{child.pid}/task/{child.pid}/children")
    wait_until(lambda: bool(children.read_text().split()), 10, "No engine was started.")
    return int(children.read_text().split()[0])


def _answers(child: Child, engine: Engine) -> bool:
    child.check()
    with suppress(ServiceError):
        return bool(engine.docker("info"))
    return False


def _end(pid: int) -> None:
    """In order: what it has built would not be whole otherwise."""
    os.kill(pid, signal.SIGTERM)
    gone = f"Docker's engine did not end: see {LOG}."
    wait_until(lambda: not Path(f"/proc/{pid}").exists(), _STOP_SECONDS, gone)


def _copy_checkout() -> None:
    """The files that git knows or would take, as they stand."""
    checkout = STATE.parent
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=checkout, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        target = SOURCE / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (checkout / name).exists():
            shutil.copy2(checkout / name, target)


def _must(command: list[str]) -> None:
    if complaint := packages.run(command):
        raise ServiceError(f"{' '.join(command[:4])} failed ({complaint}).")
