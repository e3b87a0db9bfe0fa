"""Goes on with a large file whose connection was cut: in the same try, in the same temporary file.

What is at the server by then is trusted as far as the server has confirmed it: by the answers to
the writes (SFTP), and by the size that it tells over the new connection. Where it tells digests,
that of this beginning has to be right (SFTP), or that of the whole at the end. The recording is
read again from its beginning, and compared with what was sent of it.

The temporary file is that of this very start, so nobody but this upload writes to it. What the
server still does for the connection that was cut writes the same bytes to the same place. A later
start never takes it over: it has a name of its own.
"""

import contextlib
import time
from functools import partial

from config.accounts import HashAlgorithm
from transports.base import Put, PutResult, Server, Unsupported
from transports.content import Mark
from transports.errors import (
    AccountFailure,
    ConnectFailed,
    ConnectionLost,
    LoginRefused,
    PathRefused,
    Stalled,
    TransferError,
)
from transports.job import Transfer
from transports.sending import Sending

LEAST = 4 * 1024 * 1024
"""Bytes that each connection has to bring: what is smaller is sent anew by a further try, and a
server that cuts every file at the same place is tried no more often than before."""

MOST_LEGS = 32
"""Connections over which one try goes on with a file: for each the recording is read again from its
beginning, and the server sees one more login. With a cut each 200 MB it is enough for 6 GB."""

PAUSES = (0.0, 2.0, 5.0)
"""Seconds before each attempt to connect again: a line that was cut may need a moment."""


def is_cut(put: Put) -> bool:
    """Whether so much of it has arrived that it pays to go on."""
    return put.begun and put.reached - put.start >= LEAST


def is_loss(outcome: PutResult | BaseException | None) -> bool:
    """Whether it is a connection that was cut or fell silent."""
    return isinstance(outcome, ConnectionLost | Stalled)


def go_on(server: Server, put: Put, sending: Sending, transfer: Transfer) -> bool:
    """Send what is missing, over `MOST_LEGS` connections at most: each brings at least `LEAST`.

    Where that is possible, `put.outcome` is what the server told at the end. If not, it is as it
    was, or what ended the file meanwhile.
    """
    leg = put
    for _ in range(MOST_LEGS):
        try:
            mark = _arrived(server, leg, sending, transfer) if is_cut(leg) else None
        except LoginRefused as refusal:
            put.outcome = refusal
            break
        if mark is None:
            break
        leg = Put(
            put.path,
            partial(sending.opened, mark),
            put.look_at,
            hash=put.hash,
            start=mark.size,
            reached=mark.size,
        )
        _send(server, leg)
        if not _is_refusal(leg.outcome):
            put.outcome = leg.outcome
        if not is_loss(leg.outcome):
            break
    return isinstance(put.outcome, PutResult)


def _arrived(server: Server, put: Put, sending: Sending, transfer: Transfer) -> Mark | None:
    """What of the file is at the server for sure; None where that is too little.

    Raises LoginRefused: that is to be told, and not asked for again by the next try.
    """
    job = transfer.job
    try:
        transfer.journal.permit()
        if not (job.resumes and _is_connected_again(server)):
            return None
        size = server.size(put.path)
        mark = sending.content.mark_before(min(size or 0, put.reached))
        if mark is None or mark.size - put.start < LEAST:
            return None
        return mark if _is_right(server, put.path, mark, job.hash) else None
    except LoginRefused:
        raise
    except (TransferError, Unsupported):
        return None


def _is_connected_again(server: Server) -> bool:
    """Raises TransferError where the server does not let us in."""
    for pause in PAUSES:
        time.sleep(pause)
        with contextlib.suppress(ConnectFailed, ConnectionLost, Stalled):
            return server.reconnect()
    return False


def _is_right(server: Server, path: str, mark: Mark, algorithm: HashAlgorithm | None) -> bool:
    """False where the server's digest of the beginning is another one."""
    if algorithm is None:
        return True
    with contextlib.suppress(Unsupported):
        told = server.digest(path, algorithm, mark.size, of_prefix=True)
        return told == mark.digests[algorithm]
    return True


def _send(server: Server, leg: Put) -> None:
    try:
        server.put_all([leg])
    except BaseException as error:  # noqa: BLE001 - it is the outcome
        leg.outcome = leg.outcome or error


def _is_refusal(outcome: PutResult | BaseException | None) -> bool:
    """Whether the server does not go on with files: then the lost connection stays the cause."""
    return isinstance(outcome, Unsupported) or type(outcome) in {AccountFailure, PathRefused}
