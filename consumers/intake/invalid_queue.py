"""Reads `recordings.invalid`: events that could not be used, kept until somebody mends them."""

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from config.tls import Endpoint
from consumers.amqp import names
from consumers.amqp.browser import Browsed, Message, browse
from consumers.amqp.confirms import Outgoing
from consumers.amqp.connection import NotRouted, Publisher
from consumers.intake import payload
from consumers.intake.reasons import Reason
from consumers.trace import TraceContext, headers_of

PART = 10_000
"""So many events, from the oldest on, are all that anybody looks at; the order stays by it."""
AT_ONCE = 500
"""Events that are published again, or removed, together."""
TAKEN_BYTES = 16 * 1024 * 1024
"""Their bodies together, but for the last one: an event that was too large may have a broker's
whole 128 MiB."""
MOST_PARSED = 1024 * 1024
"""Bytes of a body that is asked whose it is; what is larger is nobody's."""
BEGINNING = 200
"""Characters of a body that a table shows."""
MAX_PAYLOAD = 4_000
"""Characters of a body that a page shows."""
MAX_REASON = 500
"""Characters of a reason that are shown."""
_MEANINGS = {str(each): each.meaning for each in Reason}


@dataclass(frozen=True)
class InvalidMessage:
    """An unusable event: the reason, and what can be read of it."""

    reason: str
    recording_id: str | None
    account_id: str | None
    size: int
    beginning: str
    """The first characters of its body."""
    event_id: str
    """By what it is chosen: copies of one event have the same."""
    since: datetime | None
    """Since when it lies there; None: that was not kept then."""
    payload: str
    """More of its body, laid out, without secrets; empty where nobody is shown it."""

    @classmethod
    def of(cls, message: Message, *, shown: bool = False) -> "InvalidMessage":
        content = _content(message.body)
        return cls(
            _reason(message)[:MAX_REASON],
            _text(content.get("recording_id")),
            _text(content.get("account_id")),
            len(message.body),
            payload.beginning(message.body, BEGINNING),
            event_id(message),
            message.since,
            payload.readable(message.body, MAX_PAYLOAD) if shown else "",
        )


@dataclass(frozen=True)
class InvalidFilter:
    """Which invalid events; empty and None mean any."""

    reason: str = ""
    """How the reason begins: its code, or more of it."""
    account_id: str | None = None
    event_ids: tuple[str, ...] | None = None

    def matches(self, message: Message) -> bool:
        """Whether the event is one of them."""
        if not _reason(message).startswith(self.reason):
            return False
        if self.event_ids is not None and event_id(message) not in self.event_ids:
            return False
        is_any = self.account_id is None
        return is_any or _content(message.body).get("account_id") == self.account_id

    def stored(self) -> dict[str, Any]:
        """As a bulk action keeps it: only what is given."""
        ids = None if self.event_ids is None else list(self.event_ids)
        values = {"reason": self.reason or None, "account_id": self.account_id, "event_ids": ids}
        return {name: value for name, value in values.items() if value is not None}

    @classmethod
    def read(cls, stored: dict[str, Any]) -> "InvalidFilter":
        """The filter that `stored` gave."""
        ids = stored.get("event_ids")
        chosen = cls(stored.get("reason", ""), stored.get("account_id"))
        return chosen if ids is None else replace(chosen, event_ids=tuple(ids))


@dataclass(frozen=True)
class InvalidGroup:
    """The events of one reason."""

    code: str
    meaning: str
    """What the code means; empty for one that is not Courier's."""
    events: int
    oldest: datetime | None
    """Since when the first of those lies there that say so."""


@dataclass(frozen=True)
class InvalidPage:
    """A look at the queue."""

    events: Sequence[InvalidMessage]
    groups: Sequence[InvalidGroup]
    """Of all that was looked at, most events first."""
    matching: int
    looked_at: int
    in_queue: int


@dataclass(frozen=True)
class OldestInvalid:
    """A look at the queue for its oldest events alone."""

    events: Sequence[InvalidMessage]
    """Without their payloads."""
    looked_at: int
    in_queue: int


Done = Callable[[InvalidMessage], object]
"""Is called with each message that was dealt with."""


def look_at_invalid(
    rabbitmq: Endpoint,
    chosen: InvalidFilter,
    skip: int,
    limit: int,
    *,
    arrived_by: datetime | None = None,
) -> InvalidPage:
    """The events that match, oldest first, and the reasons of all. Raises BrokerAway.

    What arrived after `arrived_by` does not match.
    """
    shown: list[InvalidMessage] = []
    counted: Counter[str] = Counter()
    oldest: dict[str, datetime] = {}
    matching = 0

    def look(message: Message) -> bool:
        nonlocal matching
        code = _reason(message).partition(":")[0][:MAX_REASON]
        counted[code] += 1
        if message.since is not None:
            oldest[code] = min(oldest.get(code, message.since), message.since)
        is_later = arrived_by is not None and _arrived_after(message, arrived_by)
        if not is_later and chosen.matches(message):
            if skip <= matching < skip + limit:
                shown.append(InvalidMessage.of(message, shown=True))
            matching += 1
        return False

    browsed = _browse(rabbitmq, look)
    groups = [
        InvalidGroup(code, _MEANINGS.get(code, ""), events, oldest.get(code))
        for code, events in sorted(counted.items(), key=lambda each: (-each[1], each[0]))
    ]
    return InvalidPage(shown, groups, matching, browsed.seen, browsed.ready)


