"""The files that clients have had opened on a customer's server."""

import inspect
from collections.abc import Callable
from typing import Any


class OpenFiles:
    """Closes what is still open when the server stops.

    Neither library does it in each case: asyncssh drops a session that is at work when its
    loop ends, pyftpdlib forgets a file whose data connection never came.
    """

    def __init__(self) -> None:
        self._files: list[Any] = []

    def keeping(self, opening: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, or coroutine function; the files that it opens are kept."""
        if not inspect.iscoroutinefunction(opening):
            return lambda *names: self._kept(opening(*names))

        async def open_later(*names: Any) -> Any:
            return self._kept(await opening(*names))

        return open_later

    def close(self) -> None:
        """Close what is open."""
        for file in self._files:
            file.close()
        self._files = []

    def _kept(self, file: Any) -> Any:
        self._files = [each for each in self._files if not each.closed]
        self._files.append(file)
        return file
