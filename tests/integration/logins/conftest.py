"""The gates of two workers."""

import pytest
from pymongo.database import Database

from consumers.delivery.login_gate import LoginGate
from consumers.ledger import Document
from consumers.ledger.servers import Servers
from tests.integration.logins.gates import SPREAD, gate


@pytest.fixture
def workers(
    database: Database[Document], monkeypatch: pytest.MonkeyPatch
) -> tuple[LoginGate, LoginGate]:
    """What one has met is shared for half a minute: a busy machine is slow between two calls."""
    monkeypatch.setattr("consumers.delivery.server_policy.SPREAD_SECONDS", SPREAD)
    Servers(database).ensure_indexes()
    return gate(database), gate(database)
