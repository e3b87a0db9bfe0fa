"""How far a try has come, and the faults of the program, which are told by it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from transports.diagnosis import ours
from transports.errors import AccountFailure, FileFailure, Kind, SourceFailure, TransferError


class Phase(StrEnum):
    """How far a try of a file has come; a fault of the program is told by it."""

    OPENING = "opening"
    READING = "reading"
    CONNECTING = "connecting"
    LOGIN = "logging in"
    FOLDER = "making the folder"
    LOOKING = "looking for earlier tries"
    WRITING = "writing"
    VERIFYING = "verifying"
    RENAMING = "renaming"
    RECORDING = "recording the outcome"


@dataclass
class Progress:
    """How far a try has come at this moment."""

    phase: Phase = Phase.OPENING
    part_left: bool = False
    """Whether its temporary file may still stand at the customer, now that it has failed."""
    sent: int = 0
    """Bytes that have gone to the server, once it has ended."""


class ProgramFault(TransferError):
    """An error that nobody foresaw ended the try; it is this one's `__cause__`.

    `reported` is set once its traceback is in the log. What is raised has the kind of its phase.
    """

    kind = Kind.OURS
    entry = ours.PROGRAM_FAULT

    def __init__(self, phase: Phase) -> None:
        super().__init__(f"A fault of the program at {phase}: this was reported")
        self.phase = phase
        self.reported = False


class AccountFault(ProgramFault, AccountFailure):
    kind = Kind.ACCOUNT


class FileFault(ProgramFault, FileFailure):
    kind = Kind.FILE


class SourceFault(ProgramFault, SourceFailure):
    kind = Kind.SOURCE


def fault_at(phase: Phase) -> ProgramFault:
    """The failure for an unforeseen error. The phase in which it came decides the kind."""
    match phase:
        case Phase.OPENING | Phase.READING:
            return SourceFault(phase)
        case Phase.CONNECTING | Phase.LOGIN | Phase.FOLDER:
            return AccountFault(phase)
        case Phase.LOOKING | Phase.WRITING | Phase.VERIFYING | Phase.RENAMING | Phase.RECORDING:
            return FileFault(phase)
        case _:
            assert_never(phase)
