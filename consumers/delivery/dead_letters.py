"""Dead letters: buried with the broker's confirmation, brought back, given up.

The ledger is the list of dead letters. The messages in `dead-letters.<account>` are for people who
watch the broker; messages whose row is no dead letter any more are removed.
"""

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress

from config.tls import Endpoint
from consumers.amqp import names, topology
from consumers.amqp.browser import Message, browse
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import BrokerAway, BrokerRefuses, NotRouted, Publisher
from consumers.amqp.declared import DeclaredQueues
from consumers.intake.routing import Router
from consumers.ledger import CRASH_LOOP, By, CrashLoop, Ledger, Routing, RowSummary, Status
from consumers.observe import FileEnded, Observer, Trouble
from consumers.trace import headers_of

LOOKED_AT_ONCE = 500
"""Rows that a sweep of a queue asks for together."""
UNBURIED_SECONDS = 30.0
"""A file waits so long whose dead letter RabbitMQ did not take: somebody has to mend that."""

_Known = tuple[str, str]
"""A message's recording and generation."""


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
            names.TRIES_HEADER: tries,
            names.REASON_HEADER: reason,
            names.GENERATION_HEADER: routing.generation,
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

    def replay(self, recording_id: str, by: By = By.PEOPLE) -> bool:
        """Put a dead letter back on its route, tries at 0. False where it is none (any more)."""
        routing = self._ledger.dead_letters.revive(recording_id, by)
        if routing is None:
            return False
        self._router.route(routing)
        self._observe(FileEnded("replayed", routing.account_id, recording_id, trace=routing.trace))
        return True

    def replay_past_outages(
        self, account_id: str, outage_id: int, must_yield: Callable[[], bool]
    ) -> bool:
        """Replay what died in outages before this one. False where it must yield before the end."""
        over = self._ledger.dead_letters.from_past_outages(account_id, outage_id)
        for recording_id in over:
            if must_yield():
                return False
            self.replay(recording_id, By.OUTAGE)
        if over:
            self.sweep(account_id)
        return True

    def discard(self, recording_id: str) -> bool:
        """Give a dead letter up for good. False where it is none (any more)."""
        return self._ledger.dead_letters.discard(recording_id)

    def replay_all(self, recording_ids: Sequence[str]) -> list[str]:
        """The same as `replay` of many together. Returns those that were dead letters.

        What reaches no queue now is queued all the same: the reconciler brings it there later.
        """
        revived = [self._ledger.dead_letters.revive(each) for each in recording_ids]
        routings = [each for each in revived if each is not None]
        for each in routings:
            self._observe(
                FileEnded("replayed", each.account_id, each.recording_id, trace=each.trace)
            )
        with suppress(BrokerAway):
            self._router.route_all(routings)
        return [each.recording_id for each in routings]

    def discard_all(self, recording_ids: Sequence[str]) -> list[str]:
        """The same as `discard` of many. Returns those that were dead letters."""
        return [each for each in recording_ids if self.discard(each)]

    def sweep(self, account_id: str) -> int:
        """Remove messages from the account's queue whose rows are no dead letters any more.

        They are looked at first and removed in a second pass, so that the ledger is asked for many
        rows at once. What is outdated stays so: a later dead letter has a later generation.
        """
        queue = topology.dead_letter_queue_name(account_id)
        lying: set[_Known] = set()

        def look(message: Message) -> bool:
            lying.update(_known(message))
            return False

        browse(self._rabbitmq, queue, look)
        outdated = self._outdated(lying)
        if not outdated:
            return 0
        return browse(
            self._rabbitmq, queue, lambda message: not outdated.isdisjoint(_known(message))
        ).taken

    def _outdated(self, lying: Collection[_Known]) -> set[_Known]:
        found: set[_Known] = set()
        ordered = sorted(lying)
        for first in range(0, len(ordered), LOOKED_AT_ONCE):
            some = ordered[first : first + LOOKED_AT_ONCE]
            rows = self._ledger.queries.summaries([name for name, _ in some])
            for name, generation in some:
                row = rows.get(name)
                if row is not None and not _is_dead(row, generation):
                    found.add((name, generation))
        return found


def _known(message: Message) -> list[_Known]:
    """Of one message; empty for one that names no recording."""
    if message.message_id is None:
        return []
    return [(message.message_id, str(message.headers.get(names.GENERATION_HEADER)))]


def _is_dead(row: RowSummary, generation: str) -> bool:
    is_dead = row.status in {Status.DEAD_LETTERED, Status.UPLOADING}
    return is_dead and str(row.generation) == generation
