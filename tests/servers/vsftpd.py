"""vsftpd, the FTP server of most Linux distributions."""

from collections.abc import Sequence
from pathlib import Path

from tests.servers.namespace import LOOPBACK, NamespacedServer

_PASSIVE_PORTS = 100
_SETTINGS = """\
listen={v4}
listen_ipv6={v6}
background=NO
listen_address{digit}={host}
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
_TLS = """\
ssl_enable=YES
rsa_cert_file={cert}
rsa_private_key_file={key}
ssl_ciphers=HIGH
require_ssl_reuse=YES
force_local_logins_ssl=YES
force_local_data_ssl=YES
strict_ssl_read_eof=YES
"""
_NO_NEWER_TLS = """\
openssl_conf = all
[all]
ssl_conf = ssl
[ssl]
system_default = limits
[limits]
MaxProtocol = {newest}
"""


def _address(host: str) -> dict[str, str]:
    if ":" in host:
        return {"v4": "NO", "v6": "YES", "digit": "6", "host": host}
    return {"v4": "YES", "v6": "NO", "digit": "", "host": host}


class Vsftpd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `extra`: lines of vsftpd.conf, for example `cmds_denied=SIZE,RNFR`; they come last and so
    win. Its port survives `stop` and `start`. `tls`: `ftps` or `ftps-implicit`, with the session
    resumed on data connections and with TLS's end of each file. `newest`: the newest TLS that it
    speaks, for example `TLSv1.2`. `host`: the only address at which it listens.
    """

    passive_ports = _PASSIVE_PORTS

    def __init__(
        self,
        folder: Path,
        *,
        extra: Sequence[str] = (),
        tls: str | None = None,
        newest: str | None = None,
        host: str = LOOPBACK,
    ) -> None:
        super().__init__(folder, "vsftpd", "vsftpd", home="/", tls=tls, host=host)
        self._extra = (*self._tls_lines(), *extra)
        self._newest = newest

    @property
    def _argv(self) -> Sequence[str]:
        settings = self.folder / "vsftpd.conf"
        settings.write_text(
            _SETTINGS.format(
                **_address(self.host),
                port=self.port,
                passive=self._passive[0],
                passive_end=self._passive[-1],
                folder=self.folder,
                extra="\n".join(self._extra),
            )
        )
        return [*self._environment(), str(self.program), str(settings)]

    def _tls_lines(self) -> list[str]:
        if self.authority is None:
            return []
        lines = _TLS.format(cert=self.pair.cert, key=self.pair.key).splitlines()
        return [*lines, "implicit_ssl=YES"] if self.customer.tls == "ftps-implicit" else lines

    def _environment(self) -> list[str]:
        if self._newest is None:
            return []
        settings = self.folder / "openssl.cnf"
        settings.write_text(_NO_NEWER_TLS.format(newest=self._newest))
        return ["env", f"OPENSSL_CONF={settings}"]
