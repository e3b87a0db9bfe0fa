"""Whose the last words are: with the failure they go to the row, the account and the alert."""

from typing import Any

import pytest

from config.accounts import Protocol
from consumers.ledger import LastError
from deploy.local.customers import CustomerServer
from tests.contract.proxy import Proxy
from tests.integration.platform import MakeCourier, running
from tests.servers import Vsftpd
from worker import show


def _port_of_nobody(customer: CustomerServer) -> int:
    with Proxy(customer) as proxy:
        return proxy.port


@pytest.mark.parametrize(
    ("asked", "said_by", "words"),
    [
        ({}, "system", "Connection refused"),
        ({"username": "nobody-known"}, "server", "530 Login incorrect."),
    ],
)
def test_words_are_stored_with_who_said_them(
    make_courier: MakeCourier, vsftpd: Vsftpd, asked: dict[str, Any], said_by: str, words: str
) -> None:
    courier = make_courier(suspend_after=1, retry_delays=(0.0,))
    changes: dict[str, Any] = asked or {"port": _port_of_nobody(vsftpd.customer)}
    courier.account(
        "acme", vsftpd.customer, Protocol.FTP, email_alerts=("it@x.example",), **changes
    )
    with running(courier):
        (recording_id,) = courier.publish_many("acme", ["call.wav"])
        courier.wait_state("acme", "suspended")
    error = courier.core.ledger.accounts.read("acme").last_error
    assert error is not None
    assert (error.words, error.said_by) == (words, said_by)
    shape = show.delivery_shape(courier.row(recording_id))
    assert (shape["last_error"], shape["last_error_by"]) == (words, said_by)


def test_a_failure_stored_before_that_was_known_is_still_read() -> None:
    before = {"kind": "account", "words": "530 Login incorrect.", "advice": "Check it."}
    assert LastError.stored(before).said_by == ""
    assert show.speaker("") is None
