"""A server in a namespace of its own, with its own users and its own PAM rules.

No user is made on the machine: passwd, shadow and group are files of the test, bound over the
machine's own where only this server sees them. The process namespace ends every session of the
server together with it.
"""

import ctypes
import os
import secrets
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local.customers import CustomerServer
from deploy.local.install import program
from deploy.local.packages import unpacked
from deploy.local.processes import Child, ServiceError, free_port, listens, wait_until

LOOPBACK = "127.0.0.1"
_UID = 61_001
_START_SECONDS = 60.0

# $1: the test's files; $2: the customer's folder; $3: its name in here; the rest: the server.
_ENTER = """
set -e
etc=$1 root=$2 home=$3
shift 3
mount -t tmpfs tmpfs /home
mkdir -p "$home"
mount --bind "$root" "$home"
mount -t tmpfs tmpfs /run
mkdir -p -m 755 /run/sshd /run/vsftpd/empty
for name in passwd shadow group; do
    mount --bind "$etc/$name" "/etc/$name"
done
mount -t tmpfs tmpfs /etc/pam.d
for service in sshd vsftpd; do
    cp "$etc/pam" "/etc/pam.d/$service"
done
# Not exec: vsftpd's sessions end when their parent is process 1, taking themselves for orphans.
"$@"
exit $?
"""

_PAM = """\
auth required pam_unix.so nodelay
account required pam_permit.so
session required pam_permit.so
"""


class NamespacedServer(ABC):
    """Starts and stops on one port; `stop` cuts the sessions that are open."""

    def __init__(self, folder: Path, package: str, server: str, home: str) -> None:
        """`home`: the name that the server gives to the customer's folder."""
        self.folder = folder
        self.username = "customer"
        self.password = secrets.token_urlsafe(12)
        self.port = free_port()
        self.root = folder / "home"
        self.log = folder / f"{server}.log"
        self.program = _program(server, package)
        self._home = home
        self.root.mkdir(parents=True)
        os.chown(self.root, _UID, _UID)
        self._write_users()
        self._child: Child | None = None

    @property
    @abstractmethod
    def _argv(self) -> Sequence[str]:
        """The server in the foreground, with its settings written."""

    @property
    def host_key(self) -> str | None:
        """The fingerprint of the host key; None without SSH."""
        return None

    @property
    def customer(self) -> CustomerServer:
        """What the customer tells of it."""
        return CustomerServer(
            host=LOOPBACK,
            port=self.port,
            username=self.username,
            password=self.password,
            root=self.root,
            host_key=self.host_key,
            home=self._home,
        )

    def start(self) -> None:
        """Start it and wait until it listens. Raises `ServiceError` after 60 s."""
        child = self._child = Child(type(self).__name__, self._namespaced(), self.log)
        child.start()

        def ready() -> bool:
            child.check()
            return listens(self.port)

        try:
            wait_until(
                ready,
                _START_SECONDS,
                f"{type(self).__name__} did not listen within {_START_SECONDS:.0f} s.",
            )
        except ServiceError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it with all its sessions; the port is free on return."""
        if self._child is not None:
            self._child.kill()
            self._child = None
            wait_until(
                lambda: not listens(self.port),
                _START_SECONDS,
                f"{type(self).__name__} still listens after it was stopped.",
            )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _namespaced(self) -> list[str]:
        enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        script = ["sh", "-c", _ENTER, "sh", str(self.folder), str(self.root), self._home_inside]
        return [*enter, *script, *self._argv]

    @property
    def _home_inside(self) -> str:
        return f"/home/{self.username}"

    def _write_users(self) -> None:
        machines = Path("/etc/passwd").read_text()
        user = f"{self.username}:x:{_UID}:{_UID}::{self._home_inside}:/bin/sh\n"
        (self.folder / "passwd").write_text(machines + user)
        groups = Path("/etc/group").read_text()
        (self.folder / "group").write_text(f"{groups}{self.username}:x:{_UID}:\n")
        (self.folder / "shadow").write_text(f"{self.username}:{_hash(self.password)}:19000::::::\n")
        (self.folder / "shadow").chmod(0o600)
        (self.folder / "pam").write_text(_PAM)


def _program(server: str, package: str) -> Path:
    if os.geteuid() != 0:
        raise ServiceError(f"{server} runs in a namespace of its own: run the tests as root.")
    found = unpacked(package) / "usr/sbin" / server
    if not found.exists():
        return _installed(server, package)
    return found


def _installed(server: str, package: str) -> Path:
    found = program(server)
    if found is None:
        raise ServiceError(
            f"{server} is not on this machine: run `make test`, or install {package} by hand."
        )
    return found


def _hash(password: str) -> str:
    """The SHA-512 hash for a shadow file, by the C library that will check it."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed = library.crypt(password.encode(), f"$6${secrets.token_hex(8)}".encode())
    return str(hashed, "ascii")
