"""What a backend can do at a customer's server, and the limits all of them keep to."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Protocol

from config.accounts import Algorithms, FtpSettings, HashAlgorithm, Look
from config.accounts import Protocol as FileProtocol
from config.outgoing import Proxy
from transports.errors import AccountFailure, ConnectionLost, Stalled

BLOCK = 255 * 1024
"""Bytes a source hands out at once: the largest write request that OpenSSH takes."""

USUAL_REQUEST = 28_000
"""Bytes of a write request that every SFTP server takes, and that fits into one packet of its
channel (RFC 4253, 6.1: 32,768 with all that stands around them).

Of longer ones ProFTPD's mod_sftp loses track where pieces of two channels mingle. Whether they do
is a matter of moments, so no trial can show that a server takes them.
"""

MOST_AT_ONCE = {
    FileProtocol.FTP: 4,
    FileProtocol.SFTP: 8,
    FileProtocol.FTPS: 4,
    FileProtocol.FTPS_IMPLICIT: 4,
}
"""Uploads that the program runs at once: connections, and channels on one connection."""

SAMPLE = b"This file was written to test the FTP settings, and may be deleted.\r\n"
"""What a file of a test says to whoever finds it."""

OnStep = Callable[[str, str], None]
"""Hears of a step on the way to a session: its name, and a detail such as the address."""


def unheard(_name: str, _detail: str) -> None:
    """Of a connection beside the first one, no step is told."""


@dataclass(frozen=True)
class Limits:
    """Time limits by phase, in seconds. The only place for them."""

    resolve: float = 10
    connect: float = 15
    login: float = 30
    reply: float = 30
    """From a request to its answer."""
    stall: float = 60
    """Without one byte moving, in whatever the library waits for."""
    keep_alive: float = 30
    """After so long a silence something goes over a connection, so that no firewall forgets it."""

    def source(self, size: int) -> float:
        """Of waiting, until so many bytes have come from a store of recordings, at 50 kB/s."""
        return 10 * self.stall + size / 50_000

    def digest(self, size: int) -> float:
        """Until a server has read a file of so many bytes, at 10 MB/s, and told its digest."""
        return self.stall + size / 10_000_000

    def finish(self, size: int, seconds_seen: float | None = None) -> float:
        """From a file's last byte to the server's confirmation: some scan or hash it first.

        Three times what the server took in the test on save (`Capabilities.finish_seconds`), at
        least three times the stall limit, and what it takes to read so many bytes at 1 MB/s.
        """
        return 3 * max(self.stall, seconds_seen or 0) + size / 1_000_000


@dataclass(frozen=True)
class ActiveFtp:
    """Where customers' servers may connect to, for transfers in FTP's active mode."""

    addresses: tuple[IPv4Address | IPv6Address, ...]
    """Those at which they reach this host, one of a family at most; it may have others itself."""
    ports: range
    """Of this host. One is taken for each file on its way."""


@dataclass(frozen=True)
class Egress:
    """Where connections may go, checked on the resolved address, and how they leave."""

    deny: tuple[IPv4Network | IPv6Network, ...] = ()
    allow: tuple[IPv4Network | IPv6Network, ...] = ()
    """Where this is empty, they may go wherever they are not denied."""
    sources: tuple[IPv4Address | IPv6Address, ...] = ()
    """Addresses of this machine, one of a family, from which customers' servers are connected to;
    where this is empty, the system chooses."""
    proxy: Proxy | None = None
    """Through which customers' servers are connected to, each by its checked address."""
    active: ActiveFtp | None = None
    """None: no server may connect to us."""


@dataclass(frozen=True)
class ServerFeatures:
    """What a server has said of itself by the end of the logon; whether it is true is tested."""

    hashes: tuple[HashAlgorithm, ...] = ()
    """Of which it would tell a file's digest, the strongest first."""
    request_size: int | None = None
    """Bytes of the largest write request that it takes; None where it does not say."""
    algorithms: Algorithms | None = None
    tls: str | None = None
    """The version and the cipher of TLS."""
    avoids: tuple[str, ...] = ()
    """Commands that it has been found not to bear (FTP)."""
    enters: bool = False
    """Whether it was found to take bare names only, in a folder that was entered (FTP)."""
    guards_names: bool = False
    """Whether its protocol can ask for a new file and for a rename that write over nothing. Without
    that `put` takes no notice of `new`, and `rename` looks first."""
    request_sizes: tuple[int, ...] = ()
    """Bytes of write requests, the largest first: which of them the server takes has to be tried
    where it does not say. Nothing where the protocol has no requests to write."""
    open_files: int | None = None
    """Files that it lets be open at once over one session, as was seen so far; None: no limit was
    met."""
    packs: tuple[Mapping[str, bool], ...] = ()
    """Ways to send several commands at once, as fields of Capabilities, the quickest first: which
    of them the server bears has to be tried (`Server.delivers_in_packs`)."""


