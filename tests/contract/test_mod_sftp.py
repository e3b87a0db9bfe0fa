"""ProFTPD's mod_sftp loses track of long requests that come over two channels."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pydantic import SecretStr

from tests.contract.accounts import LIMITS, open_session, settings_of
from tests.servers.proftpd import ModSftp
from transports import settings_test
from transports.base import BLOCK, Egress


def test_requests_that_pass_over_two_channels_are_found_by_the_test_on_save(
    tmp_path: Path,
) -> None:
    with ModSftp(tmp_path / "server") as server:
        report = settings_test.test_settings(
            settings_of(server.customer), SecretStr(server.customer.password), LIMITS, Egress()
        )
        assert report.ok, report.failure
        can = report.capabilities
        assert can.at_once is not None
        assert can.at_once > 1
        assert can.request_size == 28_000
        first = open_session(server.customer, capabilities=can)
        second = first.another()
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(second.put, [bytes(BLOCK)] * 20, "one.part")
            first.put([bytes(BLOCK)] * 20, "two.part")
            other.result()
        first.close()
        second.close()
    files = {path.name: path.stat().st_size for path in server.customer.root.iterdir()}
    assert files == dict.fromkeys(("one.part", "two.part"), BLOCK * 20)
