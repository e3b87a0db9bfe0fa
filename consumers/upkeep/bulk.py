"""Carries out bulk actions, in small steps, in every process that works: one at a time has each."""

import time
import uuid
from collections import Counter
from collections.abc import Callable

from pymongo.errors import PyMongoError

from config.audit import Action, Audit
from config.tls import Endpoint
from consumers.amqp.connection import BrokerAway, NotRouted, Publisher
from consumers.delivery.dead_letters import DeadLetters
from consumers.intake.invalid_queue import InvalidFilter, act_on_invalid
from consumers.ledger import Document, Ledger
from consumers.ledger.bulk_actions import BulkAction, Refusal, Stage, Subject, Verb
from consumers.ledger.dead_letter_lists import DeadLetterFilter, position_of
from consumers.upkeep.account_acts import AccountActs

LETTERS_A_STEP = 100
"""Dead letters between two looks at the clock: a step of so many takes well under a second."""
EVENTS_A_STEP = 500
"""More, because each step goes through the queue."""
ACCOUNTS_A_STEP = 20
SECONDS_A_TRY = 3.0
"""Beneath a top account the next step of a tenant's "try now" begins after so long for each account
of the one before: it protects the servers."""
ROUND_SECONDS = 3.0
"""No step begins after this time: a worker that stops waits for its round."""
ACTIONS_A_ROUND = 100
"""Most actions that a round looks at; the others' turn comes, for those wait longer then."""
AWAY = "RabbitMQ is away: it goes on by itself."
SLOWLY = "So that no server is flooded, 20 accounts are tried a minute."
OVER = "Whoever began it may not act any more: what is not counted here was not done."

_ACTIONS = {
    (Subject.DEAD_LETTERS, Verb.REPLAY): Action.DEAD_LETTERS_REPLAYED,
    (Subject.DEAD_LETTERS, Verb.DISCARD): Action.DEAD_LETTERS_DISCARDED,
    (Subject.INVALID_EVENTS, Verb.REPLAY): Action.INVALID_REPLAYED,
    (Subject.INVALID_EVENTS, Verb.DISCARD): Action.INVALID_DISCARDED,
}


