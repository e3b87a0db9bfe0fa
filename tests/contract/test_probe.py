"""The test upload on save, against every server."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import Capabilities, FtpSettings
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.contract.accounts import LIMITS, files_in, settings_of
from tests.servers import Sshd, Vsftpd
from transports import settings_test
from transports.base import Egress
from transports.errors import HostKeyChanged, LoginRefused, PathRefused
from transports.settings_report import Step, TestReport, steps_of


def probed(
    customer: CustomerServer, settings: FtpSettings | None = None, password: str | None = None
) -> TestReport:
    return settings_test.test_settings(
        settings or settings_of(customer),
        SecretStr(password or customer.password),
        LIMITS,
        Egress(),
    )


def names(report: TestReport) -> list[str]:
    return [step.name for step in report.steps if step.ok]


def plain(report: TestReport) -> Capabilities:
    """What was found, without what is looked at in `test_capabilities`."""
    measured: dict[str, object] = {"at_once": None, "request_size": None, "algorithms": None}
    measured |= {"pipelines": False, "queues": False, "look": None}
    measured |= {"finish_seconds": None, "removes": True, "resumes": None}
    return report.capabilities.model_copy(update=measured)


def test_every_step_is_told_in_its_order_and_nothing_is_left(customer: CustomerServer) -> None:
    heard: list[Step] = []
    settings = settings_of(customer, path="calls/today")
    report = settings_test.test_settings(
        settings,
        SecretStr(customer.password),
        LIMITS,
        Egress(),
        heard.append,
    )
    assert report.ok
    assert tuple(heard) == report.steps
    assert names(report) == steps_of(settings.protocol)
    assert report.host_key == customer.host_key
    assert plain(report) == Capabilities()
    assert files_in(customer.root) == {}


def test_a_wrong_password_ends_it_at_the_logon_with_advice(customer: CustomerServer) -> None:
    report = probed(customer, password="wrong")
    assert isinstance(report.failure, LoginRefused)
    last = report.steps[-1]
    assert (last.name, last.ok) == ("logged in", False)
    assert last.detail.endswith(report.failure.advice)


def test_a_name_without_an_address_ends_it_at_the_first_step(customer: CustomerServer) -> None:
    settings = settings_of(customer, host="no-such-host.invalid")
    report = probed(customer, settings)
    assert [(step.name, step.ok) for step in report.steps] == [("resolved", False)]


def test_another_host_key_ends_it_before_any_credential(asyncssh_server: AsyncSshServer) -> None:
    pinned = "SHA256:" + "A" * 43
    report = probed(
        asyncssh_server.customer, settings_of(asyncssh_server.customer, host_key=pinned)
    )
    assert isinstance(report.failure, HostKeyChanged)
    assert report.steps[-1].name == "host key"
    assert pinned in report.steps[-1].detail
    assert str(asyncssh_server.customer.host_key) in report.steps[-1].detail
    assert asyncssh_server.logins == 0


@pytest.mark.parametrize(
    ("denied", "found"),
    [
        ("SIZE", Capabilities(size=False)),
        ("RNFR", Capabilities(rename=False, replace=False)),
        ("RNTO", Capabilities(rename=False, replace=False)),
        ("SIZE,RNFR", Capabilities(size=False, rename=False, replace=False)),
        ("MKD", Capabilities(mkdir=False)),
    ],
)
def test_what_a_server_refuses_is_found_out_and_passes(
    tmp_path: Path, denied: str, found: Capabilities
) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=[f"cmds_denied={denied}"]) as server:
        report = probed(server.customer)
        assert report.ok
        assert plain(report) == found
        assert files_in(server.customer.root) == {}


def test_a_folder_that_cannot_be_removed_is_told_and_the_file_is_removed(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=RMD"]) as server:
        report = probed(server.customer)
        (left,) = server.customer.root.iterdir()
    assert report.ok
    assert report.capabilities.mkdir
    assert report.steps[-1].detail == f"550 Permission denied. ({left.name} is left there)"


def test_a_server_that_keeps_its_files_passes_and_says_what_is_left(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=DELE"]) as server:
        report = probed(server.customer)
        left = list(files_in(server.customer.root))
    assert report.ok
    assert not report.steps[-1].ok
    assert len(left) == 1
    assert left[0] in report.steps[-1].detail


@pytest.mark.parametrize("denied", ["STOR", "EPSV,PASV"])
def test_a_server_that_takes_no_files_does_not_pass(tmp_path: Path, denied: str) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=[f"cmds_denied={denied}"]) as server:
        report = probed(server.customer)
    assert not report.ok
    assert report.steps[-1].name == "wrote"
    assert report.steps[-1].detail.startswith("550 Permission denied. ") or denied != "STOR"


def test_a_path_that_cannot_be_made_does_not_pass(customer: CustomerServer) -> None:
    (customer.root / "file").write_bytes(b"")
    report = probed(customer, settings_of(customer, path="file/calls"))
    assert isinstance(report.failure, PathRefused)
    assert report.steps[-1].name == "path"


def test_what_an_earlier_test_found_is_looked_at_again(customer: CustomerServer) -> None:
    stale = Capabilities(size=False, rename=False, replace=False, mkdir=False)
    report = probed(customer, settings_of(customer, capabilities=stale))
    assert plain(report) == Capabilities()


def test_a_root_that_is_not_writable_is_told_and_the_folder_beneath_it_passes(
    tmp_path: Path,
) -> None:
    """Of a session that sshd confines: its root cannot be the customer's."""
    confined = ["ChrootDirectory /home", "ForceCommand internal-sftp"]
    with Sshd(tmp_path / "sshd", extra=confined) as server:
        for path in (".", "/", "/new"):
            refused = probed(server.customer, settings_of(server.customer, path=path))
            assert isinstance(refused.failure, PathRefused)
        for path in ("customer/calls", "/customer/calls"):
            assert probed(server.customer, settings_of(server.customer, path=path)).ok
    assert files_in(server.root) == {}
