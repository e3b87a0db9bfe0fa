"""Actions of the audit whose sentence depends on the entry's facts."""

from collections.abc import Callable, Mapping
from typing import Any

from config.audit import CHANGED, Action, Entry
from worker.console.language import mark as N_

Facts = Mapping[str, Any]


def _settings_saved(entry: Entry) -> str:
    before, after = entry.before, entry.after
    if not before.get("host") and after.get("host"):
        return N_("%(who)s saved the first FTP settings of %(account)s: %(server)s")
    if set(after) == {"password"} and after["password"] == CHANGED:
        return N_("%(who)s set the password of the FTP settings of %(account)s")
    return _fields(
        entry,
        N_("%(who)s saved the FTP settings of %(account)s and changed nothing"),
        N_("%(who)s changed %(field)s of %(account)s from %(old)s to %(new)s"),
        N_("%(who)s changed %(fields)s FTP settings of %(account)s"),
    )


def _alerts_set(entry: Entry) -> str:
    return _fields(
        entry,
        N_("%(who)s saved the alerts of %(account)s and changed nothing"),
        N_("%(who)s changed %(field)s of %(account)s from %(old)s to %(new)s"),
        N_("%(who)s changed %(fields)s settings of the alerts of %(account)s"),
    )


def _fields(entry: Entry, none: str, one: str, many: str) -> str:
    """By how many fields were changed; of a secret there is no value to tell."""
    changed = {*entry.before, *entry.after}
    if len(changed) == 1 and CHANGED not in entry.after.values():
        return one
    return many if changed else none


def _settings_tested(entry: Entry) -> str:
    result = str(entry.after.get("result", ""))
    if result == "passed":
        return N_("%(who)s tested %(server)s for %(account)s: it works")
    if result.startswith("failed"):
        return N_("%(who)s tested %(server)s for %(account)s, and it failed: %(result)s")
    if result.startswith("refused"):
        return N_("%(who)s wanted %(server)s tested for %(account)s: refused, %(result)s")
    return N_("%(who)s began a test of %(server)s for %(account)s, which was given up")


def _settings_removed(entry: Entry) -> str:
    if entry.before.get("host"):
        return N_("%(who)s removed the FTP settings of %(account)s, which led to %(server)s")
    return N_("%(who)s removed the FTP settings of %(account)s")


def _moved(entry: Entry) -> str:
    if not entry.before.get("parent"):
        return N_("%(who)s moved %(account)s from the top to beneath %(parent)s")
    if not entry.after.get("parent"):
        return N_("%(who)s moved %(account)s from beneath %(old_parent)s to the top")
    return N_("%(who)s moved %(account)s from beneath %(old_parent)s to beneath %(parent)s")


def _number_set(entry: Entry) -> str:
    if "method" not in entry.after:
        return N_("%(who)s saved the number %(target)s of %(account)s and changed nothing")
    if "method" in entry.before:
        return N_(
            "%(who)s changed the number %(target)s of %(account)s from %(old_method)s to %(method)s"
        )
    return N_("%(who)s gave the number %(target)s to %(account)s, sent by %(method)s")


def _user_created(entry: Entry) -> str:
    if entry.after.get("read_only"):
        return N_("%(who)s added the user %(target)s, who may only look")
    return N_("%(who)s added the user %(target)s")


def _role_set(entry: Entry) -> str:
    if entry.after.get("read_only"):
        return N_("%(who)s lets the user %(target)s only look from now on")
    return N_("%(who)s lets the user %(target)s change things from now on")


def _sessions_ended(entry: Entry) -> str:
    if entry.target == entry.actor:
        return N_("%(who)s signed out everywhere")
    return N_("%(who)s ended all sessions of %(target)s")


def _sign_in_failed(entry: Entry) -> str:
    if entry.target is None:
        return N_("%(who)s failed to sign in with a login that does not exist")
    return N_("%(who)s failed to sign in as %(target)s")


def _guessed(entry: Entry) -> str:
    if entry.after.get("told"):
        return N_("%(who)s knows the password of %(target)s and guesses codes: %(target)s was told")
    return N_("%(who)s knows the password of %(target)s and guesses codes: nobody could be told")


