"""The outbox on a real MongoDB and a real mail server."""

from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from pymongo.database import Database

from alerts.outbox import Outbox
from alerts.relay import AlertTried
from config.alert_addresses import AlertAddresses
from config.mail_links import MailLinks
from config.tls import Endpoint
from deploy.local.customers import SmtpSink
from tests.integration.alerts.desk import Desk, Open
from tests.unit.alerts.facts import PLATFORM, SENDER

KEY = Fernet.generate_key().decode()


@pytest.fixture
def open_desk(database: Database[dict[str, Any]], smtp_sink: SmtpSink) -> Open:
    """Opens another outbox on the same database."""

    def opened(
        *oncall: str,
        url: str = smtp_sink.url,
        console_url: str | None = None,
        must_confirm: bool = False,
        settled_seconds: float = 0.0,
    ) -> Desk:
        tried: list[AlertTried] = []
        outbox = Outbox(
            database,
            sender=SENDER,
            platform=PLATFORM,
            smtp=Endpoint(SecretStr(url)),
            oncall=oncall,
            settled_seconds=settled_seconds,
            addresses=AlertAddresses(database, must_confirm=must_confirm),
            links=MailLinks([SecretStr(KEY)], console_url),
            observe=tried.append,
        )
        outbox.ensure_indexes()
        return Desk(outbox, database, tried)

    return opened
