"""Where a path leads over SFTP, and by what it is told that a name is taken."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import Look
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.test_sftp import Blind
from transports import settings_test
from transports.base import Egress


@pytest.mark.parametrize("folder", ["~", "~/calls", "~/calls/today"])
def test_a_tilde_is_the_home_as_over_ftp(
    sftp_customer: CustomerServer, recording: Path, folder: str
) -> None:
    session = open_session(sftp_customer, path=folder)
    with opened(recording) as source:
        upload(session, source, job(folder=folder), Ledger(names=(f"{folder}/call.wav",)))
    session.close()
    within = folder.removeprefix("~").lstrip("/")
    assert files_in(sftp_customer.root / within) == {"call.wav": 480_044}
    assert not (sftp_customer.root / "~").exists()


def test_where_nothing_else_tells_a_name_is_looked_at_by_opening_it(
    tmp_path: Path, recording: Path
) -> None:
    with AsyncSshServer(_folder(tmp_path), sftp=Blind) as server:
        (server.root / "call.wav").write_bytes(b"of somebody else")
        report = settings_test.test_settings(
            settings_of(server.customer), SecretStr(server.customer.password), LIMITS, Egress()
        )
        assert report.ok, report.failure
        assert report.capabilities.look is Look.OPEN
        session = open_session(server.customer, capabilities=report.capabilities)
        with opened(recording) as source:
            upload(session, source, job(look=Look.OPEN), Ledger())
        session.close()
        assert (server.root / "call.wav").read_bytes() == b"of somebody else"
        assert files_in(server.root) == {"call.wav": 16, "call (2).wav": 480_044}


def _folder(parent: Path) -> Path:
    folder = parent / "served"
    folder.mkdir()
    return folder
