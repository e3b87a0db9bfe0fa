"""vsftpd, the FTP server of most Linux distributions."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.processes import free_port
from tests.servers.namespace import LOOPBACK, NamespacedServer

_PASSIVE_PORTS = 100
_SETTINGS = """\
listen=YES
listen_ipv6=NO
background=NO
listen_address={host}
listen_port={port}
pasv_min_port={passive}
pasv_max_port={passive_end}
anonymous_enable=NO
local_enable=YES
write_enable=YES
local_umask=022
chroot_local_user=YES
allow_writeable_chroot=YES
secure_chroot_dir=/run/vsftpd/empty
pam_service_name=vsftpd
delay_failed_login=0
dual_log_enable=YES
log_ftp_protocol=YES
vsftpd_log_file={folder}/protocol.log
xferlog_file={folder}/transfers.log
seccomp_sandbox=NO
{extra}
"""


class Vsftpd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `extra`: lines of vsftpd.conf, for example `cmds_denied=SIZE,RNFR`; they come last and so
    win. Its port survives `stop` and `start`.
    """

    def __init__(self, folder: Path, *, extra: Sequence[str] = ()) -> None:
        super().__init__(folder, "vsftpd", "vsftpd", home="/")
        self._extra = tuple(extra)
        self._passive = free_port()

    @property
    def _argv(self) -> Sequence[str]:
        settings = self.folder / "vsftpd.conf"
        settings.write_text(
            _SETTINGS.format(
                host=LOOPBACK,
                port=self.port,
                passive=self._passive,
                passive_end=self._passive + _PASSIVE_PORTS,
                folder=self.folder,
                extra="\n".join(self._extra),
            )
        )
        return [str(self.program), str(settings)]
