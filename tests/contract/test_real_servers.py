"""The FTP servers that customers run, as their makers ship them."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import pytest

from deploy.local.customers import CustomerServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened
from tests.servers import FtpSrv, InetutilsFtpd, Proftpd, PureFtpd, TwistedFtp
from transports.upload import Verified, upload


class Started(AbstractContextManager["Started"], Protocol):
    """A server that runs."""

    @property
    def customer(self) -> CustomerServer:
        """What the customer tells of it."""


SERVERS = (Proftpd, PureFtpd, InetutilsFtpd, TwistedFtp, FtpSrv)


@pytest.fixture(params=SERVERS, ids=lambda server: server.__name__)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Started]:
    """Each in its turn."""
    with request.param(tmp_path / "server") as started:
        yield started


def test_a_recording_arrives_whole_and_the_next_of_its_name_beside_it(
    server: Started, recording: Path
) -> None:
    session = open_session(server.customer)
    for attempt in (1, 2):
        with opened(recording) as source:
            done = upload(session, source, job(attempt), Ledger())
        assert done.verified is Verified.SIZE
    session.close()
    size = recording.stat().st_size
    assert files_in(server.customer.root) == {"call.wav": size, "call (2).wav": size}
