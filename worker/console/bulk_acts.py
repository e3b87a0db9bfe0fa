"""What is done with many dead letters, invalid events or accounts at once, begun in one principal's
name."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from config.audit import Action
from config.permissions import Principal
from consumers.intake.invalid_queue import InvalidFilter, look_at_invalid
from consumers.ledger.bulk_actions import (
    BulkAction,
    Decision,
    Plan,
    Stage,
    Subject,
    TooManyActions,
    Verb,
)
from consumers.ledger.dead_letter_lists import DeadLetterFilter
from consumers.upkeep.bulk import act_of
from worker.console.errors import Conflict
from worker.console.language import gettext as _
from worker.console.limits import TooManyRequests, top_of
from worker.console.services import Services

FIRST_SECONDS = 1.0
"""So long the request carries it out itself: a few files are done when its answer comes."""
AGAIN_SECONDS = 5
_ACTION_ID = re.compile(r"[A-Za-z0-9_-]{16,40}")


def new_action_id() -> str:
    """An id for a form, so that sending it twice begins one action."""
    return secrets.token_urlsafe(16)


@dataclass(frozen=True)
class BulkActs:
    """Bulk actions in one principal's name. The route has checked that it may."""

    services: Services
    principal: Principal

    def dead_letters(
        self,
        verb: Verb,
        chosen: DeadLetterFilter,
        action_id: str | None = None,
        asked_at: datetime | None = None,
    ) -> BulkAction:
        """Replay or discard the dead letters that match, and did so when somebody was asked.
        Raises Conflict where there are none."""
        known = self._known(action_id)
        if known is not None:
            return known
        total = self.services.ledger.dead_letter_lists.count(replace(chosen, died_by=asked_at))
        if not total:
            raise Conflict(_("Nothing is left that matches: somebody else was faster."))
        stored = chosen.stored()
        decision = Decision(
            Subject.DEAD_LETTERS,
            verb,
            chosen.account_id,
            self.principal.login,
            stored,
            total,
            asked_at,
        )
        return self._begin(decision, action_id)

    def invalid_events(
        self,
        verb: Verb,
        chosen: InvalidFilter,
        action_id: str | None = None,
        asked_at: datetime | None = None,
    ) -> BulkAction:
        """Replay or discard the invalid events that match, and did so when somebody was asked.
        Raises Conflict, BrokerAway."""
        known = self._known(action_id)
        if known is not None:
            return known
        rabbitmq = self.services.core.settings.rabbitmq
        total = look_at_invalid(rabbitmq, chosen, 0, 0, arrived_by=asked_at).matching
        if not total:
            raise Conflict(_("Nothing is left that matches: somebody else was faster."))
        decision = Decision(
            Subject.INVALID_EVENTS,
            verb,
            None,
            self.principal.login,
            chosen.stored(),
            total,
            asked_at,
        )
        return self._begin(decision, action_id)

    def plan_accounts(
        self, verb: Verb, account_ids: Sequence[str], *, left_out: int = 0, back: str = ""
    ) -> BulkAction:
        """What is to be done with accounts; nothing is changed until it is begun."""
        principal, services = self.principal, self.services
        user = services.users.find(principal.login)
        scope = principal.account_id
        plan = Plan(
            verb=verb,
            account_id=scope,
            top=None if scope is None else top_of(scope, services.directory.find),
            actor=principal.login,
            session_epoch=user.session_epoch if user else None,
            account_ids=account_ids,
            left_out=left_out,
            back=back,
        )
        return services.ledger.bulk_actions.plan(new_action_id(), plan)

    def own_plan(self, action_id: str) -> BulkAction | None:
        """What the same user or token has planned or begun to do with accounts."""
        action = self.services.ledger.bulk_actions.read(action_id)
        who = (self.principal.login, self.principal.account_id, Subject.ACCOUNTS)
        if action is None or (action.actor, action.account_id, action.subject) != who:
            return None
        return action

    def begin_accounts(self, action: BulkAction) -> BulkAction:
        """Begin what was planned; harmless where it is begun already. Raises TooManyRequests, and
        Conflict where it was forgotten."""
        actions = self.services.ledger.bulk_actions
        if action.stage is not Stage.PLANNED:
            return action
        is_slow = action.verb is Verb.TRY_NOW and action.account_id is not None
        is_busy = is_slow and actions.are_tried(action.top)
        if is_busy or actions.are_too_many(action.account_id, of_accounts=True):
            raise _is_busy()
        self._note_begin(action.action_id, action)
        try:
            is_new = actions.begin_planned(action.action_id)
        except TooManyActions:  # others began at the same moment
            raise _is_busy() from None
        if is_new:  # else the same form was sent twice
            self.services.bulk.run(action.action_id, FIRST_SECONDS)
        begun = actions.read(action.action_id)
        if begun is None:
            raise Conflict(_("This plan is forgotten by now: choose the accounts anew."))
        return begun

    def stop(self, action_id: str) -> None:
        """End it after the step that runs. Raises Conflict where it is over."""
        actions = self.services.ledger.bulk_actions
        action = actions.read(action_id)
        if action is None or not actions.stop(action_id):
            raise Conflict(_("It is over already: there is nothing to stop."))
        facts = {"act": act_of(action.verb, action.subject), "decided_by": action.actor}
        self.services.audit.record(
            self.principal.login, Action.BULK_STOPPED, action.account_id, {}, facts
        )

    def _known(self, action_id: str | None) -> BulkAction | None:
        """The action that the same form has begun before."""
        known = self.services.ledger.bulk_actions.read(action_id) if action_id else None
        return known if known is not None and known.actor == self.principal.login else None

    def _begin(self, decision: Decision, action_id: str | None) -> BulkAction:
        actions = self.services.ledger.bulk_actions
        if actions.are_too_many(decision.account_id):
            raise _too_many()
        free_id = self._free_id(action_id)
        self._note_begin(free_id, decision)
        try:
            begun = actions.begin(free_id, decision)
        except TooManyActions:  # others began at the same moment
            raise _too_many() from None
        self.services.bulk.run(begun.action_id, FIRST_SECONDS)
        return actions.read(begun.action_id) or begun

    def _note_begin(self, action_id: str, decided: Decision | BulkAction) -> None:
        """In the audit first: a line about what was not begun is better than none."""
        act = act_of(decided.verb, decided.subject)
        facts = {"act": act, "of": decided.total, **decided.chosen}
        self.services.audit.record(
            self.principal.login,
            Action.BULK_BEGUN,
            decided.account_id,
            {},
            facts,
            once=f"{action_id} begun",
        )

    def _free_id(self, wanted: str | None) -> str:
        """The form's id, unless it is none of ours, or somebody else's by now."""
        if wanted is None or not _ACTION_ID.fullmatch(wanted):
            return new_action_id()
        is_taken = self.services.ledger.bulk_actions.read(wanted) is not None
        return new_action_id() if is_taken else wanted


def _is_busy() -> TooManyRequests:
    words = _("Something is being done with many at once already: wait for its end.")
    return TooManyRequests(words, AGAIN_SECONDS)


def _too_many() -> Conflict:
    return Conflict(_("Many such actions run already: wait until one of them is over."))
