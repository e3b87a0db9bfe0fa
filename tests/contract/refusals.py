"""What real servers are brought to refuse, each situation as a customer has it."""

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from deploy.local.processes import free_port
from tests.contract.accounts import LIMITS, open_session, settings_of
from tests.contract.ftp_handlers import odd
from tests.integration.platform import until
from tests.servers import (
    Dropbear,
    FtpSrv,
    InetutilsFtpd,
    ModSftp,
    Proftpd,
    PureFtpd,
    RcloneFtp,
    RcloneSftp,
    Ssh2,
    Sshd,
    TwistedFtp,
    Vsftpd,
)
from tests.servers.catalogue import Running
from tests.servers.namespace import NamespacedServer
from transports.base import Egress, Server
from transports.errors import ServerBusy, TransferError
from transports.settings_test import test_settings

Start = Callable[[Path], contextlib.AbstractContextManager[Running]]
Provoke = Callable[[CustomerServer], TransferError | None]
NOWHERE = "/nowhere"


@dataclass(frozen=True)
class Refusal:
    """A server, and how it is brought to refuse; `cause`: what that is in the catalogue."""

    server: str
    cause: str
    start: Start
    provoke: Provoke

    @property
    def key(self) -> str:
        """Its name."""
        return f"{self.server}: {self.cause}"


# --- what is asked of it --------------------------------------------------------------------------


def saved(customer: CustomerServer, password: str = "", **changes: Any) -> TransferError | None:
    """What the test on save fails of."""
    settings = settings_of(customer, **changes)
    secret = SecretStr(password or customer.password)
    return test_settings(settings, secret, LIMITS, Egress()).failure


wrong_password = partial(saved, password="wrong")
in_clear = partial(saved, protocol=Protocol.FTP, ca_certificates=None)
over_tls = partial(saved, protocol=Protocol.FTPS)
from_the_first_byte = partial(saved, protocol=Protocol.FTPS_IMPLICIT)
by_sftp = partial(saved, protocol=Protocol.SFTP)
by_ftp = partial(saved, protocol=Protocol.FTP)


def second(customer: CustomerServer) -> TransferError | None:
    """A login beside one that stands, once the server has forgotten who looked whether it runs."""
    with contextlib.closing(until(lambda: _first(customer), "a first login")):
        return saved(customer)


def _first(customer: CustomerServer) -> Server | None:
    with contextlib.suppress(ServerBusy):
        return open_session(customer)
    return None


def again(customer: CustomerServer, **changes: Any) -> TransferError | None:
    """The right password, after a wrong one."""
    wrong_password(customer, **changes)
    return saved(customer, **changes)


def put(customer: CustomerServer, name: str = "call.part", size: int = 9) -> TransferError | None:
    """An upload in a session that stands."""
    with contextlib.closing(open_session(customer)) as session:
        try:
            session.put([bytes(size)], name)
        except TransferError as refused:
            return refused
    return None


long_name = partial(put, name="x" * 290 + ".part")


def rename(customer: CustomerServer) -> TransferError | None:
    """A rename of what was uploaded."""
    with contextlib.closing(open_session(customer)) as session:
        session.put([b"x"], "call.part")
        try:
            session.rename("call.part", "call.wav")
        except TransferError as refused:
            return refused
    return None


# --- how it stands --------------------------------------------------------------------------------


def of(kind: Callable[..., contextlib.AbstractContextManager[Running]], **how: Any) -> Start:
    """The server with these settings."""
    return lambda folder: kind(folder, **how)


@contextlib.contextmanager
def _homeless(kind: Callable[..., NamespacedServer], folder: Path, **how: Any) -> Iterator[Running]:
    server = kind(folder, **how)
    _edit(server.folder / "passwd", f":/home/{server.username}:", f":{NOWHERE}:")
    with server:
        yield server


def homeless(kind: Callable[..., NamespacedServer], **how: Any) -> Start:
    """Its user's home directory is not there."""
    return partial(_homeless, kind, **how)


