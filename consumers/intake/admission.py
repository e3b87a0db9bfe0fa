"""Judges events: decodes them, and looks their accounts and numbers up."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from config.accounts import Account, DeliveryMethod
from config.directory import Directory, Number
from config.errors import AccountError
from consumers.intake.events import RecordingReady, decode
from consumers.intake.reasons import InvalidEvent, Reason
from consumers.ledger import Arrival, CanaryRuns, recording_id
from consumers.trace import TraceContext
from transports.sources.generated import parts_of

Accounts = Mapping[str, Account | AccountError]
Numbers = Mapping[str, Number]


@dataclass(frozen=True)
class Message:
    """The parts of an event's message that are judged, and its trace."""

    body: bytes
    content_type: str | None = None
    trace: TraceContext = field(default_factory=TraceContext.begun)


class Admission:
    """Judges events by the settings as they stand. Raises pymongo's errors."""

    def __init__(self, directory: Directory, canary: CanaryRuns) -> None:
        self._directory = directory
        self._canary = canary

    def judge(self, messages: Sequence[Message]) -> list[Arrival | InvalidEvent]:
        """The judgement of each message."""
        events = [self._decoded(message) for message in messages]
        usable = [event for event in events if isinstance(event, RecordingReady)]
        accounts = self._directory.find_all({event.account_id for event in usable})
        numbers = self._directory.find_numbers(
            {each for event in usable for each in self._spellings(event)}
        )
        return [
            event
            if isinstance(event, InvalidEvent)
            else _admitted(event, message.trace, accounts, self._number(event, numbers))
            for message, event in zip(messages, events, strict=True)
        ]

    def _decoded(self, message: Message) -> RecordingReady | InvalidEvent:
        try:
            event = decode(message.body, message.content_type)
            self._check_canary(event)
        except InvalidEvent as error:
            error.trace = message.trace
            return error
        return event

    def _check_canary(self, event: RecordingReady) -> None:
        """Raises InvalidEvent for a recording of the canary that belongs to no run of it."""
        parts = parts_of(event.file_url)
        if parts is None:
            return
        named = (event.account_id, event.recording_id)
        if named != (parts[0], recording_id(*parts)) or not self._canary.has_begun(*parts):
            raise InvalidEvent(
                Reason.UNSUPPORTED_SOURCE, "canary:// is for Courier's own canary alone"
            )

    def _spellings(self, event: RecordingReady) -> tuple[str, ...]:
        """How the event's number may be stored; an odd number is just not known."""
        return () if event.number is None else self._directory.spellings(event.number)

    def _number(self, event: RecordingReady, numbers: Numbers) -> Number | None:
        """What is known of the event's number."""
        return next((numbers[each] for each in self._spellings(event) if each in numbers), None)


def _admitted(
    event: RecordingReady, trace: TraceContext, accounts: Accounts, number: Number | None
) -> Arrival | InvalidEvent:
    try:
        method = _method(event, accounts, number)
    except InvalidEvent as error:
        error.trace = trace
        return error
    body = event.model_dump_json(exclude_unset=True).encode()
    return Arrival(event, body, skipped=method is DeliveryMethod.EMAIL, trace=trace)


def _method(event: RecordingReady, accounts: Accounts, number: Number | None) -> DeliveryMethod:
    """The number's delivery method. Raises InvalidEvent where account or number do not fit."""
    account = accounts.get(event.account_id)
    if isinstance(account, AccountError):
        raise InvalidEvent(Reason.UNUSABLE_ACCOUNT, str(account))
    if account is None:
        raise InvalidEvent(Reason.UNKNOWN_ACCOUNT, f"there is no account {event.account_id!r}")
    if number is None:
        return account.default_method
    if number.account_id != event.account_id:
        raise InvalidEvent(
            Reason.NUMBER_OF_ANOTHER_ACCOUNT, f"number {event.number!r} belongs to another account"
        )
    return number.method