def _begun(entry: Entry) -> str:
    return _of_many(_BEGUN, N_("%(who)s began to act on %(of)s at once: %(act)s"), entry.after)


def _stopped(entry: Entry) -> str:
    return _STOPPED.get(str(entry.after.get("act")), N_("%(who)s stopped an act on many: %(act)s"))


def _ended(entry: Entry) -> str:
    return _of_many(_ENDED, N_("%(who)s acted on %(count)s of %(of)s: %(act)s"), entry.after)


def _of_many(heads: Mapping[str, tuple[str, str]], other: str, facts: Facts) -> str:
    one, many = heads.get(str(facts.get("act")), (other, other))
    return one if facts.get("of") == 1 else many


_BEGUN = {
    "replay dead-letters": (
        N_("%(who)s began to replay %(of)s dead letter of %(account)s"),
        N_("%(who)s began to replay %(of)s dead letters of %(account)s"),
    ),
    "discard dead-letters": (
        N_("%(who)s began to discard %(of)s dead letter of %(account)s"),
        N_("%(who)s began to discard %(of)s dead letters of %(account)s"),
    ),
    "redeliver deliveries": (
        N_("%(who)s began to send %(of)s delivered recording of %(account)s once more"),
        N_("%(who)s began to send %(of)s delivered recordings of %(account)s once more"),
    ),
    "replay invalid-events": (
        N_("%(who)s began to publish %(of)s invalid event again"),
        N_("%(who)s began to publish %(of)s invalid events again"),
    ),
    "discard invalid-events": (
        N_("%(who)s began to discard %(of)s invalid event"),
        N_("%(who)s began to discard %(of)s invalid events"),
    ),
    "try-now accounts": (
        N_("%(who)s began to have %(of)s account tried at once"),
        N_("%(who)s began to have %(of)s accounts tried at once"),
    ),
    "pause accounts": (
        N_("%(who)s began to pause %(of)s account"),
        N_("%(who)s began to pause %(of)s accounts"),
    ),
    "resume accounts": (
        N_("%(who)s began to resume %(of)s account"),
        N_("%(who)s began to resume %(of)s accounts"),
    ),
}
_STOPPED = {
    "replay dead-letters": N_("%(who)s stopped the replay of dead letters of %(account)s"),
    "discard dead-letters": N_("%(who)s stopped discarding dead letters of %(account)s"),
    "replay invalid-events": N_("%(who)s stopped publishing invalid events again"),
    "discard invalid-events": N_("%(who)s stopped discarding invalid events"),
    "try-now accounts": N_("%(who)s stopped having accounts tried at once"),
    "pause accounts": N_("%(who)s stopped pausing accounts"),
    "resume accounts": N_("%(who)s stopped resuming accounts"),
}
_ENDED = {
    "try-now accounts": (
        N_("%(who)s had %(count)s of %(of)s account tried at once"),
        N_("%(who)s had %(count)s of %(of)s accounts tried at once"),
    ),
    "pause accounts": (
        N_("%(who)s paused %(count)s of %(of)s account"),
        N_("%(who)s paused %(count)s of %(of)s accounts"),
    ),
    "resume accounts": (
        N_("%(who)s resumed %(count)s of %(of)s account"),
        N_("%(who)s resumed %(count)s of %(of)s accounts"),
    ),
}

CASES: Mapping[str, Callable[[Entry], str]] = {
    Action.SETTINGS_SAVED: _settings_saved,
    Action.SETTINGS_TESTED: _settings_tested,
    Action.SETTINGS_REMOVED: _settings_removed,
    Action.ALERTS_SET: _alerts_set,
    Action.ACCOUNT_MOVED: _moved,
    Action.NUMBER_SET: _number_set,
    Action.USER_CREATED: _user_created,
    Action.USER_ROLE_SET: _role_set,
    Action.SESSIONS_ENDED: _sessions_ended,
    Action.SIGN_IN_FAILED: _sign_in_failed,
    Action.FACTOR_GUESSED: _guessed,
    Action.BULK_BEGUN: _begun,
    Action.BULK_STOPPED: _stopped,
    Action.BULK_ENDED: _ended,
}
