"""The customers' servers of the tests that run beside them, as Debian and npm ship them.

Those of Debian need root. The others, which run in the test's own process, are in
`deploy.local.customers`; those of them that misbehave as a test tells them are in
`tests.servers.misbehaving`.
"""

from tests.servers.conch import Conch
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

__all__ = [
    "Conch",
    "Dropbear",
    "FtpSrv",
    "InetutilsFtpd",
    "ModSftp",
    "Proftpd",
    "PureFtpd",
    "RcloneFtp",
    "RcloneSftp",
    "Ssh2",
    "Sshd",
    "TrixieSshd",
    "TwistedFtp",
    "Vsftpd",
]
