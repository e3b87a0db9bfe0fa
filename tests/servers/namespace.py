"""A server in a namespace of its own, with its own users and its own PAM rules.

No user is made on the machine: passwd, shadow and group are files of the test, bound over the
machine's own where only this server sees them. The process namespace ends every session of the
server together with it.
"""

import ctypes
import os
import secrets
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from deploy.local.customers import CustomerServer
from deploy.local.install import program
from deploy.local.packages import unpacked
from deploy.local.processes import Child, ServiceError, free_port
from tests.servers.certificates import Authority, Pair
from tests.servers.child import ChildServer

LOOPBACK = "127.0.0.1"
_UID = 61_001

# $1: the test's files; $2: the customer's folder; $3: its name in here; the rest: the server.
_ENTER = """
set -e
etc=$1 root=$2 home=$3
shift 3
# Root's alone, as sshd wants a folder that sessions are confined to.
mount -t tmpfs -o mode=755 tmpfs /home
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


class NamespacedServer(ChildServer):
    """Its user is one of the test's own making."""

    def __init__(
        self,
        folder: Path,
        package: str,
        server: str,
        home: str,
        tls: str | None = None,
        host: str = LOOPBACK,
    ) -> None:
        """`home`: the name that the server gives to the customer's folder. `tls`: `ftps` or
        `ftps-implicit`, where it speaks that. `host`: the only address at which it listens.
        """
        self.folder = folder
        self.host = host
        self.username = "customer"
        self.password = secrets.token_urlsafe(12)
        self._port = free_port()
        self.root = folder / "home"
        self.log = folder / f"{server}.log"
        self.program = _program(server, package)
        self._home = home
        self._tls = tls
        self.authority = Authority(folder / "authority") if tls else None
        self.root.mkdir(parents=True)
        os.chown(self.root, _UID, _UID)
        self._write_users()

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._port

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
            host=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            root=self.root,
            host_key=self.host_key,
            home=self._home,
            tls=self._tls,
            authority=self.authority.file.read_text() if self.authority else None,
        )

    @cached_property
    def pair(self) -> Pair:
        """The certificate that it shows, where it speaks TLS."""
        if self.authority is None:
            raise ServiceError(f"{type(self).__name__} speaks no TLS here.")
        return self.authority.issue(self.host)

    def _new_child(self) -> Child:
        return Child(type(self).__name__, self._namespaced(), self.log)

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
