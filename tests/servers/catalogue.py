"""The servers against which the contract suite runs: `docs/servers.md` has a row for each.

One more is one more entry of `SERVERS`.
"""

import gzip
import json
import re
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Protocol

from deploy.local import debian, npm
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from deploy.local.packages import unpacked
from tests.servers import rclone
from tests.servers.dropbear import Dropbear
from tests.servers.ftp_srv import FtpSrv
from tests.servers.inetutils import InetutilsFtpd
from tests.servers.openssh import Sshd, TrixieSshd
from tests.servers.proftpd import ModSftp, Proftpd
from tests.servers.pure_ftpd import PureFtpd
from tests.servers.rclone import RcloneFtp, RcloneSftp
from tests.servers.ssh2 import Ssh2
from tests.servers.twisted import TwistedFtp
from tests.servers.vsftpd import Vsftpd

AS_SHIPPED = "as shipped"


class Running(Protocol):
    """A server that runs."""

    @property
    def customer(self) -> CustomerServer:
        """What the customer tells of it."""


@dataclass(frozen=True)
class Entry:
    """A server with its settings. `start`: in an empty folder."""

    protocol: str
    name: str
    setting: str
    version: Callable[[], str]
    start: Callable[[Path], AbstractContextManager[Running]]
    is_slow: bool = False
    """To be had only in minutes: tried by `make servers` alone."""
    brings_back: bool = False
    """A file that is removed while the server still has the cut upload of it open comes back."""

    @property
    def key(self) -> str:
        """What the row is called."""
        return f"{self.protocol} | {self.name} | {self.setting}"


def of_debian(package: str) -> str:
    """The version of an installed Debian package."""
    command = ["dpkg-query", "--show", "--showformat=${Version}", package]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout


def of_unpacked(package: str) -> str:
    """The version of one that is only unpacked."""
    changes = unpacked(package) / "usr/share/doc" / package / "changelog.Debian.gz"
    with gzip.open(changes, "rt", encoding="utf-8") as lines:
        match = re.search(r"\(([^)]+)\)", lines.readline())
    return match[1] if match else "unknown"


def of_release(release: str, package: str) -> str:
    """The version of one of another release of Debian."""
    folder = debian.make(release, package)
    status = (folder / "var/lib/dpkg/status").read_text(encoding="utf-8")
    match = re.search(
        rf"^Package: {re.escape(package)}\n(?:\S.*\n| .*\n)*?Version: (.+)", status, re.MULTILINE
    )
    return match[1] if match else "unknown"


def of_npm(package: str) -> str:
    """The version of a package of npm."""
    return str(json.loads((npm.MODULES / package / "package.json").read_text())["version"])


def _in_folder(
    make: Callable[[Path], AbstractContextManager[Running]], folder: Path
) -> AbstractContextManager[Running]:
    folder.mkdir(parents=True)
    return make(folder)


def _pyftpdlib_over_tls(folder: Path) -> AbstractContextManager[Running]:
    from tests.servers.pyftpd import PyFtpdTls  # noqa: PLC0415 - only it needs pyOpenSSL

    return PyFtpdTls(folder)


_VSFTPD = ("FTP", "vsftpd")
_OPENSSH = ("SFTP", "OpenSSH")
_PROFTPD = ("FTP", "ProFTPD")
_version_of_vsftpd = partial(of_debian, "vsftpd")
_version_of_openssh = partial(of_debian, "openssh-server")
_version_of_proftpd = partial(of_unpacked, "proftpd-core")

_OF_OPENSSH = {
    "internal-sftp -u 077": ["ForceCommand internal-sftp -u 077"],
    "internal-sftp -P stat,lstat,fstat": ["ForceCommand internal-sftp -P stat,lstat,fstat"],
    "internal-sftp -P rename,posix-rename": ["ForceCommand internal-sftp -P rename,posix-rename"],
}
"""Lines of sshd_config for each setting; `-P` names requests that are refused."""
_CONFINED = ["ChrootDirectory /home", "ForceCommand internal-sftp -d /customer"]
"""Sessions see a root that is not theirs to write to, and begin in the one folder that is."""

_OVER_TLS_OF_VSFTPD: dict[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "require_ssl_reuse, TLS 1.3": partial(Vsftpd, tls="ftps"),
    "require_ssl_reuse, TLS 1.2": partial(Vsftpd, tls="ftps", newest="TLSv1.2"),
    "implicit_ssl, require_ssl_reuse": partial(Vsftpd, tls="ftps-implicit"),
}

_SEES_ALL = "--dir-cache-time=1ms"
"""Else it sees what others put into its folder only minutes later, and the tests are others.

Not `0s`: rclone forgets a folder by a timer of twice that time, which then goes off for ever, and
thousands of its threads of work wait for one another while it answers nobody (seen under load).
"""