@contextlib.contextmanager
def _locked(kind: Callable[..., NamespacedServer], folder: Path, **how: Any) -> Iterator[Running]:
    with kind(folder, **how) as server:
        server.root.chmod(0o555)
        yield server


def locked(kind: Callable[..., NamespacedServer], **how: Any) -> Start:
    """Its user may not write."""
    return partial(_locked, kind, **how)


@contextlib.contextmanager
def _on_disk(
    kind: Callable[..., NamespacedServer], folder: Path, *, full: bool, **how: Any
) -> Iterator[Running]:
    """On a small disk of its own, which is full or cannot be written to."""
    server = kind(folder, **how)
    with _disk(server.root):
        if full:
            with contextlib.suppress(OSError), (server.root / "fill").open("wb") as fill:
                while True:
                    fill.write(bytes(4096))
                    fill.flush()
        else:
            subprocess.run(["mount", "-o", "remount,ro", str(server.root)], check=True)
        with server:
            yield server


def full(kind: Callable[..., NamespacedServer], **how: Any) -> Start:
    """Its disk is full."""
    return partial(_on_disk, kind, full=True, **how)


def read_only(kind: Callable[..., NamespacedServer], **how: Any) -> Start:
    """Its disk cannot be written to."""
    return partial(_on_disk, kind, full=False, **how)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[None]:
    owner = folder.stat()
    options = f"size=64k,uid={owner.st_uid},gid={owner.st_gid},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextlib.contextmanager
def _with_user(
    folder: Path, *, shadow: str, login_shell: str, extra: tuple[str, ...]
) -> Iterator[Running]:
    server = Sshd(folder, extra=extra)
    _edit(server.folder / "shadow", ":19000::::::", shadow)
    _edit(server.folder / "passwd", "/home/customer:/bin/sh", f"/home/customer:{login_shell}")
    _edit(server.folder / "pam", "account required pam_permit.so", "account required pam_unix.so")
    with server:
        yield server


def with_user(
    shadow: str = ":19000::::::", login_shell: str = "/bin/sh", extra: tuple[str, ...] = ()
) -> Start:
    """OpenSSH, whose user has this line in the shadow file, and this shell."""
    return partial(_with_user, shadow=shadow, login_shell=login_shell, extra=extra)


def _edit(file: Path, before: str, after: str) -> None:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))


@contextlib.contextmanager
def _in_process(
    kind: Callable[..., contextlib.AbstractContextManager[Running]], folder: Path, **how: Any
) -> Iterator[Running]:
    folder.mkdir(parents=True, exist_ok=True)
    with kind(folder, **how) as server:
        yield server


def here(kind: Callable[..., contextlib.AbstractContextManager[Running]], **how: Any) -> Start:
    """A server of the test's own process."""
    return partial(_in_process, kind, **how)


@dataclass
class Web:
    """A web server."""

    customer: CustomerServer


@contextlib.contextmanager
def web(_folder: Path) -> Iterator[Running]:
    """Python's own, as any application has one."""

    class Quiet(BaseHTTPRequestHandler):
        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Web(CustomerServer("127.0.0.1", server.server_port, "customer", "x", Path()))
    finally:
        server.shutdown()
        thread.join(5)
        server.server_close()


@contextlib.contextmanager
def nobody(_folder: Path) -> Iterator[Running]:
    """A port at which nothing listens."""
    yield Web(CustomerServer("127.0.0.1", free_port(), "customer", "x", Path()))


_BANS = [
    "BanEngine on",
    "BanTable /run/ban.tab",
    "BanLog none",
    'BanMessage "Host %a has been banned"',
    "BanOnEvent MaxLoginAttempts 1/01:00:00 01:00:00",
    "MaxLoginAttempts 1",
]
_BY_SHELL = ("ForceCommand /usr/lib/openssh/sftp-server",)
_CLOSED = odd(
    replies={
        "229": "229 Entering extended passive mode (|||9|).",
        "227": "227 Entering passive mode (127,0,0,1,0,9).",
    }
)

