"""A server of our own interface, in memory: it fails by what a test tells it to raise."""

import hashlib
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from config.accounts import HashAlgorithm, Look
from transports.base import Move, Put, PutResult, Server, ServerFeatures, TargetExists
from transports.batches import is_lost, rename_each
from transports.errors import NameRefused


@dataclass
class Place:
    """What stands at one customer. `fails` is asked at each step, with the path it is about."""

    fails: Callable[[str, str], None] = lambda _step, _path: None
    files: dict[str, bytes] = field(default_factory=dict)
    logins: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def connect(self) -> Server:
        """One more session."""
        with self.lock:
            self.logins += 1
        self.fails("connect", "")
        return FakeServer(self)


class FakeServer:
    """One session at a place."""

    look: Look | None = None
    looks = (Look.LSTAT,)
    host_key = None
    round_trip = 0.001
    features = ServerFeatures()

    def __init__(self, place: Place) -> None:
        self._place = place
        self.connected = True

    def answers(self) -> bool:
        return self.connected

    def put(
        self,
        blocks: Iterable[bytes],
        path: str,
        look_at: str | None = None,  # noqa: ARG002 - the interface
        *,
        new: bool = False,
    ) -> PutResult:
        self._place.fails("put", path)
        if new and path in self._place.files:
            raise TargetExists
        self._place.files[path] = b"".join(blocks)
        return PutResult()

    def put_all(self, puts: Sequence[Put]) -> None:
        for put in puts:
            put.begun = True
            try:
                with put.open() as blocks:
                    put.outcome = self.put(blocks, put.path, put.look_at, new=put.new)
            except BaseException as error:
                if is_lost(self, error):
                    raise
                put.outcome = error

    def rename_all(self, moves: Sequence[Move]) -> None:
        rename_each(self, moves)

    def size(self, path: str) -> int | None:
        self._place.fails("size", path)
        content = self._place.files.get(path)
        return None if content is None else len(content)

    def exists(self, path: str, by: Look | None = None) -> bool:  # noqa: ARG002 - the interface
        self._place.fails("exists", path)
        return path in self._place.files

    def rename(self, path: str, to: str) -> None:
        self._place.fails("rename", to)
        if to in self._place.files:
            raise TargetExists
        self._place.files[to] = self._place.files.pop(path)

    def replace(self, path: str, to: str) -> None:
        self._place.fails("replace", to)
        self._place.files[to] = self._place.files.pop(path)

    def digest(self, path: str, algorithm: HashAlgorithm, size: int) -> str:  # noqa: ARG002 - the interface
        self._place.fails("digest", path)
        return hashlib.new(algorithm, self._place.files[path], usedforsecurity=False).hexdigest()

    def read(self, path: str, most: int) -> bytes:
        self._place.fails("read", path)
        if path not in self._place.files:
            raise NameRefused("No such file")
        return self._place.files[path][:most]

    def remove(self, path: str) -> None:
        self._place.fails("remove", path)
        self._place.files.pop(path, None)

    def make_directory(self, path: str) -> None:
        self._place.fails("mkdir", path)

    def remove_directory(self, path: str) -> None: ...

    def delivers_in_packs(self, parts: Sequence[str], names: Sequence[str]) -> bool:  # noqa: ARG002 - the interface
        return True

    def another(self) -> Server:
        return self._place.connect()

    def cut(self) -> None:
        self.connected = False

    def close(self) -> None:
        self.connected = False
        self._place.fails("close", "")
