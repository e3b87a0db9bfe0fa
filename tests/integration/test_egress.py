"""Both lists of networks hold for uploads and for recordings behind https."""

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import MakeCourier, Platform, running

DENIED: dict[str, Any] = {"egress_deny": (ip_network("127.0.0.2/32"),)}
NOT_ALLOWED: dict[str, Any] = {"egress_allow": (ip_network("127.0.0.1/32"),)}
BOTH = pytest.mark.parametrize("lists", [DENIED, NOT_ALLOWED], ids=["denied", "not allowed"])
WORDS = "127.0.0.2 is an address where no connection may go"


def failure(courier: Platform, source: Path | str) -> dict[str, Any]:
    """Of the delivery of that recording."""
    with running(courier):
        row = courier.wait_status(courier.publish("acme", source), "dead_lettered")
    error: dict[str, Any] = row["last_error"]
    return error


@BOTH
def test_no_upload_goes_where_no_connection_may_go(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, lists: dict[str, Any]
) -> None:
    courier = make_courier(max_tries=1, **lists)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP, host="127.0.0.2")
    error = failure(courier, courier.recording("a.wav"))
    assert (error["kind"], error["words"]) == ("account", WORDS)


@BOTH
def test_no_recording_is_fetched_where_no_connection_may_go(
    make_courier: MakeCourier, asyncssh_server: AsyncSshServer, lists: dict[str, Any]
) -> None:
    courier = make_courier(max_tries=1, **lists)
    courier.account("acme", asyncssh_server.customer, Protocol.SFTP, host="127.0.0.1")
    error = failure(courier, "https://127.0.0.2:9/a.wav")
    assert (error["kind"], error["words"]) == ("source", WORDS)
