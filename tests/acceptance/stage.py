"""The platform in a state that a command then meets, and what the command has left of it."""

import json

import pika
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from consumers.intake.events import RecordingReady
from consumers.ledger import Arrival, Claimant, FailedTry, LastError, SuspensionAlert
from deploy.local.customers import CustomerServer
from tests.acceptance.program import Program
from tests.integration.ledger.rows import claim_one
from worker.core import Core, Messaging

NOWHERE = "127.0.0.1:1"
ERROR = LastError("account", "530 Login incorrect.", "Check username and password.")


class Stage:
    """Brings the platform into a state, by its own modules, that a command then meets."""

    def __init__(self, core: Core, messaging: Messaging) -> None:
        self.core = core
        self.messaging = messaging

    def account(self, server: CustomerServer, account_id: str = "acme") -> None:
        """An account with settings, as `accounts set` leaves it."""
        if self.core.directory.find(account_id) is None:
            self.core.directory.create(account_id, name="Acme Ltd", ftp_access=True)
        settings = FtpSettings(
            protocol=Protocol.SFTP if server.host_key else Protocol.FTP,
            host=server.host,
            port=server.port,
            username=server.username,
            host_keys=(server.host_key,) if server.host_key else (),
        )
        self.core.directory.save_settings(account_id, settings, SecretStr(server.password))

    def queued(self, recording_id: str, account_id: str = "acme") -> None:
        """A recording on its way, published to its account's queue."""
        content = {
            "recording_id": recording_id,
            "account_id": account_id,
            "file_url": f"file:///recordings/{recording_id}.wav",
        }
        event = RecordingReady.model_validate(content)
        arrival = Arrival(event, json.dumps(content).encode(), skipped=False)
        [row] = self.core.ledger.arrivals.open([arrival])
        assert row.routing is not None
        self.messaging.router.route(row.routing)

    def dead(self, recording_id: str, account_id: str = "acme", reason: str = "account") -> None:
        """A recording that has used up its tries."""
        self.queued(recording_id, account_id)
        ledger = self.core.ledger
        claim = claim_one(ledger, recording_id, 1, Claimant("w", "s", 1), ".")
        assert claim is not None
        self.messaging.dead_letters.bury(claim.routing, 5, reason)
        error = LastError(reason, ERROR.words, ERROR.advice)
        failed = FailedTry(error, part_left=False, counted=True, by_account=True)
        ledger.outcomes.dead_lettered(claim, failed, None)

    def suspended(
        self, account_id: str = "acme", *, seconds: float = 900, dormant: bool = False
    ) -> None:
        """An account after its tenth failure."""
        accounts = self.core.ledger.accounts
        assert accounts.fence(account_id, 1)
        blame = SuspensionAlert(self.core.directory.get(account_id), ERROR, 0, None)
        seen = accounts.read(account_id)
        assert accounts.suspend(
            account_id, 1, seen, failures=10, seconds=seconds, alert=blame, dormant=dormant
        )

    def status(self, recording_id: str) -> str:
        """Where the recording is."""
        row = self.core.ledger.queries.row(recording_id)
        assert row is not None
        return str(row["status"])


def options_of(server: CustomerServer) -> list[str]:
    return [
        *("--protocol", "sftp" if server.host_key else "ftp"),
        *("--host", server.host, "--port", str(server.port), "--username", server.username),
        "--password-stdin",
    ]


def queue_lengths(courier: Program, *names: str) -> list[int | None]:
    """Messages in each queue; None where there is no such queue."""
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    try:
        return [_length(connection, name) for name in names]
    finally:
        connection.close()


def _length(connection: pika.BlockingConnection, name: str) -> int | None:
    try:
        declared = connection.channel().queue_declare(name, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return None
    return int(declared.method.message_count)
