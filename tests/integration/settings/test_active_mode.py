"""FTP's active mode from the settings to the delivery: an operator's to allow, twice over."""

import html
import socket
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.customers import CustomerServer
from deploy.local.processes import free_ports
from tests.integration.console import Console, commands_reach, serving
from tests.integration.platform import MakeCourier, running
from tests.servers import Vsftpd
from transports.diagnosis import ours
from worker.cli import app

API = "/accounts/acme/settings"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Vsftpd]:
    """Knows no passive transfers."""
    with Vsftpd(tmp_path / "vsftpd", extra=["pasv_enable=NO"]) as running:
        yield running


@pytest.fixture
def allowed() -> dict[str, Any]:
    """The settings of an operator who lets servers connect."""
    return {
        "active_ftp_addresses": (ip_address("127.0.0.1"),),
        "active_ftp_ports": free_ports(40),
    }


def consoles(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch, **settings: Any
) -> Iterator[Console]:
    courier = make_courier(**settings)
    courier.core.directory.create("acme", ftp_access=True)
    commands_reach(courier, monkeypatch)
    with serving(courier) as console:
        yield console


@pytest.fixture
def console(
    make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch, allowed: dict[str, Any]
) -> Iterator[Console]:
    yield from consoles(make_courier, monkeypatch, **allowed)


@pytest.fixture
def closed(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    """Of a platform that nothing connects to."""
    yield from consoles(make_courier, monkeypatch)


def body(server: CustomerServer, **changes: Any) -> dict[str, Any]:
    return {
        "protocol": "ftp",
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "password": server.password,
        **changes,
    }


def test_it_is_not_available_where_the_operator_names_no_address_and_ports(
    closed: Console, server: Vsftpd
) -> None:
    entered = body(server.customer, active_mode=True)
    told = closed.program(None).put(API, json=entered)
    assert (told.status_code, told.json()["error"]["field"]) == (422, "active_mode")
    assert "COURIER_ACTIVE_FTP_ADDRESSES" in told.json()["error"]["message"]
    assert closed.settings("acme") is None


def test_a_customer_cannot_switch_it_on(console: Console, server: Vsftpd) -> None:
    entered = body(server.customer, active_mode=True)
    assert console.program("acme").put(API, json=entered).status_code == 403
    assert console.settings("acme") is None


def test_recordings_go_to_a_server_that_takes_no_passive_transfers(
    console: Console, server: Vsftpd
) -> None:
    passive = console.program("acme").put(API, json=body(server.customer))
    assert passive.status_code == 422
    entered = body(server.customer, active_mode=True)
    saved = console.program(None).put(API, json=entered)
    assert saved.status_code == 200, saved.text
    assert saved.json()["settings"]["active_mode"] is True
    courier = console.platform
    with running(courier):
        for recording_id in courier.publish_many("acme", ["a.wav", "b.wav", "c.wav"]):
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", server.root)
    shown = CliRunner().invoke(app, ["accounts", "show", "acme"]).output
    assert "active mode" in shown
    customers = console.program("acme").put(API, json=body(server.customer, path="calls"))
    assert customers.status_code == 200, "what the provider has allowed stays"


def test_a_customers_test_advises_nothing_that_is_the_operators(
    make_courier: MakeCourier, server: Vsftpd
) -> None:
    (port,) = free_ports(1)
    known = {
        "active_ftp_addresses": (ip_address("127.0.0.1"),),
        "active_ftp_ports": range(port, port + 1),
    }
    courier = make_courier(**known)
    courier.core.directory.create("acme", ftp_access=True)
    with serving(courier) as console:
        console.user("operator", None)
        console.user("admin", "acme")
        entered = body(server.customer, active_mode=True)
        saved = console.program(None).put(API, json=entered)
        assert saved.status_code == 200, saved.text
        with socket.create_server(("127.0.0.1", port)):
            operators, customers = (_tested(console, login) for login in ("operator", "admin"))
            refused = console.program("acme").post(f"{API}/test")
    advice = ours.NO_PORT_FREE.for_customers
    assert "COURIER_ACTIVE_FTP_PORTS" in operators
    assert "none is free" in operators
    for text in (customers, refused.text):
        assert "COURIER_" not in text
        assert "none is free" not in text
        assert "operators have" not in text
        assert text.count(advice) > 1, "in the step and beneath it"


def _tested(console: Console, login: str) -> str:
    browser = console.browser(login)
    browser.headers["HX-Request"] = "true"
    begun = browser.send_form("/accounts/acme/server/test").text
    return html.unescape(console.tested(browser, "acme", begun))


@pytest.mark.parametrize("option", ["--active-mode"])
def test_the_command_tells_what_is_missing(closed: Console, server: Vsftpd, option: str) -> None:
    customer = server.customer
    options = [
        *("--protocol", "ftp", "--host", customer.host, "--port", str(customer.port)),
        *("--username", customer.username, "--password-stdin", option),
    ]
    told = CliRunner().invoke(
        app, ["accounts", "set", "acme", *options], input=f"{customer.password}\n"
    )
    assert told.exit_code == 1
    assert "Active Mode is not available" in " ".join(told.output.split())
    assert closed.settings("acme") is None