def oldest_invalid(rabbitmq: Endpoint, chosen: InvalidFilter, most: int) -> OldestInvalid:
    """The oldest events that match. Of those behind them no more is read than that they are there.
    Raises BrokerAway.
    """
    found: list[InvalidMessage] = []

    def look(message: Message) -> bool:
        if len(found) < most and chosen.matches(message):
            found.append(InvalidMessage.of(message))
        return False

    browsed = _browse(rabbitmq, look)
    return OldestInvalid(found, browsed.seen, browsed.ready)


def act_on_invalid(
    rabbitmq: Endpoint,
    publisher: Publisher | None,
    chosen: InvalidFilter,
    most: int,
    mark: str,
    done: Done = lambda _: None,
    arrived_by: datetime | None = None,
) -> int:
    """Take out the oldest events that match, `most` of them, fewer where they are large. Returns
    their number, 0 only where none is left.

    What arrived after `arrived_by` stays: a decision is about what lay there when it was made. An
    event that does not say since when it lies there has arrived before.

    With a publisher they are published again first, as they came, and stay where the broker does
    not confirm that. One that is still unusable comes back with a new reason, and with `mark`: it
    is passed over, so that a repetition comes to an end. `done` hears of each.
    Raises BrokerAway, NotRouted.
    """
    found, size = 0, 0

    def take(message: Message) -> bool:
        nonlocal found, size
        is_back = message.headers.get(names.REPLAY_HEADER) == mark
        is_later = arrived_by is not None and _arrived_after(message, arrived_by)
        is_enough = found >= most or size >= TAKEN_BYTES
        if is_enough or is_back or is_later or not chosen.matches(message):
            return False
        found += 1
        size += len(message.body)
        return True

    def act(messages: Sequence[Message]) -> None:
        if publisher is not None:
            _publish_again(publisher, messages, mark)
        for message in messages:
            done(InvalidMessage.of(message))

    return _browse(rabbitmq, take, act).taken


def later_invalid(rabbitmq: Endpoint, reason: str, moment: datetime) -> int:
    """How many messages whose reason begins with `reason` have arrived after the moment. Raises
    BrokerAway."""
    chosen, found = InvalidFilter(reason), 0

    def look(message: Message) -> bool:
        nonlocal found
        found += _arrived_after(message, moment) and chosen.matches(message)
        return False

    _browse(rabbitmq, look)
    return found


def reasons_of(rabbitmq: Endpoint, bodies: Collection[bytes]) -> dict[bytes, str]:
    """The reasons of the invalid events with these bodies; those that the queue has not are left
    out. Raises BrokerAway.
    """
    wanted, found = set(bodies), dict[bytes, str]()

    def look(message: Message) -> bool:
        if message.body in wanted:
            found.setdefault(message.body, _reason(message))
        return False

    _browse(rabbitmq, look)
    return found


def replay_invalid(
    rabbitmq: Endpoint, publisher: Publisher, reason: str, done: Done, arrived_by: datetime
) -> int:
    """Publish the messages again as they came, and remove each once the broker has confirmed it.

    An event that is still unusable comes back with a new reason. What arrived after `arrived_by`
    stays. `done` hears of each. Returns their number. Raises BrokerAway, NotRouted.
    """
    return _act_on_all(rabbitmq, publisher, reason, done, arrived_by)


def discard_invalid(rabbitmq: Endpoint, reason: str, done: Done, arrived_by: datetime) -> int:
    """Remove the messages for good; what arrived after `arrived_by` stays. Returns their number.
    Raises BrokerAway."""
    return _act_on_all(rabbitmq, None, reason, done, arrived_by)


def event_id(message: Message) -> str:
    """By what an event is chosen, made of all that tells it from others."""
    parts = (message.message_id or "", _reason(message))
    told = b"\0".join([*(each.encode(errors="replace") for each in parts), message.body])
    return hashlib.sha256(told).hexdigest()[:32]


def _act_on_all(
    rabbitmq: Endpoint,
    publisher: Publisher | None,
    reason: str,
    done: Done,
    arrived_by: datetime,
) -> int:
    chosen, mark, total = InvalidFilter(reason), uuid.uuid4().hex, 0
    while count := act_on_invalid(rabbitmq, publisher, chosen, AT_ONCE, mark, done, arrived_by):
        total += count
    return total


def _browse(
    rabbitmq: Endpoint,
    take: Callable[[Message], bool],
    before_removal: Callable[[Sequence[Message]], object] | None = None,
) -> Browsed:
    return browse(
        rabbitmq,
        names.INVALID,
        take,
        most=PART,
        lock=names.INVALID_READER,
        before_removal=before_removal,
    )


def _publish_again(publisher: Publisher, messages: Sequence[Message], mark: str) -> None:
    posts = [
        Outgoing(
            names.RECORDINGS,
            names.READY_KEY,
            message.body,
            {**headers_of(TraceContext.received(message.headers)), names.REPLAY_HEADER: mark},
            message.message_id,
            message.content_type or "application/json",
        )
        for message in messages
    ]
    if refused := publisher.publish_all(posts):
        raise NotRouted(f"{names.RECORDINGS}: {len(refused)} events reached no queue")


def _reason(message: Message) -> str:
    return str(message.headers.get(names.REASON_HEADER, ""))


def _content(body: bytes) -> dict[str, Any]:
    """The event's object as far as there is one, out of its CloudEvents envelope too."""
    if len(body) > MOST_PARSED:
        return {}
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(content, dict) and isinstance(content.get("data"), dict):
        content = content["data"]
    return content if isinstance(content, dict) else {}


def _arrived_after(message: Message, moment: datetime) -> bool:
    return message.since is not None and message.since > moment


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
