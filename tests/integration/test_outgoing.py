"""The platform's own way out is closed: no account pays for it, and its operators are told."""

import time
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.proxies import Microsocks
from transports.diagnosis import ours
from worker.account_facts import read_account, read_state
from worker.checks import Checked, run_checks
from worker.cli.waits import why_waiting
from worker.service import Service
from worker.show import account_shape
from worker.story import read_story

HASTY: dict[str, Any] = {"max_tries": 1, "suspend_after": 1}
"""A single failure of the account's would suspend it, and be the last of its file."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.delivery.failed_attempt.OUTGOING_DELAY", 0.5)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Microsocks]:
    """One that was stopped."""
    with Microsocks(tmp_path / "proxy") as running_proxy:
        running_proxy.stop()
        yield running_proxy


def url_of(proxy: Microsocks) -> SecretStr:
    return SecretStr(f"socks5://{proxy.host}:{proxy.port}")


def flaw(service: Service) -> str | None:
    """What readiness tells of the way out."""
    return service._readiness.flaws["outgoing"]()


def is_untouched(courier: Platform, recording_id: str) -> bool:
    """Whether nothing was counted, for the account and for the file."""
    run, row = courier.run_state("acme"), courier.row(recording_id)
    return (run.state, run.failures, run.server_error) == ("active", 0, None) and (
        (row["tries"], row["last_error"]) == (0, None)
    )


def shown(courier: Platform, *, for_customer: bool = False) -> tuple[str, str, str]:
    """The words, the cause and the advice that people read with the account."""
    shape = account_shape(read_account(courier.core, "acme"), for_customer=for_customer)
    words, cause = shape["last_error"], shape["last_error_cause"]
    return words or "", cause or "", shape["last_error_advice"] or ""


def queue_state(courier: Platform) -> str:
    return why_waiting(read_state(courier.core, "acme"), None, 10).state


def until_story_says(
    courier: Platform, recording_id: str, words: str, *, is_operator: bool
) -> None:
    """The end of a file's story tells why it waits, but for the moment of its next try."""

    def last() -> str | None:
        row = courier.row(recording_id)
        return read_story(courier.core, row, is_operator=is_operator)[-1].said

    until(lambda: last() == words, lambda: f"{words}; it says {last()}")


def test_while_the_proxy_is_dead_the_account_says_so_until_it_goes_on(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, proxy: Microsocks
) -> None:
    courier = make_courier(outgoing_proxy=url_of(proxy), **HASTY)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    words = "The platform's proxy cannot be reached: Connection refused"
    with running(courier) as service:
        first, second = (courier.publish("acme", courier.recording(name)) for name in "ab")
        until(lambda: shown(courier)[0], "the account to tell of the proxy")
        over = time.monotonic() + 2  # some sessions, each of which tries again
        while time.monotonic() < over:
            assert shown(courier)[:2] == (words, ours.WAY_OUT_CLOSED.code)
            assert queue_state(courier) == "held"
        for recording_id in (first, second):
            until_story_says(courier, recording_id, words, is_operator=True)
            until_story_says(courier, recording_id, ours.WAY_OUT_CLOSED.cause, is_operator=False)
        assert shown(courier, for_customer=True) == (
            ours.WAY_OUT_CLOSED.cause,
            ours.WAY_OUT_CLOSED.code,
            ours.FOR_OPERATORS_ALONE,
        )
        proxy.start()
        until(lambda: not shown(courier)[0], "the account to be well again")
        for recording_id in (first, second):
            courier.wait_status(recording_id, "delivered")
        assert (queue_state(courier), flaw(service)) == ("flowing", None)


def test_it_is_over_with_the_login_however_long_the_upload_lasts(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, proxy: Microsocks
) -> None:
    courier = make_courier(outgoing_proxy=url_of(proxy), **HASTY)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP, bandwidth=50)
    with running(courier):
        recording_id = courier.publish("acme", courier.recording("a.wav", b"x" * 200_000))
        until(lambda: shown(courier)[0], "the account to tell of the proxy")
        proxy.start()
        until(lambda: not shown(courier)[0], "the account to be well again")
        assert courier.row(recording_id)["status"] == "uploading"
        courier.wait_status(recording_id, "delivered")


