"""Recordings in Azure Blob Storage by https URLs with a shared access signature; az:// is tried in
test_clouds.
"""

import os
from collections.abc import Iterator

import pytest
import trustme

from tests.servers.azurite import Azurite
from tests.servers.cutting import CuttingProxy
from transports.base import Egress, Limits
from transports.errors import SourceMissing, SourceUnreadable
from transports.sources.source import open_source

CONTENT = os.urandom(3_000_000)


@pytest.fixture(scope="module")
def _azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with Azurite(tmp_path_factory.mktemp("azurite"), trustme.CA()) as server:
        server.put("calls/a b.wav", CONTENT)
        yield server


@pytest.fixture
def azurite(_azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> Azurite:
    """The emulator, trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(_azurite.trusted))
    return _azurite


def read(url: str) -> bytes:
    with open_source(url, dirs=(), max_bytes=2**30, egress=Egress(), limits=Limits()) as source:
        return b"".join(source)


def test_a_blob_is_read_by_its_signed_url(azurite: Azurite) -> None:
    assert read(azurite.url("calls/a%20b.wav")) == CONTENT


def test_a_download_that_is_cut_goes_on(azurite: Azurite) -> None:
    with CuttingProxy(azurite.port, after=1_200_000) as proxy:
        assert read(azurite.url("calls/a%20b.wav", port=proxy.port)) == CONTENT
        assert 3 <= proxy.connections <= 5


def test_a_blob_that_is_not_there_is_missing(azurite: Azurite) -> None:
    with pytest.raises(SourceMissing):
        read(azurite.url("calls/none.wav"))


def test_a_signature_that_is_over_or_wrong_is_a_failure_of_the_recording(azurite: Azurite) -> None:
    for url in (azurite.url("a.wav", hours=-1), azurite.url("a.wav").replace("sp=rwc", "sp=r")):
        with pytest.raises(SourceUnreadable, match="HTTP 403"):
            read(url)
