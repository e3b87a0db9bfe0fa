"""The backstop: an error that nobody foresaw is an end of what it came in, counted and shown."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pymongo.errors import PyMongoError

from config.errors import ConfigError
from consumers.broker import BrokerAway, NotRouted
from transports.errors import Phase, Progress, TransferError, fault_at
from transports.sources import OpenSource

OURS = (PyMongoError, BrokerAway, NotRouted, ConfigError)
"""What is ours to mend and passes by itself: the database, the broker, a key that is missing."""
_TO_THE_THREAD = (KeyboardInterrupt, GeneratorExit)


@contextmanager
def foreseen(progress: Progress) -> Iterator[None]:
    """Whatever else is raised becomes the failure of the phase: a ProgramFault.

    BaseException too: a library written in Rust raises its panics as such, and one in Python may
    call sys.exit.
    """
    try:
        yield
    except (TransferError, *OURS, *_TO_THE_THREAD):
        raise
    except BaseException as error:
        raise fault_at(progress.phase) from error


class GuardedSource:
    """A recording whose unforeseen errors are the source's, wherever it is read.

    `check` is called before each block: it ends the reading by what it raises.
    """

    def __init__(self, source: OpenSource, check: Callable[[], None]) -> None:
        self._source = source
        self._check = check

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
                self._check()
                block = next(blocks, None)
            if block is None:
                return
            yield block

    def cut(self) -> None:
        """End a wait for more of it, from any thread."""
        self._source.cut()
