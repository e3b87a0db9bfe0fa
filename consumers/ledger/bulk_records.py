"""What a bulk action is: what somebody decided of many at once, and how far it was carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from consumers.ledger.dead_letter_lists import Position
from consumers.ledger.records import Document


class Subject(StrEnum):
    """What is acted on."""

    DEAD_LETTERS = "dead-letters"
    INVALID_EVENTS = "invalid-events"
    ACCOUNTS = "accounts"


class Verb(StrEnum):
    """What is done with it."""

    REPLAY = "replay"
    DISCARD = "discard"
    TRY_NOW = "try-now"
    PAUSE = "pause"
    RESUME = "resume"


class Stage(StrEnum):
    """How far an action is."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"


@dataclass(frozen=True)
class BulkAction:
    """One decision, and how far it was carried out."""

    action_id: str
    subject: Subject
    verb: Verb
    account_id: str | None
    """The account whose dead letters they are, or whose user decided of accounts; None: the
    platform's."""
    top: str | None
    """Of accounts: the top one above it."""
    actor: str
    session_epoch: int | None
    """The user's, as it was: where it is another one by now, all that it began is over."""
    chosen: Document
    """The filter."""
    total: int
    """How many matched when it was decided."""
    done: int
    refused: int
    left_out: int
    """Of the accounts chosen, those with which it could not be done when it was planned."""
    back: str
    """The list on which accounts were chosen."""
    stage: Stage
    problem: str
    """Why it does not go on, or was stopped; empty where nothing is in its way."""
    is_to_stop: bool
    created_at: datetime
    until: datetime
    """What came later than this is none of its own: people were told the number of then."""
    ended_at: datetime | None
    position: Position | None
    """How far it has come in the order of arrival."""
    untidy: tuple[str, ...]
    """Accounts whose queue of dead letters may still hold messages of what was dealt with."""
    met: Mapping[str, int]
    """Of an action about many accounts: how many of each account's were dealt with."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more is done."""
        return self.stage in {Stage.DONE, Stage.STOPPED}

    @property
    def looked_at(self) -> int:
        """With how many it is over, whichever way."""
        return self.done + self.refused

    @classmethod
    def of(cls, document: Document) -> "BulkAction":
        position = document.get("position")
        return cls(
            action_id=document["_id"],
            subject=Subject(document["subject"]),
            verb=Verb(document["verb"]),
            account_id=document["account_id"],
            top=document.get("top"),
            actor=document["actor"],
            session_epoch=document.get("session_epoch"),
            chosen=document["chosen"],
            total=document["total"],
            done=document["done"],
            refused=document.get("refused", 0),
            left_out=document.get("left_out", 0),
            back=document.get("back", ""),
            stage=Stage(document["stage"]),
            problem=document.get("problem", ""),
            is_to_stop=document.get("is_to_stop", False),
            created_at=document["created_at"],
            until=min(document.get("asked_at") or document["created_at"], document["created_at"]),
            ended_at=document.get("ended_at"),
            position=None if position is None else (position["created_at"], position["arrival"]),
            untidy=tuple(document.get("untidy", ())),
            met={_account_of(name): count for name, count in document.get("met", {}).items()},
        )


@dataclass(frozen=True)
class Decision:
    """What somebody wants done."""

    subject: Subject
    verb: Verb
    account_id: str | None
    actor: str
    chosen: Document
    total: int
    asked_at: datetime | None = None
    """When people were asked, and told the number; None: just now."""


@dataclass(frozen=True)
class Plan:
    """What somebody wants done with accounts."""

    verb: Verb
    account_id: str | None
    """The account of whoever decides; None: the service provider's."""
    top: str | None
    """The top account above that one."""
    actor: str
    session_epoch: int | None
    account_ids: Sequence[str]
    left_out: int
    back: str


@dataclass(frozen=True)
class Refusal:
    """An account with which it was not done, and why."""

    account_id: str
    sentence: str


def _account_of(name: str) -> str:
    return name.replace("/", ".")
