"""The process's uploads at once (`COURIER_UPLOAD_SLOTS`): each takes one of so many slots."""

import threading


class Slots:
    """An account session holds one for as long as it lasts; more uploads at once take more."""

    def __init__(self, total: int) -> None:
        self._free = total
        self._lock = threading.Lock()

    @property
    def free(self) -> int:
        """How many are not taken at this moment."""
        with self._lock:
            return self._free

    def take(self, *, spare: int = 0) -> bool:
        """Take one; False where no more than `spare` are free."""
        with self._lock:
            if self._free <= spare:
                return False
            self._free -= 1
            return True

    def give_back(self) -> None:
        """One that was taken is free again."""
        with self._lock:
            self._free += 1
