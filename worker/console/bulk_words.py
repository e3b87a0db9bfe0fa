"""What bulk actions are called, and how far they are, in people's words."""

from collections.abc import Mapping

from consumers.ledger.bulk_actions import BulkAction, Subject, Verb
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.numerals import number

Kind = tuple[Subject, Verb]
_ASKED: Mapping[Kind, tuple[str, str]] = {
    (Subject.DEAD_LETTERS, Verb.REPLAY): (
        N_("Replay %(count)s dead letter"),
        N_("Replay %(count)s dead letters"),
    ),
    (Subject.DEAD_LETTERS, Verb.DISCARD): (
        N_("Discard %(count)s dead letter"),
        N_("Discard %(count)s dead letters"),
    ),
    (Subject.INVALID_EVENTS, Verb.REPLAY): (
        N_("Replay %(count)s invalid event"),
        N_("Replay %(count)s invalid events"),
    ),
    (Subject.INVALID_EVENTS, Verb.DISCARD): (
        N_("Discard %(count)s invalid event"),
        N_("Discard %(count)s invalid events"),
    ),
    (Subject.ACCOUNTS, Verb.TRY_NOW): (
        N_("Try %(count)s account now"),
        N_("Try %(count)s accounts now"),
    ),
    (Subject.ACCOUNTS, Verb.PAUSE): (
        N_("Pause %(count)s account"),
        N_("Pause %(count)s accounts"),
    ),
    (Subject.ACCOUNTS, Verb.RESUME): (
        N_("Resume %(count)s account"),
        N_("Resume %(count)s accounts"),
    ),
}
_CUSTOMERS_ASKED: Mapping[Kind, tuple[str, str]] = {
    (Subject.DEAD_LETTERS, Verb.REPLAY): (
        N_("Replay %(count)s skipped file"),
        N_("Replay %(count)s skipped files"),
    ),
    (Subject.DEAD_LETTERS, Verb.DISCARD): (
        N_("Discard %(count)s skipped file"),
        N_("Discard %(count)s skipped files"),
    ),
}
_TOLD: Mapping[Kind, str] = {
    (Subject.DEAD_LETTERS, Verb.REPLAY): N_("%(done)s of %(total)s on their way again"),
    (Subject.DEAD_LETTERS, Verb.DISCARD): N_("%(done)s of %(total)s discarded"),
    (Subject.INVALID_EVENTS, Verb.REPLAY): N_("%(done)s of %(total)s published again"),
    (Subject.INVALID_EVENTS, Verb.DISCARD): N_("%(done)s of %(total)s discarded"),
    (Subject.ACCOUNTS, Verb.TRY_NOW): N_("%(done)s of %(total)s tried at once"),
    (Subject.ACCOUNTS, Verb.PAUSE): N_("%(done)s of %(total)s paused"),
    (Subject.ACCOUNTS, Verb.RESUME): N_("%(done)s of %(total)s resumed"),
}
UNFIT: Mapping[Verb, tuple[str, str]] = {
    Verb.TRY_NOW: (
        N_("%(count)s account of those chosen is left out: it is not suspended."),
        N_("%(count)s accounts of those chosen are left out: they are not suspended."),
    ),
    Verb.PAUSE: (
        N_("%(count)s account of those chosen is left out: it is paused already."),
        N_("%(count)s accounts of those chosen are left out: they are paused already."),
    ),
    Verb.RESUME: (
        N_("%(count)s account of those chosen is left out: it is not paused."),
        N_("%(count)s accounts of those chosen are left out: they are not paused."),
    ),
}


def asked(subject: Subject, verb: Verb, count: int, *, for_customer: bool) -> str:
    """What is to be done with how many: `Replay 1,234 dead letters`."""
    kind = (subject, verb)
    words = (_CUSTOMERS_ASKED if for_customer else {}).get(kind) or _ASKED[kind]
    return _counted(words, count)


def title(action: BulkAction, for_customer: bool = False) -> str:  # noqa: FBT001, FBT002 - a filter
    """What was decided."""
    return asked(action.subject, action.verb, action.total, for_customer=for_customer)


def told(action: BulkAction) -> str:
    """What an action has done, in a sentence."""
    words = _(_TOLD[action.subject, action.verb])
    sentence = words % {"done": number(action.done), "total": number(action.total)}
    if action.refused:
        refused = _("%(count)s refused") % {"count": number(action.refused)}
        sentence = f"{sentence}, {refused}"
    if action.is_over and action.looked_at < action.total:
        rest = _("somebody else was faster with the others, or it was stopped")
        return f"{sentence}; {rest}."
    return f"{sentence}."


def left_out(action: BulkAction) -> str:
    """Of the accounts chosen, those that the act does not fit; empty where it fits all."""
    return _counted(UNFIT[action.verb], action.left_out) if action.left_out else ""


def _counted(words: tuple[str, str], count: int) -> str:
    one, many = words
    return _(one if count == 1 else many) % {"count": number(count)}
