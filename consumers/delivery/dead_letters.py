"""Dead letters: buried with the broker's confirmation, brought back, given up.

The ledger is the list of dead letters. The messages in `dead-letters.<account>` are for people who
watch the broker; messages whose row is no dead letter any more are removed.
"""

from config.tls import Endpoint
from consumers.amqp import topology
from consumers.amqp.browser import Message, browse
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import BrokerRefuses, NotRouted, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.intake.routing import Router
from consumers.ledger import CRASH_LOOP, CrashLoop, Ledger, Routing, Status
from consumers.observe import FileEnded, Observer, Trouble
from consumers.trace import headers_of

UNBURIED_SECONDS = 30.0
"""A file waits so long whose dead letter RabbitMQ did not take: somebody has to mend that."""


class DeadLetters:
    """Raises BrokerAway and pymongo's errors; every method may be repeated."""

    def __init__(
        self,
        rabbitmq: Endpoint,
        queues: DeclaredQueues,
        publisher: Publisher,
        router: Router,
        ledger: Ledger,
        observe: Observer,
    ) -> None:
        self._rabbitmq = rabbitmq
        self._queues = queues
        self._publisher = publisher
        self._router = router
        self._ledger = ledger
        self._observe = observe

    def bury(self, routing: Routing, tries: int, reason: str) -> None:
        """Publish the dead letter, and wait for the confirm. The caller writes the row after it."""
        queue = topology.dead_letter_queue(routing.account_id)
        headers = {
            topology.TRIES_HEADER: tries,
            topology.REASON_HEADER: reason,
            topology.GENERATION_HEADER: routing.generation,
            **headers_of(routing.trace),
        }
        message = Outgoing("", queue.name, routing.body, headers, routing.recording_id)
        for failure in self._queues.publish(self._publisher, [(queue, message)]).values():
            raise failure

    def try_to_bury(self, routing: Routing, tries: int, reason: str) -> bool:
        """Whether the broker has the dead letter; where it refuses, the account shows why."""
        accounts, account_id = self._ledger.accounts, routing.account_id
        try:
            self.bury(routing, tries, reason)
        except (NotRouted, BrokerRefuses) as refusal:
            accounts.queue_broken(account_id, "burying", str(refusal))
            self._observe(Trouble("rabbitmq", f"{account_id}: {refusal}"))
            return False
        accounts.queue_usable(account_id, "burying")
        return True

    def bury_crash_loops(self, account_id: str, epoch: int) -> bool:
        """End the files that kill their workers (rule 25): no try is counted, no account fails.

        An outage's dead letter lies in its queue already. False where the broker has refused one:
        it waits, and is started no more; the account's other files go on.
        """
        loops = self._ledger.dead_letters.crash_loops(account_id)
        buried = [self._bury_crash_loop(loop, epoch) for loop in loops]
        return all(buried)

    def _bury_crash_loop(self, loop: CrashLoop, epoch: int) -> bool:
        routing = loop.routing
        if not (loop.from_outage or self.try_to_bury(routing, loop.tries, CRASH_LOOP)):
            self._ledger.dead_letters.crash_loop_waits(
                routing.recording_id, epoch, UNBURIED_SECONDS
            )
            return False
        ended = self._ledger.dead_letters.crash_loop_ends(routing.recording_id, epoch)
        if ended and not loop.from_outage:
            self._observe(
                FileEnded(
                    "dead_lettered",
                    routing.account_id,
                    routing.recording_id,
                    reason=CRASH_LOOP,
                    trace=routing.trace,
                )
            )
        return True

    def replay(self, recording_id: str) -> bool:
        """Put a dead letter back on its route, tries at 0. False where it is none (any more)."""
        routing = self._ledger.dead_letters.revive(recording_id)
        if routing is None:
            return False
        self._router.route(routing)
        self._observe(FileEnded("replayed", routing.account_id, recording_id, trace=routing.trace))
        return True

    def discard(self, recording_id: str) -> bool:
        """Give a dead letter up for good. False where it is none (any more)."""
        return self._ledger.dead_letters.discard(recording_id)

    def sweep(self, account_id: str) -> int:
        """Remove messages from the account's queue whose rows are no dead letters any more."""
        return browse(
            self._rabbitmq, topology.dead_letter_queue_name(account_id), self._is_outdated
        )

    def _is_outdated(self, message: Message) -> bool:
        if message.message_id is None:
            return False
        glance = self._ledger.queries.summaries([message.message_id]).get(message.message_id)
        if glance is None:
            return False
        dead = glance.status in {Status.DEAD_LETTERED, Status.UPLOADING}
        return not dead or glance.generation != message.headers.get(topology.GENERATION_HEADER)