def test_a_dead_proxy_suspends_nobody_is_told_and_holds_up_no_longer_than_it_is_dead(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, proxy: Microsocks
) -> None:
    courier = make_courier(outgoing_proxy=url_of(proxy), **HASTY)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with running(courier) as service:
        recording_id = courier.publish("acme", courier.recording("a.wav"))
        until(lambda: flaw(service), "readiness to tell of the proxy")
        assert flaw(service) == (
            "Customers' servers cannot be reached: "
            "The platform's proxy cannot be reached: Connection refused."
        )
        assert service._readiness.condition().word == "degraded"
        assert is_untouched(courier, recording_id)
        proxy.start()
        courier.wait_status(recording_id, "delivered")
        until(lambda: flaw(service) is None, "readiness to be well again")
    assert asyncssh_server.logins == 1
    assert not courier.core.database["alerts"].count_documents({})


def test_a_dead_proxy_makes_no_suspension_longer_and_mails_nobody_again(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, proxy: Microsocks
) -> None:
    courier = make_courier(outgoing_proxy=url_of(proxy), suspend_after=1, suspend_seconds=1)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    proxy.start()
    asyncssh_server.stop()
    with running(courier) as service:
        recording_id = courier.publish("acme", courier.recording("a.wav"))
        courier.wait_state("acme", "suspended")
        proxy.stop()
        asyncssh_server.start()
        courier.wait_state("acme", "probing")
        until(lambda: flaw(service), "readiness to tell of the proxy")
        run = courier.run_state("acme")
        assert (run.state, run.failures, run.suspensions) == ("probing", 1, 1)
        proxy.start()
        courier.wait_status(recording_id, "delivered")
    assert courier.row(recording_id)["tries"] == 1


def test_an_address_that_the_machine_has_not_is_ours_as_well(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer
) -> None:
    courier = make_courier(source_address=(ip_address("192.0.2.1"),), **HASTY)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP)
    with running(courier) as service:
        recording_id = courier.publish("acme", courier.recording("a.wav"))
        until(lambda: flaw(service), "readiness to tell of the address")
        assert is_untouched(courier, recording_id)


def test_active_mode_that_this_host_does_not_allow_is_ours_as_well(
    make_courier: MakeCourier, pyftpd_server: PyFtpServer
) -> None:
    courier = make_courier(**HASTY)
    courier.account("acme", pyftpd_server.customer, Protocol.FTP, active_mode=True)
    with running(courier) as service:
        recording_id = courier.publish("acme", courier.recording("a.wav"))
        until(lambda: flaw(service), "readiness to tell of the mode")
        assert flaw(service) == (
            "Accounts in Active Mode cannot deliver: "
            "No server may connect to this host, as Active Mode needs it."
        )
        assert is_untouched(courier, recording_id)
        until(lambda: shown(courier)[0], "the account to tell of the mode")
        words, cause, advice = shown(courier)
        assert words == "No server may connect to this host, as Active Mode needs it"
        assert (cause, queue_state(courier)) == (ours.ACTIVE_MODE_OFF.code, "held")
        assert "COURIER_ACTIVE_FTP_ADDRESSES" in advice
        to_customer = shown(courier, for_customer=True)
        assert to_customer[0] == ours.ACTIVE_MODE_OFF.cause
        assert "COURIER" not in "".join(to_customer)


def outgoing(courier: Platform) -> Checked:
    return next(each for each in run_checks(courier.core) if each.name == "outgoing")


def test_check_asks_the_proxy_itself(make_courier: MakeCourier, proxy: Microsocks) -> None:
    courier = make_courier(outgoing_proxy=url_of(proxy), source_address=(ip_address("127.0.0.9"),))
    told = outgoing(courier)
    assert (told.ok, told.detail) == (
        False,
        "The platform's proxy cannot be reached: Connection refused",
    )
    assert "COURIER_OUTGOING_PROXY" in (told.advice or "")
    proxy.start()
    assert outgoing(courier).detail == (
        f"connections leave through {proxy.host}:{proxy.port} from 127.0.0.9"
    )


def test_check_looks_whether_the_source_address_is_there(make_courier: MakeCourier) -> None:
    told = outgoing(make_courier(source_address=(ip_address("192.0.2.1"),)))
    assert not told.ok
    assert told.detail.startswith("COURIER_SOURCE_ADDRESS is not valid: The platform cannot")
