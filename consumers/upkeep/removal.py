"""Takes an account away: its files given up, its queues deleted, then the account itself."""

from dataclasses import dataclass
from datetime import timedelta

from pika.adapters.blocking_connection import BlockingConnection

from config.directory import Directory
from config.errors import AccountError
from consumers.amqp import topology
from consumers.amqp.connection import Broker, BrokerRefuses
from consumers.ledger import By, Ledger, Selection, Status
from consumers.observe import FilesDiscarded, Observer, Trouble

OWNERLESS_AGE = timedelta(minutes=1)
"""By then an event that was taken during its account's removal has been published."""
BATCH = 500


@dataclass(frozen=True)
class GivenUp:
    """The number of files that were discarded with an account, by their status until then."""

    queued: int
    dead_letters: int

    @property
    def files(self) -> int:
        """The number of all of them."""
        return self.queued + self.dead_letters

    def __add__(self, more: "GivenUp") -> "GivenUp":
        return GivenUp(self.queued + more.queued, self.dead_letters + more.dead_letters)


def check_removable(directory: Directory, account_id: str) -> None:
    """Raises AccountError while sub accounts hang on it, UnknownAccount."""
    directory.get(account_id)
    for child in directory.children(account_id):
        raise AccountError(
            f"The account {account_id!r} has the sub account {child.account_id!r}: "
            "remove that first."
        )


def remove_account(
    directory: Directory, ledger: Ledger, broker: Broker, account_id: str
) -> GivenUp:
    """Remove the account with all that waits for it. Returns the files that were given up.

    The account goes last, so that a removal that was cut short can be repeated. Raises
    AccountError, BrokerAway and pymongo's errors.
    """
    check_removable(directory, account_id)
    if directory.get(account_id).settings is not None:
        directory.set_enabled(account_id, enabled=False)
    given_up = _give_up(ledger, broker, account_id)
    ledger.hours.forget(account_id)
    directory.remove(account_id)
    return given_up + _give_up(ledger, broker, account_id)  # what was accepted meanwhile


def discard_ownerless(ledger: Ledger, broker: Broker, observe: Observer) -> int:
    """Give up the files of removed accounts, with their queues. Returns the number of files.

    The intake looks accounts up before it opens rows. An account that is removed in between would
    leave files that wait for ever. The queues go first, so that a step that was cut short is
    found again. Raises BrokerAway and pymongo's errors.
    """
    given_up = 0
    for account_id, recording_ids in ledger.retention.ownerless(OWNERLESS_AGE, BATCH).items():
        try:
            _delete_queues(broker, account_id)
        except BrokerRefuses as refusal:  # that of one account holds up no other's
            observe(Trouble("rabbitmq", f"{account_id}: {refusal}; its queues stay for now"))
            continue
        files = ledger.retention.discard_ownerless(recording_ids)
        if files:
            observe(FilesDiscarded(account_id, files))
        given_up += files
    return given_up


def _give_up(ledger: Ledger, broker: Broker, account_id: str) -> GivenUp:
    queued = ledger.retention.discard_queued(account_id)
    dead = list(
        ledger.queries.select(Selection(account_id=account_id, status=Status.DEAD_LETTERED))
    )
    dead_letters = sum(ledger.dead_letters.discard(row["_id"], By.REMOVAL) for row in dead)
    _delete_queues(broker, account_id)
    return GivenUp(queued, dead_letters)


def _delete_queues(broker: Broker, account_id: str) -> None:
    names = (
        topology.account_queue_name(account_id),
        topology.dead_letter_queue_name(account_id),
    )

    def delete(connection: BlockingConnection) -> None:
        channel = connection.channel()
        for name in names:
            channel.queue_delete(name)
        channel.close()

    broker.call(delete)
