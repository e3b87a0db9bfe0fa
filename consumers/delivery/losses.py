"""What uploads over one login have lost together is one failure of the account."""

import threading
from weakref import WeakSet

from transports.errors import TransferError


class Losses:
    """Of one account session."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted: WeakSet[object] = WeakSet()
        self.count = 0
        """How often something that uploads share was lost: a connection, or the login after it."""

    def is_counted(self, failure: TransferError, before: int) -> bool:
        """Whether another upload has reported the cause of this failure already.

        Then both count as one failure. `before`: how many losses there were when this upload got
        its session, or began to wait for one. When a connection is cut under several uploads, one
        may meet the cut and another one the login that is refused right after it: that is one
        failure.
        """
        with self._lock:
            if failure.common is None:
                return False
            is_counted = failure.common in self._counted or before < self.count
            self._counted.add(failure.common)
            self.count += not is_counted
            return is_counted
