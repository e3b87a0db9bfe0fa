"""Rules 26 to 28 of docs/rules.md: many accounts on one host."""

import re
import socket
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.accounts import Protocol
from consumers.delivery.failed_attempt import SUSPECTED
from consumers.delivery.login_errors import BLOCKED
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.contract.bouncer import Bouncer
from tests.contract.ftp_handlers import SILENCE, odd
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.fake import Place
from transports.base import Limits
from transports.errors import AccountFailure, LoginRefused
from worker.service import Service

ACCOUNTS = [f"account-{number}" for number in range(6)]


@pytest.fixture(autouse=True)
def _ends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login that is kept would deliver all the same."""
    monkeypatch.setattr("consumers.delivery.worker.LINGER", 0.2)


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8))


@pytest.fixture
def bouncer(customer: AsyncSshServer) -> Iterator[Bouncer]:
    with Bouncer(customer.customer) as front:
        yield front


def sign_up(courier: Platform, server: AsyncSshServer, port: int, accounts: list[str]) -> None:
    """Accounts with a folder each."""
    for account_id in accounts:
        alerts = (f"it@{account_id}.example",)
        courier.account(
            account_id,
            server.customer,
            Protocol.SFTP,
            path=account_id,
            port=port,
            email_alerts=alerts,
        )


def settle(
    courier: Platform, service: Service, server: AsyncSshServer, port: int, accounts: list[str]
) -> None:
    """Accounts that have delivered, and are not logged in any more."""
    sign_up(courier, server, port, accounts)
    for ids in [publish(courier, each, 1) for each in accounts]:
        courier.wait_status(ids[0], "delivered")
    until(lambda: not service._scheduler.sessions, "the logins to be over")


def rests(courier: Platform, account_id: str) -> bool:
    """Whether it waits, also with files that are due."""
    found = courier.core.database["accounts"].find_one({"_id": account_id})
    return found is not None and found["run"]["rests_until"] is not None


def failures(courier: Platform, account_id: str) -> int:
    """In a row, so far."""
    return courier.run_state(account_id).failures


def has_failed(courier: Platform, account_id: str, times: int) -> bool:
    """In a row, so often or more."""
    return failures(courier, account_id) >= times


def publish(courier: Platform, account_id: str, files: int = 3) -> list[str]:
    """Recordings that have a name each."""
    names = [f"{account_id}-{uuid.uuid4().hex[:8]}.wav" for _ in range(files)]
    return courier.publish_many(account_id, names)


def test_an_address_that_is_shut_out_costs_no_account_anything(
    courier: Platform, customer: AsyncSshServer, bouncer: Bouncer, smtp_sink: SmtpSink
) -> None:
    with running(courier) as service:
        settle(courier, service, customer, bouncer.port, ACCOUNTS)
        bouncer.shut.set()
        ids = [each for name in ACCOUNTS for each in publish(courier, name)]

        def is_told() -> bool:
            error = courier.run_state(ACCOUNTS[0]).last_error
            return error is not None and error.words.startswith(BLOCKED)

        until(is_told, "the account's people to be told")
        until(lambda: bouncer.shunned > 1, "somebody to try again")
        runs = [courier.run_state(each) for each in ACCOUNTS]
        assert {(run.state, run.failures) for run in runs} == {(State.ACTIVE, 0)}
        assert bouncer.shunned < len(ids), "one tries for all, after 1, 2, 4 and more seconds"
        bouncer.shut.clear()
        for recording_id in ids:
            assert courier.wait_status(recording_id, "delivered")["tries"] == 0
        until(
            lambda: all(courier.run_state(each).last_error is None for each in ACCOUNTS),
            "what was told to be over",
        )
    assert not smtp_sink.messages


def test_one_hang_up_of_the_only_account_that_was_well_is_no_failure_of_another(
    courier: Platform, customer: AsyncSshServer, bouncer: Bouncer, smtp_sink: SmtpSink
) -> None:
    with running(courier) as service:
        settle(courier, service, customer, bouncer.port, ["acme"])
        sign_up(courier, customer, bouncer.port, ["beta"])
        bouncer.shut.set()
        first = publish(courier, "acme", 1)
        until(lambda: bouncer.shunned, "the hang-up")
        ids = publish(courier, "beta", 6)
        until(lambda: rests(courier, "beta") or failures(courier, "beta"), "the other one's turn")
        bouncer.shut.clear()
        for recording_id in [*ids, *first]:
            assert courier.wait_status(recording_id, "delivered")["tries"] == 0
        run = courier.run_state("beta")
        assert (run.state, run.failures, run.suspensions) == (State.ACTIVE, 0, 0)
    assert not smtp_sink.messages


def test_a_server_that_is_down_is_found_by_one_and_told_to_each(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=180)  # a second to share
    sign_up(courier, customer, customer.customer.port, ACCOUNTS)
    customer.stop()
    with running(courier) as service:
        ids = [each for name in ACCOUNTS for each in publish(courier, name)]
        for account_id in ACCOUNTS:
            courier.wait_state(account_id, State.SUSPENDED)
        counted = [failures(courier, each) for each in ACCOUNTS]
        tries = sum(courier.row(each)["tries"] for each in ids)
        asked = service._metrics.render().decode()
        failed = re.search(r'courier_logins_total{result="failed"} (\S+)', asked)
        assert failed is not None
        assert counted == [10] * len(ACCOUNTS)
        assert tries <= float(failed[1]), "no file has failed without a connection"
        assert float(failed[1]) < sum(counted), "what one has met others do not ask for"
        customer.start()
        for account_id in ACCOUNTS:  # none fails by what was found before somebody asked
            assert courier.core.ledger.accounts.try_now(account_id)
        for account_id in ACCOUNTS:
            courier.wait_state(account_id, State.ACTIVE)
            assert courier.run_state(account_id).suspensions == 1
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
    assert len(smtp_sink.wait_for(len(ACCOUNTS))) >= len(ACCOUNTS)


def test_a_login_that_was_refused_is_asked_for_once_until_the_probe(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong")
    with running(courier):
        ids = publish(courier, "acme", 6)
        run = courier.wait_state("acme", State.SUSPENDED)
        assert (run.failures, customer.logins) == (10, 1)
        assert courier.core.ledger.accounts.try_now("acme")
        until(lambda: courier.run_state("acme").suspensions == 2, "the probe")
        assert customer.logins == 2
        courier.save("acme", customer.customer, Protocol.SFTP)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")


def test_a_login_that_is_refused_for_a_moment_makes_no_dead_letter_for_good(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    """Of a file that has failed by its source once, which is no outage's dead letter."""
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=8)
    courier.account("acme", customer.customer, Protocol.SFTP)
    known, customer.password = customer.password, "another one for a moment"
    with running(courier):
        courier.core.ledger.accounts.pause("acme")
        ids = publish(courier, "acme", 1)
        courier.wait_routed(ids)
        failed = {"$set": {"tries": 1, "account_tries": 0}}
        courier.core.database["deliveries"].update_one({"_id": ids[0]}, failed)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: courier.run_state("acme").failures, "the login to be refused")
        customer.password = known
        row = courier.wait_status(ids[0], "delivered")
    assert row["tries"] == 4
    assert customer.logins == 2


