"""What earlier starts of a recording have left: a file in its place, one to rename, or waste."""

import contextlib
from collections.abc import Callable, Iterable

from config.accounts import HashAlgorithm
from transports.base import CannotTell, Server, Unsupported
from transports.errors import NotPermitted, TransferError
from transports.free_names import find_look
from transports.job import UNKNOWN_SIZE, Intent, Job, Journal, Uploaded, Verified
from transports.placing import Part, move_over


def finished_before(server: Server, job: Job) -> Uploaded | None:
    """What an earlier start had finished: its temporary file is gone, the final one is whole.

    Both are looked at by the same means. One that does not find the final file tells nothing.
    """
    intent = job.intent
    if intent is None:
        return None
    try:
        verified = _stands_by_size(server, intent)
    except Unsupported:
        verified = _stands(server, intent)
    if verified is None:
        return None
    if job.hash is HashAlgorithm.SHA256 and intent.sha256:
        with contextlib.suppress(Unsupported):
            if server.digest(intent.final, job.hash, intent.size) != intent.sha256:
                return None
            verified = Verified.by(job.hash)
    return Uploaded(intent.final, intent.size, intent.sha256, verified, sent=False)


def finish(server: Server, job: Job, journal: Journal) -> Uploaded | None:
    """Do the rename that an earlier start had come to.

    Where it overwrites, the file that was there may be gone by now: the customer has neither.
    """
    intent = job.intent
    if intent is None or not job.overwrite or intent.final not in journal.candidates():
        return None
    verified = _whole(server, intent)
    if verified is None or not journal.intend(intent):
        return None
    try:
        move_over(server, Part(intent.part), intent.final, journal)
    except Unsupported:
        return None
    except TransferError as error:
        error.part_left = True
        raise
    return Uploaded(intent.final, intent.size, intent.sha256, verified, sent=False)


def remove_leftovers(server: Server, job: Job, journal: Journal) -> tuple[str, ...]:
    """Remove the temporary files of earlier starts; the paths of those that must stay.

    As long as the connection stands, none that cannot be removed is a reason to send nothing.
    """
    paths = dict.fromkeys(job.leftovers)
    if job.intent is not None:
        if _may_be_ours(server, job.intent):
            paths[job.intent.part] = None
        if not journal.withdraw():
            raise NotPermitted("Another session has taken the file over")
    return tuple(path for path in paths if not removed(server, path))


def clear(
    server: Server,
    intent: Intent,
    paths: Iterable[str],
    withdraw: Callable[[], bool],
    *,
    overwrites: bool,
) -> bool:
    """Remove the temporary files of a recording that is not tried again and whose last rename had
    no answer. False where something stays, or may stay.

    Where its temporary file is gone the rename was done, and the intent stays to tell that. Where
    files are overwritten and nothing stands in the place, it may be the customer's only copy.
    """
    stay = [path for path in paths if path != intent.part and not removed(server, path)]
    if server.look is None and find_look(server, intent.part) is None:
        return False
    try:
        stands = server.exists(intent.part)
        is_only_copy = stands and overwrites and not server.exists(intent.final)
    except CannotTell:
        return False
    if not stands:
        return not stay
    return not is_only_copy and withdraw() and removed(server, intent.part) and not stay


def removed(server: Server, path: str) -> bool:
    """Whether the file could be removed. Raises where the connection was lost over it."""
    try:
        server.remove(path)
    except TransferError:
        if not server.connected:
            raise
        return False
    return True


def _stands_by_size(server: Server, intent: Intent) -> Verified | None:
    """Whether the file stands in its place, by the sizes. Raises Unsupported."""
    if server.size(intent.final) != intent.size:
        return None
    gone = intent.in_place or server.size(intent.part) is None
    return Verified.SIZE if gone else None


def _stands(server: Server, intent: Intent) -> Verified | None:
    try:
        gone = not intent.in_place and not server.exists(intent.part)
        return Verified.REPLY if gone and server.exists(intent.final) else None
    except CannotTell:
        return None


def _whole(server: Server, intent: Intent) -> Verified | None:
    """Whether the temporary file is there: it was whole when the intent was written down."""
    if intent.in_place:
        return None
    try:
        return Verified.SIZE if server.size(intent.part) == intent.size else None
    except CannotTell:
        return None
    except Unsupported:
        return _exists(server, intent.part)


def _exists(server: Server, path: str) -> Verified | None:
    try:
        return Verified.REPLY if server.exists(path) else None
    except CannotTell:
        return None


def _may_be_ours(server: Server, intent: Intent) -> bool:
    """Under its final name a file that is larger than the recording is somebody else's."""
    if not intent.in_place or intent.size == UNKNOWN_SIZE:
        return True
    try:
        size = server.size(intent.final)
    except Unsupported:
        return True
    return size is None or size <= intent.size
