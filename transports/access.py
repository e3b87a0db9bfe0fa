"""What every backend is given to open a session, and the edge that its errors do not pass."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from pydantic import SecretStr

from config.accounts import FtpSettings
from config.ssh_keys import KeyPair
from transports.base import ActiveFtp, Limits, TargetExists, Unsupported
from transports.errors import ConnectionLost, TransferError
from transports.network.dialing import Connection
from transports.tap import Tap

Again = Callable[[], AbstractContextManager[None]]


class Access(NamedTuple):
    """How a server is reached, and with what one logs in."""

    settings: FtpSettings
    password: SecretStr
    dial: Callable[[], Connection]
    """Opens a TCP connection to an address that was checked, each time to the same."""
    limits: Limits
    key: KeyPair | None = None
    client_key: SecretStr | None = None
    """Of the client certificate (FTPS)."""
    active: ActiveFtp | None = None
    """Where the server may connect to in FTP's active mode, where the host allows that."""
    is_settings_test: bool = False
    """Whether it is found out what the server bears; else recordings are brought."""
    again: Again = nullcontext
    """Within it the session logs in once more, in place of a connection that was lost."""
    tap: Tap = Tap()
    """Tells what is said, to whom listens."""


def session_over() -> ConnectionLost:
    """What is raised where a session is used after its end."""
    return ConnectionLost("The session is over")


@contextmanager
def translated(meaning: Callable[[Exception], TransferError]) -> Iterator[None]:
    """No error of a library or of the operating system leaves the block: `meaning` tells which
    failure it is."""
    try:
        yield
    except (TransferError, TargetExists, Unsupported):
        raise
    except Exception as error:
        raise meaning(error) from error
