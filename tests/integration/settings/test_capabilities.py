"""What the test on save has found of a server."""

from contextlib import closing
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from config.accounts import HashAlgorithm, Protocol
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import open_session
from tests.contract.ftp_handlers import ModernHashing
from tests.integration.platform import Platform, running
from transports.base import Egress, Limits
from transports.settings_test import test_settings as run_test
from worker.ftp_settings import Secrets, change


def test_what_the_test_on_save_has_found_is_stored_and_used(
    courier: Platform, tmp_path: Path
) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    with PyFtpServer(root, handler=ModernHashing) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        stored = courier.core.directory.get("acme").settings
        assert stored is not None
        password = SecretStr(server.customer.password)
        found = run_test(stored, password, Limits(), Egress()).capabilities
        courier.save("acme", server.customer, Protocol.FTP, capabilities=found)
        again = courier.core.directory.get("acme").settings
        assert again is not None
        assert again.capabilities == found
        assert (found.hash, found.at_once) == (HashAlgorithm.SHA256, 4)
        (recording_id,) = courier.publish_many("acme", ["call.wav"])
        assert courier.wait_status(recording_id, "delivered")["verified"] == "sha256"
        courier.account_for("acme", root)


def test_connections_of_the_accounts_own_uploads_are_no_limit_of_the_server(
    courier: Platform, tmp_path: Path
) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    with PyFtpServer(root, max_connections_per_ip=3) as server:
        customer = server.customer
        courier.account("acme", customer, Protocol.FTP)
        given = Secrets(SecretStr(customer.password))
        assert _found_at_once(courier, {}, given) == 3
        with closing(open_session(customer)):
            assert _found_at_once(courier, {"uploads": 2}, given) == 3
            elsewhere = {"host": "localhost"}
            assert _found_at_once(courier, elsewhere, given) == 2, "of another server"


def _found_at_once(courier: Platform, changes: dict[str, Any], given: Secrets) -> int | None:
    """What is stored of it once the changes are saved."""
    done = change(courier.core, "acme", changes, given, lambda _step: None, actor="it@acme.example")
    assert done.report.ok, done.report.failure
    stored = courier.core.directory.get("acme").settings
    assert stored is not None
    return stored.capabilities.at_once