SERVERS = (
    Entry(*_VSFTPD, AS_SHIPPED, _version_of_vsftpd, Vsftpd),
    Entry(
        *_VSFTPD,
        "cmds_denied=EPSV,SIZE",
        _version_of_vsftpd,
        partial(Vsftpd, extra=["cmds_denied=EPSV,SIZE"]),
    ),
    Entry(*_PROFTPD, AS_SHIPPED, _version_of_proftpd, Proftpd),
    Entry(
        *_PROFTPD,
        "AllowOverwrite on, mod_digest",
        _version_of_proftpd,
        partial(Proftpd, modules=["mod_digest.c"], extra=["AllowOverwrite on"]),
    ),
    Entry(
        *_PROFTPD,
        "HiddenStores on, no EPSV, no MLST",
        _version_of_proftpd,
        partial(
            Proftpd,
            extra=[
                "AllowOverwrite on",
                "HiddenStores on",
                "<Limit EPSV MLST>",
                "DenyAll",
                "</Limit>",
            ],
        ),
    ),
    Entry("FTP", "pure-ftpd", AS_SHIPPED, partial(of_unpacked, "pure-ftpd"), PureFtpd),
    Entry(
        "FTP",
        "pure-ftpd",
        "--autorename --norename",
        partial(of_unpacked, "pure-ftpd"),
        partial(PureFtpd, extra=["--autorename", "--norename"]),
    ),
    Entry(
        "FTP", "inetutils-ftpd", AS_SHIPPED, partial(of_unpacked, "inetutils-ftpd"), InetutilsFtpd
    ),
    Entry("FTP", "npm ftp-srv", AS_SHIPPED, partial(of_npm, "ftp-srv"), FtpSrv),
    Entry(
        "FTP",
        "pyftpdlib",
        AS_SHIPPED,
        partial(metadata.version, "pyftpdlib"),
        partial(_in_folder, PyFtpServer),
    ),
    Entry(
        "FTP",
        "rclone serve ftp",
        _SEES_ALL,
        rclone.version,
        partial(RcloneFtp, extra=[_SEES_ALL]),
        brings_back=True,
    ),
    Entry("FTP", "Twisted", AS_SHIPPED, partial(of_debian, "python3-twisted"), TwistedFtp),
    *(
        Entry("FTPS", "vsftpd", setting, _version_of_vsftpd, start)
        for setting, start in _OVER_TLS_OF_VSFTPD.items()
    ),
    Entry(
        "FTPS",
        "ProFTPD mod_tls",
        "TLSRequired on",
        _version_of_proftpd,
        partial(Proftpd, tls="ftps"),
    ),
    Entry(
        "FTPS",
        "pure-ftpd",
        "--tls=2",
        partial(of_unpacked, "pure-ftpd"),
        partial(PureFtpd, tls="ftps"),
    ),
    Entry(
        "FTPS",
        "pyftpdlib",
        "TLS_FTPHandler",
        partial(metadata.version, "pyftpdlib"),
        _pyftpdlib_over_tls,
    ),
    Entry(*_OPENSSH, AS_SHIPPED, _version_of_openssh, Sshd),
    Entry(
        *_OPENSSH,
        "MaxSessions 1",
        _version_of_openssh,
        partial(Sshd, extra=["MaxSessions 1"]),
    ),
    *(
        Entry(*_OPENSSH, setting, _version_of_openssh, partial(Sshd, extra=lines))
        for setting, lines in _OF_OPENSSH.items()
    ),
    Entry(
        *_OPENSSH,
        "ChrootDirectory, root not writable",
        _version_of_openssh,
        partial(Sshd, extra=_CONFINED, home="/customer"),
    ),
    Entry(
        "SFTP",
        "OpenSSH of Debian 13",
        AS_SHIPPED,
        partial(of_release, "trixie", "openssh-server"),
        TrixieSshd,
        is_slow=True,
    ),
    Entry("SFTP", "ProFTPD mod_sftp", AS_SHIPPED, _version_of_proftpd, ModSftp),
    Entry(
        "SFTP",
        "asyncssh",
        AS_SHIPPED,
        partial(metadata.version, "asyncssh"),
        partial(_in_folder, AsyncSshServer),
    ),
    Entry("SFTP", "npm ssh2", AS_SHIPPED, partial(of_npm, "ssh2"), Ssh2),
    Entry(
        "SFTP",
        "rclone serve sftp",
        _SEES_ALL,
        rclone.version,
        partial(RcloneSftp, extra=[_SEES_ALL]),
    ),
    Entry(
        "SFTP", "dropbear", "OpenSSH's sftp-server", partial(of_debian, "dropbear-bin"), Dropbear
    ),
)
