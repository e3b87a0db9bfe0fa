"""Why the files of an account wait: a word for it, and what follows from it, for people."""

from typing import NamedTuple

from rich.text import Text

from config.settings import Settings
from consumers.delivery.policy import DORMANT_SECONDS, State
from consumers.ledger import LastError, QueueShape
from transports.diagnosis import Whose
from worker.account_facts import AccountFacts
from worker.cli.output import duration

BEHIND_SECONDS = 300.0
"""An account that is well has no file that waits so long, unless we are slow."""
_MOST_WAITED = 4.0
"""Times as long as what waits takes at a limit: the limit does not explain a longer wait."""
REMOVED = "removed"
_STYLES = {
    "failing": "red",
    "suspended": "red",
    "dormant": "red",
    "probing": "yellow",
    "held": "yellow",
    "behind": "red",
    "disabled": "dim",
    "paused": "yellow",
    "window": "cyan",
    "limited": "cyan",
    REMOVED: "dim",
    "flowing": "green",
}
STATES = tuple(_STYLES)
"""The one first that somebody has to look at first."""


class Wait(NamedTuple):
    """Why files wait."""

    state: str
    """One of STATES."""
    words: str
    """What comes next, and what there is to be done; empty where all is well."""
    advice: str = ""
    """What the platform's operators do about it, where it is theirs to mend."""

    @property
    def told(self) -> str:
        """The state as it follows "is"."""
        return "waiting" if self.state == "window" else self.state

    @property
    def ends_by_trying(self) -> bool:
        """Whether 'accounts try-now' begins what it waits for."""
        return self.state in {"suspended", "dormant"}


def why_waiting(facts: AccountFacts, shape: QueueShape | None, suspend_after: int) -> Wait:
    """What the oldest file of the account waits for; `shape`: what is on its way, None: nothing."""
    if facts.state == State.ACTIVE:
        return _at_work(facts, shape, suspend_after)
    words = {
        "disabled": _disabled(facts),
        "paused": f"{_resume(facts)} ends it",
        "suspended": f"{_next_try(facts)}{_said(facts)}",
        "probing": f"one file is tried now{_said(facts)}",
    }
    is_dormant = facts.state == State.SUSPENDED and facts.dormant_since is not None
    return Wait("dormant" if is_dormant else facts.state, words[facts.state])


def coloured(state: str) -> Text:
    """The word in its colour."""
    return Text(state, style=_STYLES[state])


def meaning(state: str, settings: Settings) -> str:
    """What the word says, with the number at which it begins."""
    late, after = duration(BEHIND_SECONDS), settings.suspend_after
    return {
        "failing": f"its last files failed; it is suspended at {after} failures in a row",
        "behind": f"nothing of its own explains it, and its oldest file waits for {late} or longer",
        "limited": f"its oldest file waits for {late} or longer, as its own bandwidth limit may "
        "explain",
        "suspended": f"{after} failures in a row; "
        f"after {duration(settings.suspend_seconds)} one file is tried",
        "dormant": "suspended for long; one file is tried every "
        f"{duration(max(settings.suspend_seconds, DORMANT_SECONDS))}",
        "probing": "suspended, and one file is tried at this moment",
        "held": "its queue, its login or the platform's way out cannot be used just now; "
        "nothing is counted",
        "disabled": "no permission, no settings, or switched off",
        "paused": "by a person; 'courier accounts resume ID' ends it",
        "window": "outside of its delivery window; 'courier accounts try-now ID' opens it once",
        REMOVED: "the account is gone; its files are discarded within minutes",
        "flowing": f"its oldest file waits for less than {late}",
    }[state]


def kept_by_store(error: LastError) -> str:
    """What is said of a file that the recordings' own store does not give."""
    return f"kept by the platform's store of recordings, no try is counted: {error.words}"


def _disabled(facts: AccountFacts) -> str:
    paused = f" It is paused as well: {_resume(facts)} ends that." if facts.is_also_paused else ""
    return f"{facts.why_disabled}{paused}"


def _resume(facts: AccountFacts) -> str:
    return f"'courier accounts resume {facts.account.account_id}'"


def _at_work(facts: AccountFacts, shape: QueueShape | None, suspend_after: int) -> Wait:
    run = facts.run
    if facts.told_opening:
        return Wait("window", f"its delivery window opens on {facts.told_opening}")
    if run.failures:
        counted = f"{run.failures} of {suspend_after} failures in a row"
        return Wait("failing", f"{counted}{_said(facts)}")
    if (held := facts.held) is not None:
        return Wait("held", held.words, _for_operators(held))
    if shape is not None and shape.oldest_seconds >= BEHIND_SECONDS:
        return _late(facts, shape)
    return Wait("flowing", "")


def _late(facts: AccountFacts, shape: QueueShape) -> Wait:
    words = f"its oldest file waits for {duration(shape.oldest_seconds)}"
    if (store := shape.store) is not None:
        return Wait("behind", f"{words}; {kept_by_store(store)}", _for_operators(store))
    settings = facts.account.settings
    if settings is not None and settings.bandwidth is not None:
        return _late_with_limit(words, settings.bandwidth, shape)
    return Wait("behind", words)


def _late_with_limit(words: str, kilobytes: int, shape: QueueShape) -> Wait:
    """With the limit, and how long it takes: what has waited much longer than that is kept by us,
    unless a size is unknown."""
    limit = f"{words}; its own limit is {kilobytes} kilobytes a second"
    seconds = shape.size / 1000 / kilobytes
    explains = bool(shape.unsized) or seconds * _MOST_WAITED >= shape.oldest_seconds
    more = " or longer" if shape.unsized else ""
    takes = f", at which what waits takes {duration(seconds)}{more}" if shape.size else ""
    return Wait("limited" if explains else "behind", f"{limit}{takes}")


def _for_operators(error: LastError) -> str:
    entry = error.diagnosis
    return error.advice if entry is not None and entry.whose is Whose.PLATFORM else ""


def _next_try(facts: AccountFacts) -> str:
    left = facts.run.seconds_until(facts.run.suspended_until)
    return f"next try in {duration(left)}" if left else "next try with the next file"


def _said(facts: AccountFacts) -> str:
    error = facts.run.last_error
    return f" ({error.words})" if error else ""
