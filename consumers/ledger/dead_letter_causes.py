"""Why recordings are dead letters, and whose fault that is, as people are told it. Pure.

The fault is one of three, so that everybody knows at once who has to act: the customer's server
(with the network in front of it, and the account's settings), the one file, or the platform.
"""

from dataclasses import dataclass
from enum import StrEnum

from consumers.ledger.dead_letters import CRASH_LOOP
from consumers.ledger.records import WITHOUT_CAUSE, Document
from transports.diagnosis import CATALOGUE, Whose, advice_for_customers, by_code
from transports.diagnosis.ours import FOR_OPERATORS_ALONE
from transports.errors import Kind, is_platforms


class Fault(StrEnum):
    """Whose fault it is that a file was given up for now."""

    SERVER = "server"
    FILE = "file"
    PLATFORM = "platform"

    @property
    def for_customers(self) -> str:
        """The words for the account's own people."""
        return _FOR_CUSTOMERS[self]

    @property
    def for_operators(self) -> str:
        """The words for the service provider."""
        return _FOR_OPERATORS[self]


_FOR_CUSTOMERS = {
    Fault.SERVER: "your server",
    Fault.FILE: "this file",
    Fault.PLATFORM: "our platform",
}
_FOR_OPERATORS = {**_FOR_CUSTOMERS, Fault.SERVER: "customer's server"}


@dataclass(frozen=True)
class DeadCause:
    """A cause of dead letters."""

    code: str
    """That of the catalogue; `crash-loop`, or the kind of failure where no cause was stored."""
    fault: Fault
    words: str
    """A sentence: what is wrong."""
    next_step: str
    """What to do about it."""
    for_customers: str
    """The same for the account's own people."""

    def advice(self, *, is_operator: bool) -> str:
        """What to do about it, for who reads it."""
        return self.next_step if is_operator else self.for_customers


_PLATFORMS_REASONS = (Kind.SOURCE.value, Kind.OURS.value, CRASH_LOOP)
_PLATFORMS_CODES = [each.code for each in CATALOGUE if each.whose is Whose.PLATFORM]
_KINDS = {kind.value for kind in Kind}
_NOT_STORED = (None, "")
"""The code of rows from before causes were kept."""

_LOOK_AT_THE_LOG = (
    "Nothing to do at the server: the platform's operators find in the log what the workers died "
    "of, mend it, and replay the file."
)
_REPLAY = "Look at the last error of each file, have it mended, then replay the files."
_OTHERS = {
    CRASH_LOOP: (
        "Worker processes have ended each time they tried this file.",
        _LOOK_AT_THE_LOG,
    ),
    Kind.FILE.value: ("The server has refused the file.", _REPLAY),
    Kind.SOURCE.value: (
        WITHOUT_CAUSE[Kind.SOURCE],
        "Nothing to do at the server: the platform's operators look at the recording's place.",
    ),
    Kind.OURS.value: (
        WITHOUT_CAUSE[Kind.OURS],
        "Nothing to do at the server: the platform's operators look at the log.",
    ),
}


def cause_of(reason: str | None, code: str | None) -> DeadCause:
    """The cause of a dead letter by what its row has: `reason` and its last error's code."""
    entry = None if reason == CRASH_LOOP else by_code(code or "")
    fault = fault_of(reason, code)
    if entry is not None:
        advice = advice_for_customers(entry.code, entry.next_step)
        return DeadCause(entry.code, fault, entry.cause, entry.next_step, advice)
    if code and reason != CRASH_LOOP:  # of another version
        name, words, advice = code, f"The cause is {code}.", _REPLAY
    else:
        name = reason or Kind.ACCOUNT.value
        words, advice = _OTHERS.get(name, ("The file could not be brought to the server.", _REPLAY))
    is_ours = fault is Fault.PLATFORM
    return DeadCause(name, fault, words, advice, FOR_OPERATORS_ALONE if is_ours else advice)


def cause_called(code: str) -> DeadCause:
    """The cause of this code; its fault is that of most dead letters of it."""
    has_entry = code not in _KINDS and code != CRASH_LOOP
    return cause_of(None, code) if has_entry else cause_of(code, None)


def fault_of(reason: str | None, code: str | None) -> Fault:
    """Whose fault it is, by the same."""
    if reason == CRASH_LOOP or is_platforms(reason or "", code or ""):
        return Fault.PLATFORM
    return Fault.FILE if reason == Kind.FILE.value else Fault.SERVER


def of_cause(code: str) -> Document:
    """The query of the dead letters whose cause has this code."""
    if code == CRASH_LOOP:
        return {"reason": CRASH_LOOP}
    if code in _KINDS:
        return {"reason": code, "last_error.cause": {"$in": list(_NOT_STORED)}}
    return {"last_error.cause": code, "reason": {"$ne": CRASH_LOOP}}


def of_fault(fault: Fault) -> Document:
    """The query of the dead letters whose fault it is."""
    is_platforms = [
        {"reason": {"$in": list(_PLATFORMS_REASONS)}},
        {"last_error.cause": {"$in": _PLATFORMS_CODES}},
    ]
    if fault is Fault.PLATFORM:
        return {"$or": is_platforms}
    is_of_file = Kind.FILE.value if fault is Fault.FILE else {"$ne": Kind.FILE.value}
    return {"$nor": is_platforms, "reason": is_of_file}
