"""The ftpd of GNU inetutils, a descendant of BSD's."""

import sys
from collections.abc import Sequence
from pathlib import Path

from tests.servers.namespace import LOOPBACK, NamespacedServer

_INETD = Path(__file__).with_name("inetd.py")


class InetutilsFtpd(NamespacedServer):
    """`folder`: an empty folder for its files; uploads land in `folder/home`.

    Its port survives `stop` and `start`.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "inetutils-ftpd", "ftpd", home="/home/customer")

    @property
    def _argv(self) -> Sequence[str]:
        inetd = [sys.executable, str(_INETD), LOOPBACK, str(self.port)]
        return [*inetd, str(self.program), "--auth=default"]
