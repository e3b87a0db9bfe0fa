"""The backstop: an unforeseen error ends the try it came in, and is counted and shown."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Self

from pymongo.errors import PyMongoError

from config.errors import ConfigError
from consumers.amqp.connection import BrokerAway, NotRouted
from consumers.database_words import in_words
from consumers.observe import ProgramFailed, Trouble
from consumers.sharding.revocation import Revocation
from transports.errors import TransferError
from transports.phases import Phase, Progress, fault_at
from transports.sources.source import OpenSource

OURS = (PyMongoError, BrokerAway, NotRouted, ConfigError)
"""Errors of our own side that may pass: the database, the broker, a missing key."""
_TO_THE_THREAD = (KeyboardInterrupt, GeneratorExit)


def observed(error: Exception, where: str) -> Trouble | ProgramFailed:
    """The observation of an error in a part of the program that goes on all the same."""
    match error:
        case PyMongoError():
            return Trouble("mongodb", f"{where}: {in_words(error)}")
        case BrokerAway() | NotRouted():
            return Trouble("rabbitmq", f"{where}: {error}")
        case _:
            return ProgramFailed(where, error)


@contextmanager
def foreseen(progress: Progress) -> Iterator[None]:
    """Turn every other error in the block into the phase's failure, a ProgramFault.

    BaseException too: a library in Rust raises its panics so, and one in Python may call sys.exit.
    """
    try:
        yield
    except (TransferError, *OURS, *_TO_THE_THREAD):
        raise
    except BaseException as error:
        raise fault_at(progress.phase) from error


class GuardedSource:
    """A recording whose unforeseen errors become SourceFault, wherever it is opened and read.

    Its reading ends once its account is revoked.
    """

    def __init__(self, opened: AbstractContextManager[OpenSource], revocation: Revocation) -> None:
        """`opened` opens the recording when it is entered."""
        self._opened = opened
        self._revocation = revocation

    def __enter__(self) -> Self:
        with foreseen(Progress(Phase.OPENING)), ExitStack() as stack:
            self._source = stack.enter_context(self._opened)
            stack.enter_context(self._revocation.reading(self._source))
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def size(self) -> int | None:
        """Bytes, None where it is not known before the end."""
        with foreseen(Progress(Phase.READING)):
            return self._source.size

    def __iter__(self) -> Iterator[bytes]:
        """The content. Raises what the source raises, and SourceFault."""
        with foreseen(Progress(Phase.READING)):
            blocks = iter(self._source)
        while True:
            with foreseen(Progress(Phase.READING)):
                self._revocation.check()
                block = next(blocks, None)
            if block is None:
                return
            yield block
