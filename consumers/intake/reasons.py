"""Why an event cannot be used: the codes of `x-courier-reason`, what each means, and the error."""

from enum import StrEnum
from typing import Self

from consumers.trace import TraceContext

MAX_EVENT_BYTES = 64 * 1024


class Reason(StrEnum):
    """How the reason of an invalid event begins; `meaning` is what the pipeline is told of it."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    MALFORMED = (
        "malformed",
        "It is not JSON in UTF-8, or a known field is missing or wrong, or file_name is no name.",
    )
    TOO_LARGE = "too-large", f"It has more than {MAX_EVENT_BYTES} bytes."
    UNSUPPORTED_SOURCE = (
        "unsupported-source",
        "Its file_url is of a kind that is not supported.",
    )
    UNKNOWN_ACCOUNT = "unknown-account", "There is no account of this id."
    UNUSABLE_ACCOUNT = "unusable-account", "What is stored of the account cannot be read."
    NUMBER_OF_ANOTHER_ACCOUNT = (
        "number-of-another-account",
        "Its number belongs to another account.",
    )
    CONFLICT = (
        "conflict",
        "The recording_id was used before, with another account_id or file_url.",
    )
    UNKNOWN_RECORDING = (
        "unknown-recording",
        "A message lay in an account's queue that no event has brought there.",
    )
    PROGRAM_FAULT = (
        "program-fault",
        "Courier failed of it, and its log says how: publish it again once that is mended.",
    )

    def told(self, detail: str = "") -> str:
        """The value of the header: the code, and a sentence after a colon where there is one."""
        return f"{self}: {detail}" if detail else str(self)


class InvalidEvent(Exception):
    """The event cannot be used. `reason` goes into the header `x-courier-reason`."""

    def __init__(self, code: Reason, detail: str = "", trace: TraceContext | None = None) -> None:
        self.reason = code.told(detail)
        self.trace = trace
        super().__init__(self.reason)
