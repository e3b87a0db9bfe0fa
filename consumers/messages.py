"""The messages of one account's queue that its session holds, and what their rows say of them."""

import threading
import time

from consumers import topology
from consumers.broker import BrokerAway
from consumers.ledger import Status
from consumers.means import Means
from consumers.uploads import Ended, Uploads
from consumers.window import Held, Window

HOLD_LIMIT = 600.0
"""A message is not held longer than this: RabbitMQ closes a channel that is held for 30 minutes
(`consumer_timeout`), with everything on it."""


class Messages:
    """For the session's thread. A window on the queue is opened when it is first asked for."""

    def __init__(
        self, means: Means, account_id: str, uploads: Uploads, stirred: threading.Event
    ) -> None:
        """`stirred` is set when a message arrives."""
        self._means = means
        self._account_id = account_id
        self._uploads = uploads
        self._stirred = stirred
        self._window: Window | None = None

    def take_in(self, most: int) -> bool:
        """Hold what has come, for at most so many uploads at once.

        Whether something has, or the queue is only looked at from now on. Raises BrokerAway,
        NoQueue.
        """
        window = self._window
        if window is not None and not window.alive:
            raise BrokerAway("the channel was closed")
        if window is not None and _held_too_long(window):
            self.give_back()
            window = None
        if window is None:
            self._window = Window(self._means.broker, self._account_id, most, self._stirred)
            self._window.take_in()
            return True
        return window.take_in()

    def next_ready(self, *, lost_starts: bool = True) -> Held | None:
        """The message to try next, by `Window.next_ready`; rows are looked at together, once
        nothing untried is left of those looked at before."""
        if self._window is None:
            return None
        names_in_use = self._uploads.file_names()
        held = self._window.next_ready(names_in_use, lost_starts=lost_starts)
        unseen = self._window.unseen()
        if not unseen or (held is not None and not held.tries):
            return held
        self.look_at(unseen)
        return self._window.next_ready(names_in_use, lost_starts=lost_starts)

    def next_at(self) -> float | None:
        """Local monotonic time at which the next one is ready that could be begun then."""
        window = self._window
        return None if window is None else window.next_at(self._uploads.file_names())

    def may_hide_others(self) -> bool:
        """Whether behind those that wait here there can be more that wait in the queue."""
        window = self._window
        return window is not None and window.is_full() and not all(each.in_work for each in window)

    def are_drained(self) -> bool:
        """Whether nothing is held that waits, and the queue holds no more. Raises BrokerAway."""
        return self._window is None or self._window.is_drained()

    def look_at(self, messages: list[Held]) -> None:
        """Acknowledge what is final or outdated; the rest waits for its next try.

        A message of a file that is being uploaded is settled with that upload.
        """
        for held in messages:
            held.seen, held.in_work = True, held.recording_id in self._uploads
        messages = [held for held in messages if not held.in_work]
        if not messages:
            return
        rows = self._means.ledger.files.glance([held.recording_id for held in messages])
        now = time.monotonic()
        for held in messages:
            row = rows.get(held.recording_id)
            if row is None:
                self._reject(held)
                self._ack(held)
            elif row.turn > held.turn or row.status not in {Status.QUEUED, Status.UPLOADING}:
                self._ack(held)
            else:
                held.tries, held.file_name = row.tries, row.file_name
                held.lost_start = row.lost_start
                held.ready_at = now + max(row.wait, 0 if row.status is Status.QUEUED else 1)

    def settle(self, ended: Ended) -> None:
        """Acknowledge those of a file that was delivered; look at them anew after a failure.

        Those that were given back meanwhile are in the queue: their row tells when they are met.
        """
        messages = [
            held for held in self._window or () if held.recording_id == ended.claim.recording_id
        ]
        if not ended.delivered:
            self.look_at(messages)
            return
        for held in messages:
            self._ack(held)

    def give_back(self) -> None:
        """Return what is held to the queue, in order."""
        if self._window is not None:
            self._window.close()
            self._window = None

    def _ack(self, held: Held) -> None:
        if self._window is not None:
            self._window.ack(held)

    def _reject(self, held: Held) -> None:
        """A message that no event brought here: kept where unusable events are kept."""
        reason = f"unknown-recording: in {topology.account_queue_name(self._account_id)}"
        headers = {topology.REASON_HEADER: reason}
        self._means.publisher.publish("", topology.INVALID.name, held.body, headers)


def _held_too_long(window: Window) -> bool:
    since = window.oldest_since()
    return since is not None and time.monotonic() - since > HOLD_LIMIT