def test_neither_casualties_nor_what_is_left_there_ask_for_a_login_that_was_refused(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=6)
    courier.account("acme", customer.customer, Protocol.SFTP, password="wrong")
    with running(courier):
        (recording_id,) = publish(courier, "acme", 1)
        courier.wait_status(recording_id, "dead_lettered")
        assert customer.logins == 1
        until(lambda: courier.run_state("acme").failures == 6, "the casualty to be tried")
        assert customer.logins == 2
        courier.save("acme", customer.customer, Protocol.SFTP)
        courier.wait_status(recording_id, "delivered")


def test_a_login_that_is_refused_to_a_test_file_is_not_asked_for_again(
    make_courier: MakeCourier, places: Places
) -> None:
    courier = make_courier(retry_delays=(0.0,), suspend_after=1)
    puts, refusals = list[str](), list[str]()

    def fails(step: str, path: str) -> None:
        if step == "put":
            puts.append(path)
            raise AccountFailure("550 Not today")
        if step == "connect" and len(puts) > SUSPECTED:
            refusals.append(path)
            raise LoginRefused("530 Login incorrect.")

    def suspended(times: int) -> bool:
        return courier.run_state("acme").suspensions == times

    places.account(courier, "acme", Place(fails))
    with running(courier):
        courier.publish_many("acme", ["call.wav"])
        for number in range(1, SUSPECTED + 1):
            until(partial(suspended, number), "a probe")
            assert courier.core.ledger.accounts.try_now("acme")
        until(partial(suspended, SUSPECTED + 1), "the last probe")
        run = courier.run_state("acme")
    assert len(refusals) == 1, "the test file's"
    assert run.server_error is not None
    assert run.server_error.words == "550 Not today"
    assert run.known_refusal is not None


