"""A server of our own interface, in memory: it fails by what a test tells it to raise."""

import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from config.accounts import FtpSettings, HashAlgorithm, Look
from transports.base import Move, Put, PutResult, Server, ServerFeatures, TargetExists
from transports.batches import is_lost, rename_each
from transports.digests import digest_of
from transports.errors import NameRefused


class OpenGate:
    """Every login passes at once: for tests that are about no neighbours."""

    def log_in(
        self,
        _settings: FtpSettings,
        _account_id: str,
        connect: Callable[[], Server],
        _asks_since: datetime | None = None,
    ) -> Server:
        return connect()

    def again(self, _settings: FtpSettings, _account_id: str) -> AbstractContextManager[None]:
        return nullcontext()

    def log_in_beside(self, _settings: FtpSettings, connect: Callable[[], Server]) -> Server:
        return connect()

    def closed_for(
        self, _settings: FtpSettings, _account_id: str, _asks_since: datetime | None = None
    ) -> None: ...

    def delivers(self, _settings: FtpSettings, _account_id: str) -> None: ...


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

    def reconnect(self) -> bool:
        self._place.fails("connect", "")
        self.connected = True
        return True

    def is_untouched(self, path: str) -> bool:
        del path
        return False

    def put(
        self,
        blocks: Iterable[bytes],
        path: str,
        look_at: str | None = None,
        *,
        new: bool = False,
    ) -> PutResult:
        put = Put(path, lambda: nullcontext(blocks), new=new)
        return self._put(put, blocks)

    def _put(self, put: Put, blocks: Iterable[bytes]) -> PutResult:
        """Ask `fails` for each further block as the step `write`."""
        self._place.fails("put", put.path)
        files = self._place.files
        if put.new and put.path in files:
            raise TargetExists
        files[put.path] = files.get(put.path, b"")[: put.start]
        put.reached = put.start
        for block in blocks:
            files[put.path] += block
            put.reached += len(block)
            self._place.fails("write", put.path)
        return PutResult()

    def put_all(self, puts: Sequence[Put]) -> None:
        for put in puts:
            put.begun = True
            try:
                with put.open() as blocks:
                    put.outcome = self._put(put, blocks)
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

    def exists(self, path: str, by: Look | None = None) -> bool:
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

    def digest(
        self, path: str, algorithm: HashAlgorithm, size: int, *, of_prefix: bool = False
    ) -> str:
        self._place.fails("digest", path)
        content = self._place.files[path]
        return digest_of(content[:size] if of_prefix else content, algorithm)

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

    def delivers_in_packs(self, parts: Sequence[str], names: Sequence[str]) -> bool:
        return True

    def another(self) -> Server:
        return self._place.connect()

    def cut(self) -> None:
        self.connected = False

    def close(self) -> None:
        self.connected = False
        self._place.fails("close", "")
