"""A large file over a line that is cut again and again: how much of it goes over the line twice.

`python -m tests.contract.cut_line` brings a gigabyte to real servers over a line that is cut after
each 200 MB, and writes docs/cut-line.md. It takes minutes; the suite does the same with a small
part of the size (`test_resuming`).
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, upload
from tests.contract.proxy import Proxy
from tests.servers import ModSftp, Proftpd, PureFtpd, Ssh2, Sshd, Vsftpd
from transports.base import Limits

SIZE = 1_000_000_000
CUT_EACH = SIZE // 5
TABLE = Path(__file__).parents[2] / "docs" / "cut-line.md"
PATIENT = Limits(resolve=5, connect=5, login=30, reply=20, stall=20)
_WRITTEN_SECONDS = 15.0
"""Less than the silence that the client bears."""
_LOOK_EACH = 0.2
Serving = Callable[[Path], AbstractContextManager[Any]]
_HEAD = """\
# A line that is cut

One file of 1 GB, brought over a line that is cut after each 200 MB, in one try. Written by
`python -m tests.contract.cut_line`{when}.
The file was compared by its SHA-256 afterwards. ProFTPD had `AllowOverwrite` and
`AllowStoreRestart` on: as it is shipped it goes on with no file. An
account goes on only where the test on save has found that its server does: settings saved before
that was tested are to be saved again.

| server | connections | bytes on the line, for one of the file | again for each cut | seconds |
|---|--:|--:|--:|--:|
"""


class Way(NamedTuple):
    """A server, and how it is spoken to."""

    serving: Serving
    ways: Capabilities = Capabilities()


class Carried(NamedTuple):
    """How a file came over the line."""

    connections: int
    ratio: float
    """Bytes on the line, for one of the file."""
    twice: float
    """Bytes that went over it again for each connection that was cut."""
    seconds: float


def in_process(kind: Callable[..., Any], **more: Any) -> Serving:
    """A server in this process, with a folder of its own."""

    def serving(folder: Path) -> AbstractContextManager[Any]:
        folder.mkdir()
        made: AbstractContextManager[Any] = kind(folder, **more)
        return made

    return serving


class Truncating(asyncssh.SFTPServer):
    """Begins anew whatever is opened to be written, as gateways of buckets do."""

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """Empty from then on."""
        is_writing = pflags & asyncssh.FXF_WRITE
        return super().open(path, pflags | (asyncssh.FXF_TRUNC if is_writing else 0), attrs)


_RESTARTS = ["AllowOverwrite on", "AllowStoreRestart on"]
_PIPELINES = Capabilities(pipelines=True)
SERVERS: Mapping[str, Way] = {
    "OpenSSH": Way(Sshd),
    "ProFTPD mod_sftp": Way(
        lambda folder: ModSftp(folder, extra=_RESTARTS), Capabilities(request_size=28_000)
    ),
    "asyncssh": Way(in_process(AsyncSshServer)),
    "npm ssh2": Way(Ssh2),
    "vsftpd": Way(Vsftpd, Capabilities(pipelines=True, queues=True)),
    "ProFTPD": Way(lambda folder: Proftpd(folder, extra=_RESTARTS), _PIPELINES),
    "pure-ftpd": Way(PureFtpd),
    "pyftpdlib": Way(in_process(PyFtpServer), _PIPELINES),
}


def carry(
    customer: CustomerServer,
    recording: Path,
    each: int,
    ways: Capabilities,
    *,
    written: bool = False,
) -> Carried:
    """Bring it over a line that is cut after `each` bytes. Raises what ends the try.

    `written`: each cut waits until the server has written what was sent.
    """
    began, connections, stored = time.monotonic(), 1, 0

    def again() -> int:
        nonlocal connections, stored
        connections += 1
        if written:
            stored = when_stored(customer.root, stored + each // 2)
        return each

    with Proxy(customer, cut_after=each, again=again) as proxy:
        session = open_session(customer, PATIENT, port=proxy.port, capabilities=ways)
        with closing(session), opened(recording) as source:
            done = upload(session, source, job(), Ledger())
        passed = proxy.passed
    size = recording.stat().st_size
    assert files_in(customer.root) == {"call.wav": size}
    assert done.sha256 == _digest(customer.root / "call.wav") == _digest(recording)
    twice = (passed - size) / max(1, connections - 1)
    return Carried(connections, passed / size, twice, time.monotonic() - began)


def when_stored(folder: Path, least: int) -> int:
    """What is on the server's disk, once it is that much and grows no more: then the line is cut.

    A server loses with its connection what its system has taken for it and it has not read yet.
    On a busy machine, and with little sent between two cuts, that can be nearly all.
    """
    until = time.monotonic() + _WRITTEN_SECONDS
    before, stored = -1, 0
    while time.monotonic() < until and (stored < least or stored > before):
        time.sleep(_LOOK_EACH)
        before, stored = stored, sum(files_in(folder).values())
    return stored


def made(path: Path, size: int) -> Path:
    """A recording of so many bytes."""
    block = 1_000_000
    with path.open("wb") as file:
        for start in range(0, size, block):
            file.write(os.urandom(min(block, size - start)))
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> int:
    """Write the table."""
    lines = list[str]()
    with tempfile.TemporaryDirectory() as folder:
        recording = made(Path(folder) / "recording.wav", SIZE)
        for number, (name, way) in enumerate(SERVERS.items()):
            with way.serving(Path(folder) / str(number)) as server:
                seen = carry(server.customer, recording, CUT_EACH, way.ways)
                (server.customer.root / "call.wav").unlink()
            again = f"{seen.twice / 1_000_000:.1f} MB"
            row = (
                f"| {name} | {seen.connections} | {seen.ratio:.3f} | {again} | {seen.seconds:.0f} |"
            )
            print(row, flush=True)  # noqa: T201 - it takes its time
            lines.append(row)
    when = f" on {datetime.now(UTC):%Y-%m-%d}, beside other work on the same machine"
    TABLE.write_text(_HEAD.format(when=when) + "\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