def test_a_neighbour_with_a_wrong_password_has_the_address_shut_out_and_nobody_else_fails(
    courier: Platform, customer: AsyncSshServer, bouncer: Bouncer, smtp_sink: SmtpSink
) -> None:
    """Scaled down, by a front that shuts the address out: `make neighbours` has a real sshd."""
    with running(courier) as service:
        settle(courier, service, customer, bouncer.port, ["acme"])
        courier.account(
            "wrong", customer.customer, Protocol.SFTP, port=bouncer.port, password="wrong"
        )
        publish(courier, "wrong")
        until(lambda: courier.run_state("wrong").failures, "the wrong password to be refused")
        bouncer.shut.set()
        ids = publish(courier, "acme")
        until(lambda: bouncer.shunned, "the address to be shut out")
        until(lambda: courier.run_state("acme").last_error, "the people to be told")
        assert courier.run_state("acme").failures == 0
        bouncer.shut.clear()
        for recording_id in ids:
            assert courier.wait_status(recording_id, "delivered")["tries"] == 0
    assert not [mail for mail in smtp_sink.messages if "acme" in "".join(mail.recipients)]


def test_an_address_has_one_state_whatever_its_names(
    courier: Platform,
    customer: AsyncSshServer,
    bouncer: Bouncer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = socket.getaddrinfo

    def looked_up(host: str, *arguments: Any, **more: Any) -> Any:
        known = host == "sftp.acme.example"
        return found(customer.customer.host if known else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)
    named: dict[str, Any] = {"port": bouncer.port, "host": "sftp.acme.example"}
    with running(courier) as service:
        settle(courier, service, customer, bouncer.port, ACCOUNTS[:1])
        courier.account("by-name", customer.customer, Protocol.SFTP, **named)
        bouncer.shut.set()
        ids = publish(courier, "by-name")
        until(lambda: courier.run_state("by-name").last_error, "it to be shut out")
        assert courier.run_state("by-name").failures == 0
        bouncer.shut.clear()
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
    servers = list(courier.core.database["servers"].find())
    assert [each["_id"] for each in servers] == [f"127.0.0.1:{bouncer.port}"]


@pytest.mark.parametrize("hanging", [["ftps"], ["ftps", "ftps-too"]])
def test_accounts_whose_tls_hangs_are_no_failure_of_those_in_clear(
    make_courier: MakeCourier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    hanging: list[str],
) -> None:
    monkeypatch.setattr("worker.service.Limits", lambda: Limits(login=0.5))
    courier = make_courier(retry_delays=(0.0,), suspend_seconds=180)  # a second to share
    in_clear = [f"clear-{number}" for number in range(3)]
    with PyFtpServer(tmp_path, handler=odd({"AUTH": SILENCE})) as server:
        for account_id in hanging:
            courier.account(account_id, server.customer, Protocol.FTPS)
        for account_id in in_clear:
            courier.account(account_id, server.customer, Protocol.FTP)
        with running(courier):
            for account_id in hanging:
                publish(courier, account_id, 4)
            for number, account_id in enumerate(in_clear):
                until(partial(has_failed, courier, hanging[0], number + 1), "its TLS to hang")
                for recording_id in publish(courier, account_id):
                    row = courier.wait_status(recording_id, "delivered")
                    assert row["tries"] == 0
                    told = [each["what"] for each in row["events"]]
                    assert len(hanging) > 1 or told == ["delivered"], "nor by any word of others"
                run = courier.run_state(account_id)
                assert (run.state, run.failures, run.suspensions) == (State.ACTIVE, 0, 0)
            for account_id in hanging:
                courier.wait_state(account_id, State.SUSPENDED)
