"""Stores behind https whose certificate is trusted."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.servers.store import Store


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def _trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))


@pytest.fixture
def store(authority: trustme.CA, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store of one recording."""
    request.getfixturevalue("_trusted")
    with Store(authority) as running:
        yield running
