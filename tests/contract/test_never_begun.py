"""A file that the test on save never came to begin is not told as left at the customer's."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import asyncssh
import pytest
from asyncssh.constants import FX_FAILURE, FX_PERMISSION_DENIED
from pydantic import SecretStr

from config.naming_settings import InFlight
from deploy.local.customers import CustomerServer
from tests.contract.accounts import LIMITS, settings_of
from tests.contract.test_active_mode import allowed
from tests.contract.test_leftovers import sftp
from tests.servers import Vsftpd
from transports.settings_report import TestReport
from transports.settings_test import test_settings as try_settings

NO_PASSIVE = "pasv_enable=NO"
NO_REMOVAL = "cmds_denied=DELE"


def tried(customer: CustomerServer, **changes: Any) -> TestReport:
    egress = allowed(None, changes.pop("calls", "127.0.0.1"))
    settings = settings_of(customer, **changes)
    return try_settings(settings, SecretStr(customer.password), LIMITS, egress)


@pytest.mark.parametrize("tls", [None, "ftps"])
@pytest.mark.parametrize(
    ("extra", "changes"),
    [
        ([NO_PASSIVE], {}),
        ([NO_PASSIVE, NO_REMOVAL], {}),
        ([NO_PASSIVE], {"path": "recordings"}),
        ([NO_PASSIVE], {"in_flight": InFlight.DOT}),
        ([NO_PASSIVE], {"in_flight": InFlight.NONE}),
        (["port_enable=NO"], {"active_mode": True}),
        ([NO_PASSIVE, "write_enable=NO"], {}),
        (["cmds_denied=STOR,NLST"], {}),
        (["cmds_denied=STOR,NLST,DELE"], {"in_flight": InFlight.NONE}),
    ],
)
def test_what_vsftpd_refused_before_it_was_begun_is_not_left(
    extra: Sequence[str], changes: dict[str, Any], tls: str | None, tmp_path: Path
) -> None:
    with Vsftpd(tmp_path / "vsftpd", tls=tls, extra=extra) as server:
        report = tried(server.customer, **changes)
        stored = [path for path in server.root.rglob("*") if path.is_file()]
    assert not report.ok
    assert not stored
    assert "Left there" not in report.steps[-1].detail, report.steps[-1]


def test_what_vsftpd_has_begun_before_it_could_not_connect_is_told_where_it_stays(
    tmp_path: Path,
) -> None:
    extra = [NO_PASSIVE, NO_REMOVAL, "port_promiscuous=YES"]
    with Vsftpd(tmp_path / "vsftpd", extra=extra) as server:
        report = tried(server.customer, active_mode=True, calls="127.0.0.9")
        (left,) = server.root.iterdir()
    assert report.steps[-1].detail.endswith(f"Left there: {left.name}.")


class Denying(asyncssh.SFTPServer):
    """Permits nothing, and says nothing of what is there."""

    code = FX_PERMISSION_DENIED

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Refused."""
        return self._refuse(path, pflags, attrs)

    def remove(self, path: bytes) -> None:
        """Refused."""
        self._refuse(path)

    def stat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Refused."""
        return self._refuse(path)

    def lstat(self, path: bytes) -> asyncssh.SFTPAttrs:
        """Refused."""
        return self._refuse(path)

    def _refuse(self, *_: object) -> NoReturn:
        raise asyncssh.SFTPError(self.code, "no")


class Failing(Denying):
    """Makes files all the same."""

    code = FX_FAILURE

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        """Made, and then it fails."""
        Path(self.map_path(path).decode()).touch()
        return super().open(path, pflags, attrs)


@pytest.mark.parametrize(("kind", "stays"), [(Denying, False), (Failing, True)])
def test_over_sftp_it_is_not_left_where_it_was_not_permitted(
    kind: type[Denying], tmp_path: Path, *, stays: bool
) -> None:
    root = tmp_path / "served"
    with sftp(root, kind) as customer:
        report = tried(customer)
    assert not report.ok
    made = [path.name for path in root.glob("*.part")]
    assert bool(made) is stays
    assert ("Left there" in report.steps[-1].detail) is stays, report.steps[-1]
    assert all(name in report.steps[-1].detail for name in made)