class BulkRunner:
    """Raises pymongo's errors where MongoDB is away; what is left goes on with a later look."""

    def __init__(
        self,
        ledger: Ledger,
        dead_letters: DeadLetters,
        rabbitmq: Endpoint,
        publisher: Publisher,
        audit: Audit,
        accounts: AccountActs,
    ) -> None:
        self._actions = ledger.bulk_actions
        self._ledger = ledger
        self._dead_letters = dead_letters
        self._rabbitmq = rabbitmq
        self._publisher = publisher
        self._audit = audit
        self._accounts = accounts
        self._owner = uuid.uuid4().hex

    def look(self) -> None:
        """Go on with the actions that nobody carries out, each for its share of the round.

        One at which the program fails keeps its lease and holds up no other. Raises what it raised.
        """
        until = time.monotonic() + ROUND_SECONDS
        faults: list[Exception] = []
        waiting = self._actions.waiting(ACTIONS_A_ROUND)
        for position, action_id in enumerate(waiting):
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                self.run(action_id, left / (len(waiting) - position))
            except PyMongoError:
                raise
            except Exception as error:  # noqa: BLE001 - it is raised once the others had their turn
                faults.append(error)
        for fault in faults:
            raise fault

    def run(self, action_id: str, seconds: float) -> None:
        """Carry out steps of an action for so long, one at least. Harmless where another has it."""
        until = time.monotonic() + seconds
        while (action := self._actions.take(action_id, self._owner)) is not None:
            try:
                self._step(action)
            except (BrokerAway, NotRouted):
                self._actions.hindered(action_id, self._owner, AWAY)
                break
            if time.monotonic() >= until:
                break
        self._actions.released(action_id, self._owner)

    def _step(self, action: BulkAction) -> None:
        if action.is_to_stop and action.subject is Subject.ACCOUNTS:
            self._end(action, Stage.STOPPED)
        elif action.is_to_stop:
            self._tidy(action, Stage.STOPPED)
        elif action.subject is Subject.DEAD_LETTERS:
            self._dead_letters_step(action)
        elif action.subject is Subject.ACCOUNTS:
            self._accounts_step(action)
        else:
            self._invalid_events_step(action)

    def _dead_letters_step(self, action: BulkAction) -> None:
        chosen = DeadLetterFilter.read({**action.chosen, "died_by": action.until})
        rows = self._ledger.dead_letter_lists.oldest(chosen, LETTERS_A_STEP, action.position)
        if not rows:
            self._tidy(action, Stage.DONE)
            return
        ids = [row["_id"] for row in rows]
        if not self._are_noted(action, {row["account_id"] for row in rows}):
            return
        done = set(self._act(action.verb)(ids))
        met = Counter(row["account_id"] for row in rows if row["_id"] in done)
        self._actions.progressed(
            action.action_id,
            self._owner,
            done=len(done),
            position=position_of(rows[-1]),
            met=met if action.account_id is None else {},
        )

    def _are_noted(self, action: BulkAction, account_ids: set[str]) -> bool:
        """Note whose queues are to be tidied, before anything is done: what a step has done is
        not met again where the worker dies in it. False where the action is another's by now."""
        new = account_ids.difference(action.untidy)
        return not new or self._actions.meets(action.action_id, self._owner, new)

    def _act(self, verb: Verb) -> Callable[[list[str]], list[str]]:
        letters = self._dead_letters
        return letters.replay_all if verb is Verb.REPLAY else letters.discard_all

    def _tidy(self, action: BulkAction, stage: Stage) -> None:
        """The messages of what was dealt with go too, an account a step; they are for people.

        So does a line for the audit of each account, where an action is about many.
        """
        if not action.untidy:
            self._end(action, stage)
            return
        account_id = action.untidy[0]
        self._dead_letters.sweep(account_id)
        if count := action.met.get(account_id):
            self._note(action, account_id, {"count": count, **_of_any_account(action.chosen)})
        self._actions.tidied(action.action_id, self._owner, account_id)

    def _invalid_events_step(self, action: BulkAction) -> None:
        """An event that comes back because it still cannot be used is not published again."""
        left = action.total - action.done
        done = 0
        if left > 0:
            done = act_on_invalid(
                self._rabbitmq,
                self._publisher if action.verb is Verb.REPLAY else None,
                InvalidFilter.read(action.chosen),
                min(left, EVENTS_A_STEP),
                action.action_id,
                arrived_by=action.until,
            )
        if not done:
            self._end(action, Stage.DONE)
            return
        self._actions.progressed(action.action_id, self._owner, done=done)

    def _accounts_step(self, action: BulkAction) -> None:
        """Some accounts more, the next ones of the plan: those that are counted are over."""
        ids = self._actions.account_ids(action.action_id, action.looked_at, ACCOUNTS_A_STEP)
        if not ids:
            self._end(action, Stage.DONE)
            return
        if wait := self._wait(action, len(ids)):
            self._actions.rests(action.action_id, self._owner, wait, SLOWLY)
            return
        told = []
        for each in ids:
            if not self._actions.renews(action.action_id, self._owner):
                return  # another worker has it: what is not counted is repeated, and is harmless
            if not self._accounts.may_go_on(action):
                break
            told.append((each, self._accounts.act(action, each)))
        if not told:
            self._end(action, Stage.STOPPED, OVER)
            return
        refusals = [Refusal(each, sentence) for each, sentence in told if sentence is not None]
        self._actions.progressed(
            action.action_id,
            self._owner,
            done=len(told) - len(refusals),
            looked_at=action.looked_at,
            refusals=refusals,
        )

    def _wait(self, action: BulkAction, accounts: int) -> float:
        """Seconds until a step with so many accounts may begin; 0 where it begins now."""
        if action.verb is not Verb.TRY_NOW or action.top is None:
            return 0
        return self._ledger.try_paces.take(action.top, accounts * SECONDS_A_TRY)

    def _end(self, action: BulkAction, stage: Stage, problem: str = "") -> None:
        """The audit first: after a crash in between the same line is written once more."""
        facts = {"count": action.done, "of": action.total, **action.chosen}
        if action.subject is Subject.ACCOUNTS:
            facts |= {"act": act_of(action.verb, action.subject), "refused": action.refused}
        self._note(action, action.account_id, facts, once=f"{action.action_id} ended")
        self._actions.ended(action.action_id, self._owner, stage, problem)

    def _note(
        self, action: BulkAction, account_id: str | None, facts: Document, once: str | None = None
    ) -> None:
        name = _ACTIONS.get((action.subject, action.verb), Action.BULK_ENDED)
        self._audit.record(action.actor, name, account_id, {}, facts, once=once)


def act_of(verb: Verb, subject: Subject) -> str:
    """What is done, as the audit names it: `pause accounts`."""
    return f"{verb.value} {subject.value}"


def _of_any_account(chosen: Document) -> Document:
    """The filter as any account may see it: ticked ones are those of other accounts too."""
    facts = {name: value for name, value in chosen.items() if not isinstance(value, list)}
    return facts if len(facts) == len(chosen) else {**facts, "chosen": "one by one"}