@dataclass(frozen=True)
class PutResult:
    """What a server told in one flight with the end of a transfer; None where it told nothing."""

    size: int | None = None
    """Bytes of the file that was written."""
    name: str | None = None
    """The name that was looked at."""
    taken: bool | None = None
    """Whether that is taken."""
    digest: str | None = None
    """The digest of the file that was wanted, in hexadecimal digits."""


@dataclass(eq=False)
class Put:
    """One file of those that are written together."""

    path: str
    open: Callable[[], AbstractContextManager[Iterable[bytes]]]
    """Gives its blocks, once they are wanted."""
    look_at: str | None = None
    """A name: whether it is taken is looked at on the way, where that costs no round trip."""
    new: bool = False
    """Whether no file of its name may be written over (see `Server.put`)."""
    hash: HashAlgorithm | None = None
    """A digest: it is asked for on the way, where that costs no round trip."""
    start: int = 0
    """Bytes that the file has already: nothing of them is touched, the blocks go behind them.

    Unsupported is the outcome where the server does not do that.
    """
    reached: int = 0
    """Bytes of the file, from its beginning, that the server has confirmed or, where its protocol
    confirms none on the way, that were sent."""
    opened: bool = False
    """Whether an empty file of its path was made, be it begun or not."""
    begun: bool = False
    """Whether a byte of it may have arrived, or may have failed to."""
    outcome: PutResult | BaseException | None = None
    """What the server told, or what ended it; None as long as it is on its way or not begun."""


@dataclass(eq=False)
class Move:
    """One rename of those that are done together."""

    path: str
    to: str
    permit: Callable[[], None]
    """Called right before the request is sent; what it raises is the outcome."""
    done: bool = False
    error: BaseException | None = None
    """What ended it: what `permit` or `Server.rename` raises."""

    def is_permitted(self) -> bool:
        """Whether it may be asked for now; else the reason is its error."""
        try:
            self.permit()
        except BaseException as error:  # noqa: BLE001 - it is the outcome
            self.error = error
        return self.error is None


def most_at_once(settings: FtpSettings) -> int:
    """Uploads: the upper limit of the protocol, of the settings, and of the test on save."""
    most = MOST_AT_ONCE[settings.protocol]
    return min(most, settings.uploads or most, settings.capabilities.at_once or most)


class Closable(Protocol):
    """A socket, or a session."""

    def close(self) -> None: ...


@contextmanager
def closed_on_failure(opened: Closable) -> Iterator[None]:
    """Close it where something is raised, and leave it open otherwise."""
    try:
        yield
    except BaseException:
        opened.close()
        raise


class TargetExists(Exception):
    """The rename was refused because the name is taken. Never leaves this package."""


class Unsupported(Exception):
    """The server does not do this at all. Never leaves this package."""


class CannotTell(Unsupported):
    """Whether a name is taken, nothing tells: so it is not free. Never leaves this package."""


