"""The platform's lists of networks reach whatever connects."""

from ipaddress import ip_network

import pytest
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.credentials import Credentials
from config.settings import Settings
from transports.errors import EgressDenied
from worker.ftp_settings import run_test


@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize(
    "settings",
    [
        Settings(egress_deny=(ip_network("127.0.0.0/8"),)),
        Settings(egress_allow=(ip_network("203.0.113.0/24"),)),
    ],
    ids=["denied", "not allowed"],
)
def test_a_test_of_settings_goes_only_where_connections_may_go(
    protocol: Protocol, settings: Settings
) -> None:
    ftp = FtpSettings(protocol=protocol, host="127.0.0.1", port=1, username="u", path=".")
    report = run_test(settings, ftp, Credentials(SecretStr("p")), lambda _: None)
    assert isinstance(report.failure, EgressDenied)
    assert report.failure.words == "127.0.0.1 is an address where no connection may go"
