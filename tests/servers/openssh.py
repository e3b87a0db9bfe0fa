"""OpenSSH's SFTP server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from deploy.local import debian
from tests.servers.host_keys import fingerprint, make_host_key
from tests.servers.namespace import LOOPBACK, NamespacedServer

_SETTINGS = """\
{extra}
ListenAddress {host}:{port}
HostKey {key}
PidFile none
UsePAM yes
PasswordAuthentication {password}
KbdInteractiveAuthentication {interactive}
PubkeyAuthentication {keys}
AuthorizedKeysFile none
AuthorizedKeysCommand /usr/bin/cat {authorized}
AuthorizedKeysCommandUser root
PermitRootLogin no
PrintMotd no
UseDNS no
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
"""


class Sshd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    `logon`: the only method it offers, unless there are `authorized` keys, by their lines.
    `extra`: lines of sshd_config, for example
    `MaxSessions 1`; they come first and so win. `home`: where its sessions begin. `host`: the only
    address at which it listens. Port and host key survive `stop` and `start`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logon: Literal["password", "keyboard-interactive"] = "password",
        authorized: Sequence[str] = (),
        extra: Sequence[str] = (),
        home: str = "/home/customer",
        host: str = LOOPBACK,
    ) -> None:
        super().__init__(folder, "openssh-server", "sshd", home=home, host=host)
        self._interactive = logon == "keyboard-interactive"
        self._extra = tuple(extra)
        self._authorized = folder / "authorized_keys"
        self._takes_keys = bool(authorized)
        self.authorize(*authorized)
        self._key = folder / "host_key"
        self.regenerate_host_key()

    def regenerate_host_key(self) -> None:
        """Take a new host key; it counts from the next `start` on."""
        make_host_key(self._key)

    def authorize(self, *lines: str) -> None:
        """Take these lines of public keys and no others, from the next login on."""
        self._authorized.write_text("".join(f"{line}\n" for line in lines))

    @property
    def host_key(self) -> str:
        """The fingerprint of the host key."""
        return fingerprint(self._key)

    @property
    def _argv(self) -> Sequence[str]:
        settings = self.folder / "sshd_config"
        settings.write_text(
            _SETTINGS.format(
                extra="\n".join(self._extra),
                host=f"[{self.host}]" if ":" in self.host else self.host,
                port=self.port,
                key=self._key,
                password=_yes(not self._interactive),
                interactive=_yes(self._interactive),
                keys=_yes(self._takes_keys),
                authorized=self._authorized,
            )
        )
        return [str(self.program), "-D", "-e", "-f", str(settings)]


class TrixieSshd(Sshd):
    """OpenSSH 10 of Debian 13, run from a folder of the checkout's own.

    It shuts addresses out after failed logins (PerSourcePenalties), loopback too. The first one
    has debootstrap make the folder, which takes minutes.
    """

    @property
    def _argv(self) -> Sequence[str]:
        release = debian.make("trixie", "openssh-server")
        return [*debian.wrapper(release), "/usr/sbin/sshd", *super()._argv[1:]]


def _yes(value: bool) -> str:  # noqa: FBT001 - sshd's own word for it
    return "yes" if value else "no"
