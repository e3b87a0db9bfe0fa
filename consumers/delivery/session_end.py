"""How a session leaves its account: when it is due again, and what is shown of it until then."""

from dataclasses import dataclass

from pymongo.errors import PyMongoError

from config.errors import ConfigError
from consumers.amqp.connection import BrokerAway, BrokerRefuses, NotRouted
from consumers.database_words import in_words
from consumers.delivery.context import Context
from consumers.delivery.dead_letters import UNBURIED_SECONDS
from consumers.delivery.dispatch import Rest
from consumers.delivery.failed_attempt import OURS_DELAY
from consumers.ledger import LastError, RunState
from consumers.observe import ProgramFailed, Trouble

CONFIG_DELAY = 30.0
"""Seconds. What somebody has to mend first, a missing key for one, is not tried every second."""
AWAY = (BrokerAway, NotRouted, PyMongoError)
TO_BE_MENDED = (*AWAY, ConfigError)
"""What is no fault of the program."""


@dataclass
class SessionEnd:
    """What an account worker has met that the next session of its account has to know."""

    context: Context
    routed: int = 0
    """Files published to the account's queue, as far as this session has seen."""
    opens_window: bool = False
    """Somebody has opened the delivery window for this session alone."""
    is_unsettled: bool = False
    """The end of an attempt may not be written down, or an attempt has failed."""
    is_unburied: bool = False
    """RabbitMQ did not take a dead letter: another session tries that again soon."""
    shown: LastError | None = None
    """What people are told still of what kept the session before from logging in."""

    def follow(self, run: RunState) -> None:
        """The session before has left its account so."""
        self.is_unsettled, self.shown = not run.is_well, run.waiting

    def note_login(self) -> None:
        """Once a session stands at the server, what is shown is over. Raises pymongo's errors."""
        if self.shown is not None and self.context.pool.open_now():
            self.context.deps.ledger.accounts.goes_on(self.context.account_id, self.context.epoch)
            self.shown = None

    def reschedule(self, rest: Rest, error: BaseException | None = None) -> None:
        """The account is due again as `rest` says. Raises pymongo's errors: it stays due then."""
        with self.context.in_time():
            self.context.deps.ledger.accounts.reschedule(
                self.context.account_id,
                self.context.epoch,
                self.routed,
                self._wait_of(rest),
                rest.until,
                is_held=rest.is_held,
                # One that makes room for others, or has met what is ours, goes on in the next.
                closes_window=self.opens_window and rest.wait is None,
                broken=str(error) if isinstance(error, BrokerRefuses) else None,
                unusable=str(error) if isinstance(error, ConfigError) else None,
                waiting=rest.shown,
                settled=not (self.is_unsettled or self.is_unburied or self.context.failures.count),
            )

    def reschedule_after(self, error: BaseException) -> None:
        """The session died. After what nobody foresaw the account waits longer each time.

        Where the database is away too, the account simply stays due.
        """
        try:
            if isinstance(error, TO_BE_MENDED):
                wait = CONFIG_DELAY if isinstance(error, ConfigError) else OURS_DELAY
                self.reschedule(Rest(wait=wait), error)
            else:
                accounts = self.context.deps.ledger.accounts
                with self.context.in_time():
                    accounts.rest_after_fault(self.context.account_id, self.context.epoch)
        except PyMongoError as away:
            self.context.deps.observe(Trouble("mongodb", in_words(away)))

    def report(self, error: BaseException) -> None:
        """What has gone wrong may have kept the end of an attempt from being written down."""
        self.is_unsettled = True
        account_id, observe = self.context.account_id, self.context.deps.observe
        if isinstance(error, TO_BE_MENDED):
            words = in_words(error) if isinstance(error, PyMongoError) else str(error)
            observe(Trouble("session", f"{account_id}: {words}"))
        else:
            observe(ProgramFailed("session", error, account_id))

    def _wait_of(self, rest: Rest) -> float | None:
        if not self.is_unburied:
            return rest.wait
        return min(rest.wait or UNBURIED_SECONDS, UNBURIED_SECONDS)
