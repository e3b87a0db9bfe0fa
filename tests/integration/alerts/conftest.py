"""The outbox on a real MongoDB and a real mail server."""

from typing import Any

import pytest
from pydantic import SecretStr
from pymongo.database import Database

from alerts.outbox import AlertTried, Outbox
from config.tls import Endpoint
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Desk, Open
from tests.unit.alerts.facts import PLATFORM, SENDER


@pytest.fixture
def open_desk(database: Database[dict[str, Any]], smtp_sink: SmtpSink) -> Open:
    """Opens another outbox on the same database."""

    def opened(*oncall: str, url: str = smtp_sink.url) -> Desk:
        tried: list[AlertTried] = []
        outbox = Outbox(
            database,
            sender=SENDER,
            platform=PLATFORM,
            smtp=Endpoint(SecretStr(url)),
            oncall=oncall,
            observe=tried.append,
        )
        outbox.ensure_indexes()
        return Desk(outbox, database, tried)

    return opened