class Server(Protocol):
    """A session at a customer's server, connected and logged in; for one thread at a time.

    Paths are as the customer wrote them: relative to the login folder, or absolute. Every method
    raises a TransferError whose kind tells who has to mend it; after any error the session is
    closed, never used again but to clean up where `connected` says that it stands: what an upload
    lost at its end was looked at over a new connection then, which is open until `close`. Sessions
    that share a connection are independent until that breaks: by a stall, by a broken protocol, or
    cut by `close`. Then each of them fails.
    """

    look: Look | None
    """By what a file was found in this login that was there for sure, set by whoever has found it;
    None: by nothing yet. Sessions that `another` opens have it too. `put` calls no name free
    without it."""

    @property
    def host_key(self) -> str | None:
        """The fingerprint of the server's SSH key (`SHA256:...`), None where there is none."""

    @property
    def connected(self) -> bool:
        """Whether its connection stands; once it does not, all that share it are over."""

    @property
    def round_trip(self) -> float:
        """Seconds from a request to its answer, the best of late; 0 until enough came to tell."""

    @property
    def features(self) -> ServerFeatures:
        """What the server says of itself."""

    def answers(self) -> bool:
        """Whether the server still answers, asked with what changes nothing there."""

    def reconnect(self) -> bool:
        """Whether its connection stands, or another one does in the place of what was lost.

        False once the session was ended. Raises TransferError.
        """

    @property
    def looks(self) -> tuple[Look, ...]:
        """By what it may tell whether a name is taken, in the order in which to try: what the test
        on save has stored comes first. Nothing where that has found nothing."""

    def put(
        self, blocks: Iterable[bytes], path: str, look_at: str | None = None, *, new: bool = False
    ) -> PutResult:
        """Write the blocks to a file at `path`; returns once the server has them all.

        What costs no round trip of its own is looked at on the way: the file's size, and whether
        the name `look_at` is taken. With `new` no file of that name is written over, as far as the
        server can be told so (`Capabilities.exclusive`): raises TargetExists.
        """

    def put_all(self, puts: Sequence[Put]) -> None:
        """Write several files, one after the other, without waiting in between where that works.

        Each one's `outcome` tells what `put` returns or raises. Raises TransferError where the
        session is over: for what had begun and has no outcome of its own that is the end. What was
        not begun has none then, nor has it where the server should get no further file.
        """

    def size(self, path: str) -> int | None:
        """The file's size in bytes, None where it does not exist. Raises Unsupported."""

    def exists(self, path: str, by: Look | None = None) -> bool:
        """Whether the name is taken: by `by`, else by `look`, else by the first of `looks`.

        Raises CannotTell where that gives no answer that means yes or no.
        """

    def is_untouched(self, path: str) -> bool:
        """Whether the test on save was to write the file over this session, and the server never
        began it: it was not asked to, or it refused. False where that is not known."""

    def rename(self, path: str, to: str) -> None:
        """Rename without overwriting; where the server's own rename overwrites, it looks first.

        Raises TargetExists, Unsupported where the server renames nothing, CannotTell.
        """

    def rename_all(self, moves: Sequence[Move]) -> None:
        """Rename several files, all at once where that works, as `rename` does each of them.

        Raises TransferError where the session is over: for what is not done and has no error of its
        own that is the end.
        """

    def replace(self, path: str, to: str) -> None:
        """Rename, in place of a file of that name; looks at nothing.

        Raises TargetExists where that must be removed first, Unsupported.
        """

    def digest(
        self, path: str, algorithm: HashAlgorithm, size: int, *, of_prefix: bool = False
    ) -> str:
        """The server's digest of the file of this size, in hexadecimal digits; with `of_prefix` of
        so many bytes at its beginning.

        Raises Unsupported where it does not tell, be it for want of the file. What it refuses, or
        does not come to the end of, it is not asked again in this login.
        """

    def read(self, path: str, most: int) -> bytes:
        """The file's content, no more than its first `most` bytes.

        Raises NameRefused where the server does not hand it out, be it for want of the file.
        """

    def remove(self, path: str) -> None:
        """Remove the file; one that is not there is fine."""

    def make_directory(self, path: str) -> None:
        """Make sure of the folder, with those above it; one that is there is fine."""

    def remove_directory(self, path: str) -> None:
        """Remove the empty folder. Raises PathRefused."""

    def delivers_in_packs(self, parts: Sequence[str], names: Sequence[str]) -> bool:
        """Whether files arrive while commands are sent together, as this session's capabilities
        say (one of `ServerFeatures.packs`).

        Tried with files of these temporary and final names, which may be left. Raises
        TransferError.
        """

    def another(self) -> "Server":
        """One more session for an upload at the same time. From any thread.

        SFTP opens a channel on the same connection, FTP a connection with a login of its own.
        Raises TransferError, ServerBusy where the server refuses one more.
        """

    def cut(self) -> None:
        """Break its connection, from any thread: what runs over it raises ConnectionLost."""

    def close(self) -> None:
        """End the session, politely where that is quick. Never raises; may be repeated.

        From another thread it cuts what runs, which then raises ConnectionLost.
        """


def permitted() -> None:
    """The permit of a rename that needs none."""


def is_refused(put: Put) -> bool:
    """Whether the server has refused it, be it in the midst of its bytes."""
    is_loss = isinstance(put.outcome, ConnectionLost | Stalled)
    return isinstance(put.outcome, AccountFailure) and not is_loss


def put_alone(put_all: Callable[[Sequence[Put]], None], put: Put) -> PutResult:
    """Write one file by the means of many; what the server told. Raises its outcome."""
    put_all([put])
    if isinstance(put.outcome, PutResult):
        return put.outcome
    raise put.outcome or AssertionError("A file alone has an outcome")
