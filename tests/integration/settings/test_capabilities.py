"""What the test on save has found of a server."""

from pathlib import Path

from pydantic import SecretStr

from config.accounts import HashAlgorithm, Protocol
from deploy.local.customers import PyFtpServer
from tests.contract.ftp_handlers import ModernHashing
from tests.integration.platform import Platform, running
from transports.base import Egress, Limits
from transports.settings_test import test_settings as run_test


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
        assert courier.wait_status(recording_id, "delivered")["verified"] == "hash"
        courier.account_for("acme", root)
