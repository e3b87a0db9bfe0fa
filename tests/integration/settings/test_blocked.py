"""A test of settings at a server that has blocked our address says so."""

from collections.abc import Iterator

import pytest

from config.accounts import Protocol
from consumers.delivery.login_errors import BLOCKED, AddressBlocked
from consumers.delivery.server_policy import Met
from consumers.ledger import LastError
from consumers.ledger.servers import Finding
from deploy.local.customers import AsyncSshServer
from tests.contract.bouncer import Bouncer
from tests.contract.scripted import ScriptedServer
from tests.integration.platform import Platform
from transports.base import Limits
from transports.errors import HungUp, SilentBeforeLogin
from transports.settings_report import Step, TestReport
from worker import ftp_settings


@pytest.fixture
def bouncer(customer: AsyncSshServer) -> Iterator[Bouncer]:
    with Bouncer(customer.customer) as front:
        yield front


def tried(courier: Platform, account_id: str) -> TestReport:
    """The report; what was heard on the way is the same."""
    heard = list[Step]()
    tested = ftp_settings.try_stored(courier.core, account_id, heard.append, actor="somebody")
    report = tested.report
    assert tuple(heard) == report.steps
    return report


def test_after_refused_logins_a_hang_up_is_told_as_a_block_of_our_address(
    courier: Platform, customer: AsyncSshServer, bouncer: Bouncer
) -> None:
    for account_id, password in (("wrong", "wrong"), ("acme", None)):
        courier.account(
            account_id, customer.customer, Protocol.SFTP, port=bouncer.port, password=password
        )
    assert not tried(courier, "wrong").ok
    bouncer.shut.set()
    for account_id in ("acme", "wrong"):
        failure = tried(courier, account_id).failure
        assert isinstance(failure, AddressBlocked)
        assert failure.words.startswith(BLOCKED)
    detail = tried(courier, "acme").steps[-1].detail
    assert detail.startswith(BLOCKED)
    assert "PerSourcePenaltyExemptList" in detail
    bouncer.shut.clear()
    assert tried(courier, "acme").ok


def test_a_hang_up_of_which_nothing_else_is_known_is_told_as_it_is(
    courier: Platform, customer: AsyncSshServer, bouncer: Bouncer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, port=bouncer.port)
    bouncer.shut.set()
    assert type(tried(courier, "acme").failure) is HungUp


def test_silence_is_told_as_it_is_also_where_a_block_was_found_of_late(
    courier: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.ftp_settings.Limits", lambda: Limits(login=0.5))
    with ScriptedServer([b"SSH-2.0-hangs\r\n"], b"") as hanging:
        courier.account("acme", hanging.customer, Protocol.SFTP)
        error = LastError("busy", "Not allowed at this time", "Wait.")
        found = Finding(is_block=True, found_by="beta", times=1, error=error, met=Met.HUNG_UP)
        server = f"127.0.0.1:{hanging.customer.port}"
        courier.core.ledger.servers.shut_out(server, found, seconds=60)
        assert type(tried(courier, "acme").failure) is SilentBeforeLogin