REFUSALS = (
    *(
        Refusal(name, "login-refused", start, wrong_password)
        for name, start in {
            "vsftpd": of(Vsftpd),
            "ProFTPD": of(Proftpd),
            "pure-ftpd": of(PureFtpd),
            "inetutils-ftpd": of(InetutilsFtpd),
            "ftp-srv": of(FtpSrv),
            "pyftpdlib": here(PyFtpServer),
            "Twisted": of(TwistedFtp),
            "OpenSSH": of(Sshd),
            "mod_sftp": of(ModSftp),
            "dropbear": of(Dropbear),
            "asyncssh": here(AsyncSshServer),
            "ssh2": of(Ssh2),
            "rclone serve ftp": of(RcloneFtp),
            "rclone serve sftp": of(RcloneSftp),
        }.items()
    ),
    Refusal("nobody", "connection-refused", nobody, saved),
    Refusal("a web server, asked for SFTP", "http-answers", web, by_sftp),
    Refusal("a web server, asked for FTP", "http-answers", web, by_ftp),
    Refusal("vsftpd", "ftp-answers", of(Vsftpd), by_sftp),
    Refusal("OpenSSH", "ssh-answers", of(Sshd), by_ftp),
    Refusal("vsftpd", "no-tls", of(Vsftpd), over_tls),
    Refusal("ProFTPD", "no-tls", of(Proftpd), over_tls),
    Refusal("pure-ftpd", "no-tls", of(PureFtpd), over_tls),
    Refusal("vsftpd", "tls-begins-later", of(Vsftpd), from_the_first_byte),
    Refusal("vsftpd", "encryption-asked", of(Vsftpd, tls="ftps"), in_clear),
    Refusal("ProFTPD", "encryption-asked", of(Proftpd, tls="ftps"), in_clear),
    Refusal("pure-ftpd", "encryption-asked", of(PureFtpd, tls="ftps"), in_clear),
    Refusal("vsftpd", "implicit-tls-asked", of(Vsftpd, tls="ftps-implicit"), in_clear),
    Refusal(
        "vsftpd",
        "certificate-untrusted",
        of(Vsftpd, tls="ftps"),
        partial(saved, ca_certificates=None),
    ),
    Refusal("pyftpdlib", "data-port-closed", here(PyFtpServer, handler=_CLOSED), put),
    Refusal(
        "vsftpd",
        "user-not-permitted",
        of(Vsftpd, extra=["userlist_enable=YES", "userlist_deny=NO", "userlist_file=/dev/null"]),
        saved,
    ),
    Refusal(
        "vsftpd",
        "anonymous-only",
        of(Vsftpd, extra=["anonymous_enable=YES", "local_enable=NO"]),
        saved,
    ),
    Refusal("vsftpd", "home-directory-missing", homeless(Vsftpd), saved),
    Refusal("pure-ftpd", "home-directory-missing", homeless(PureFtpd), saved),
    Refusal("vsftpd", "writable-root", of(Vsftpd, extra=["allow_writeable_chroot=NO"]), saved),
    Refusal(
        "vsftpd, max_clients", "too-many-connections", of(Vsftpd, extra=["max_clients=1"]), second
    ),
    Refusal(
        "vsftpd, max_per_ip", "too-many-connections", of(Vsftpd, extra=["max_per_ip=1"]), second
    ),
    Refusal("ProFTPD", "too-many-connections", of(Proftpd, extra=["MaxClientsPerUser 1"]), second),
    Refusal(
        "pure-ftpd", "too-many-connections", of(PureFtpd, extra=["--maxclientsperip=1"]), second
    ),
    Refusal(
        "pyftpdlib", "too-many-connections", here(PyFtpServer, max_connections_per_ip=1), second
    ),
    Refusal(
        "ProFTPD mod_ban",
        "address-blocked",
        of(Proftpd, modules=["mod_ban.c"], extra=_BANS),
        again,
    ),
    Refusal("OpenSSH", "account-expired", with_user(shadow=":19000:::::1:"), saved),
    Refusal("OpenSSH", "password-expired", with_user(shadow=":0::::::"), saved),
    Refusal(
        "OpenSSH",
        "no-login-shell",
        with_user(login_shell="/usr/sbin/nologin", extra=_BY_SHELL),
        saved,
    ),
    Refusal("vsftpd", "disk-write-failed", full(Vsftpd), saved),
    Refusal("ProFTPD", "disk-full", full(Proftpd), saved),
    Refusal("pure-ftpd", "disk-write-failed", full(PureFtpd), saved),
    Refusal("inetutils-ftpd", "disk-full", full(InetutilsFtpd), saved),
    Refusal("OpenSSH", "no-room", full(Sshd), saved),
    Refusal("mod_sftp", "disk-full", full(ModSftp), saved),
    Refusal("vsftpd, disk read-only", "not-writable", read_only(Vsftpd), saved),
    Refusal("ProFTPD", "read-only", read_only(Proftpd), saved),
    Refusal("pure-ftpd", "read-only", read_only(PureFtpd), saved),
    Refusal("inetutils-ftpd", "read-only", read_only(InetutilsFtpd), saved),
    Refusal("OpenSSH, disk read-only", "server-refuses", read_only(Sshd), saved),
    Refusal("mod_sftp, disk read-only", "server-refuses", read_only(ModSftp), saved),
    *(
        Refusal(name, "not-writable", locked(kind), saved)
        for name, kind in {
            "vsftpd": Vsftpd,
            "ProFTPD": Proftpd,
            "pure-ftpd": PureFtpd,
            "inetutils-ftpd": InetutilsFtpd,
            "OpenSSH": Sshd,
            "mod_sftp": ModSftp,
        }.items()
    ),
    *(
        Refusal(name, "folder-missing", start, partial(put, name="nowhere/call.part"))
        for name, start in {
            "ProFTPD": of(Proftpd),
            "pure-ftpd": of(PureFtpd),
            "inetutils-ftpd": of(InetutilsFtpd),
            "pyftpdlib": here(PyFtpServer),
            "OpenSSH": of(Sshd),
            "mod_sftp": of(ModSftp),
            "asyncssh": here(AsyncSshServer),
        }.items()
    ),
    Refusal(
        "pure-ftpd",
        "quota-exceeded",
        of(PureFtpd, extra=["--quota=100:1"]),
        partial(put, size=3_000_000),
    ),
    Refusal(
        "ProFTPD",
        "file-too-large",
        of(Proftpd, extra=["MaxStoreFileSize 1 Kb"]),
        partial(put, size=300_000),
    ),
    Refusal("ProFTPD", "name-forbidden", of(Proftpd, extra=[r"PathDenyFilter \.part$"]), put),
    Refusal(
        "pure-ftpd",
        "name-forbidden",
        of(PureFtpd, extra=["--prohibitdotfileswrite"]),
        partial(put, name=".call.part"),
    ),
    Refusal("ProFTPD", "name-too-long", of(Proftpd), long_name),
    Refusal("pure-ftpd", "name-too-long", of(PureFtpd), long_name),
    Refusal("inetutils-ftpd", "name-too-long", of(InetutilsFtpd), long_name),
    Refusal("OpenSSH", "name-too-long", of(Sshd), long_name),
    Refusal("mod_sftp", "name-forbidden", of(ModSftp), long_name),
    Refusal("pure-ftpd", "user-not-permitted", of(PureFtpd, extra=["--minuid=70000"]), saved),
    Refusal(
        "OpenSSH",
        "rename-refused",
        of(Sshd, extra=["ForceCommand internal-sftp -P rename,posix-rename"]),
        rename,
    ),
    Refusal(
        "ProFTPD",
        "rename-refused",
        of(Proftpd, extra=["<Limit RNTO>", "DenyAll", "</Limit>"]),
        rename,
    ),
)
