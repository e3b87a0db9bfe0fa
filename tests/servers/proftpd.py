"""ProFTPD, the FTP server of shared hosting, and its mod_sftp."""

from collections.abc import Sequence
from pathlib import Path

from deploy.local.packages import unpacked
from tests.servers.host_keys import fingerprint, make_host_key
from tests.servers.namespace import LOOPBACK, NamespacedServer

PACKAGE = "proftpd-core"
_PASSIVE_PORTS = 100
_OFTEN_APART = ("mod_delay.c", "mod_ls.c", "mod_xfer.c")
"""What Debian 12 has compiled in and Debian 13 loads."""
_SETTINGS = """\
ModulePath {modules}
{loaded}
ServerName test
ServerType standalone
DefaultAddress {host}
SocketBindTight on
UseIPv6 off
Port {port}
PassivePorts {passive} {passive_end}
User nobody
Group nogroup
AuthOrder mod_auth_unix.c
RequireValidShell off
UseReverseDNS off
DefaultRoot ~
MaxInstances 100
PidFile {folder}/proftpd.pid
ScoreboardFile {folder}/scoreboard
ControlsEngine off
<IfModule mod_delay.c>
  DelayEngine off
</IfModule>
WtmpLog off
SystemLog {folder}/system.log
TransferLog none
{extra}
"""


class Proftpd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `modules`: to be loaded, for example `mod_digest.c`. `extra`: lines of proftpd.conf; they come
    last. Its port survives `stop` and `start`.
    """

    passive_ports = _PASSIVE_PORTS

    def __init__(
        self,
        folder: Path,
        *,
        modules: Sequence[str] = (),
        extra: Sequence[str] = (),
        home: str = "/",
        tls: str | None = None,
    ) -> None:
        super().__init__(folder, PACKAGE, "proftpd", home=home, tls=tls)
        self._modules = (*modules, *(["mod_tls.c"] if tls else []))
        self._extra = (*self._tls_lines(), *extra)

    @property
    def _argv(self) -> Sequence[str]:
        settings = self.folder / "proftpd.conf"
        modules = unpacked(PACKAGE) / "usr/lib/proftpd"
        apart = [each for each in _OFTEN_APART if (modules / each).with_suffix(".so").exists()]
        settings.write_text(
            _SETTINGS.format(
                modules=modules,
                loaded="\n".join(f"LoadModule {each}" for each in [*apart, *self._modules]),
                host=LOOPBACK,
                port=self.port,
                passive=self._passive[0],
                passive_end=self._passive[-1],
                folder=self.folder,
                extra="\n".join(self._extra),
            )
        )
        return [str(self.program), "--nodaemon", "--config", str(settings)]

    def _tls_lines(self) -> list[str]:
        """mod_tls with its defaults, which have data connections resume the session."""
        if self.authority is None:
            return []
        pair = self.pair
        lines = [
            "TLSEngine on",
            "TLSRequired on",
            f"TLSECCertificateFile {pair.cert}",
            f"TLSECCertificateKeyFile {pair.key}",
            f"TLSLog {self.folder}/tls.log",
        ]
        is_implicit = self.customer.tls == "ftps-implicit"
        return [*lines, "TLSOptions UseImplicitSSL"] if is_implicit else lines


class ModSftp(Proftpd):
    """ProFTPD as an SFTP server, with password logon."""

    def __init__(self, folder: Path, *, extra: Sequence[str] = ()) -> None:
        self._key = folder / "host_key"
        lines = ["SFTPEngine on", f"SFTPHostKey {self._key}", "SFTPAuthMethods password", *extra]
        super().__init__(folder, modules=["mod_sftp.c"], extra=lines)
        make_host_key(self._key)

    @property
    def host_key(self) -> str:
        """The fingerprint of the host key."""
        return fingerprint(self._key)
