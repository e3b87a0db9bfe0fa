"""An SFTP server that lets one file be open."""

import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import asyncssh

from deploy.local.customers import AsyncSshServer


class OneFileServer(AsyncSshServer):
    """For each `channel` or for each `connection`; the second one is refused by this error.

    `root`: a folder that it makes.
    """

    def __init__(
        self, root: Path, refusal: Callable[[str], asyncssh.SFTPError], *, per: str
    ) -> None:
        root.mkdir()
        super().__init__(root, sftp=_one_file(refusal, per))


def _one_file(refusal: Callable[[str], asyncssh.SFTPError], per: str) -> type[asyncssh.SFTPServer]:
    class OneFile(asyncssh.SFTPServer):
        counted: ClassVar = weakref.WeakKeyDictionary[object, Counter[str]]()

        @property
        def _open(self) -> Counter[str]:
            mine = self.channel if per == "channel" else self.channel.get_connection()
            return self.counted.setdefault(mine, Counter())

        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            if self._open["files"]:
                raise refusal("No")
            opened = super().open(path, pflags, attrs)
            self._open["files"] += 1
            return opened

        def close(self, file_obj: object) -> Any:
            self._open["files"] -= 1
            return super().close(file_obj)

    return OneFile
