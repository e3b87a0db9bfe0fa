"""One account's files to one server (a to e)."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial

from pydantic import SecretStr

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench import peers
from tests.bench.fed import CELERY, KINDS, SR3, Job, Kind, fed
from tests.bench.figures import (
    BYTES,
    EVERYTHING,
    OURS,
    OWN,
    RATE,
    RENAMED,
    AtMost,
    Contender,
    Contenders,
    Figures,
    Times,
    Work,
    Workload,
    cost,
)
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.line import slow_line
from tests.bench.peers import Errand, Peer
from tests.bench.program import event
from tests.bench.stage import Stage
from tests.bench.usage import forget_peak, peak_megabytes
from tests.servers import Sshd, Vsftpd

RECORDING = 480 * 1000
ROUND_TRIP = 0.040
MEMORY = "MB resident"
LOGINS_AT_ONCE = "MaxStartups 200"
"""sshd's own default begins to refuse logins at random when ten are under way."""

OPENSSH, OPENSSH_GCM = "OpenSSH sftp", "OpenSSH sftp gcm"
OPENSSH_RENAMED, OPENSSH_GCM_RENAMED = "OpenSSH sftp, renamed", "OpenSSH sftp gcm, renamed"
PLAIN_FTP, PLAIN_SFTP = "plain ftplib", "plain paramiko"
LFTP, LFTP_4, RCLONE, RCLONE_4 = "lftp", "lftp -4", "rclone", "rclone -4"
LFTP_RENAMED, LFTP_4_RENAMED = "lftp, renamed", "lftp -4, renamed"
_COMPARED = Work(renamed=True, compared=True)

PEERS: dict[str, tuple[Peer, Work]] = {
    OPENSSH: (peers.openssh(), BYTES),
    OPENSSH_GCM: (peers.openssh(cipher=peers.GCM), BYTES),
    OPENSSH_RENAMED: (peers.openssh(renamed=True), RENAMED),
    OPENSSH_GCM_RENAMED: (peers.openssh(cipher=peers.GCM, renamed=True), RENAMED),
    LFTP: (peers.lftp(1), BYTES),
    LFTP_4: (peers.lftp(4), BYTES),
    LFTP_RENAMED: (peers.lftp(1, renamed=True), RENAMED),
    LFTP_4_RENAMED: (peers.lftp(4, renamed=True), RENAMED),
    RCLONE: (peers.rclone(1), _COMPARED),
    RCLONE_4: (peers.rclone(4), _COMPARED),
    PLAIN_FTP: (peers.plain, BYTES),
    PLAIN_SFTP: (peers.plain, Work(compared=True)),
}


def costs(before: Mapping[str, float], after: Mapping[str, float], files: int) -> Figures:
    """Processor time of each part of the platform for one file."""
    return {cost(name): 1000 * (seconds - before[name]) / files for name, seconds in after.items()}


@dataclass(frozen=True)
class Route:
    """One server, the files that go there, and who brings them."""

    protocol: Protocol
    count: tuple[int, int]
    """Of a whole run and of a quick one."""
    size: tuple[int, int]
    peers: tuple[str, ...]
    round_trip: float = 0.0
    by_megabytes: bool = False

    @contextmanager
    def open(self, stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
        """The contenders, with server, line and files there."""
        folder = stage.new_folder("transfer")
        recordings = make_recordings(folder / "local", self.count[quick], self.size[quick])
        with ExitStack() as stack:
            server = _server(self.protocol, stage)
            stack.enter_context(server)
            customer = server.customer
            if self.round_trip:
                line = slow_line(self.round_trip, _ports(server), folder / "line.log")
                customer = replace(customer, host=stack.enter_context(line))
            place = (stage, customer, recordings)
            yield {
                OURS: Contender(partial(self._ours, *place), EVERYTHING),
                **{
                    name: Contender(partial(self._peer, *place, PEERS[name][0]), PEERS[name][1])
                    for name in self.peers
                },
                **{
                    name: Contender(partial(self._fed, *place, kind), kind.does)
                    for name, kind in KINDS.items()
                },
            }

    def _ours(self, stage: Stage, customer: CustomerServer, recordings: Recordings) -> Figures:
        seconds, figures = bring(stage, customer, self.protocol, recordings)
        return {RATE: self._rate(recordings, seconds), **figures}

    def _peer(
        self, stage: Stage, customer: CustomerServer, recordings: Recordings, peer: Peer
    ) -> Figures:
        work = stage.new_folder("peer")
        errand = Errand(customer, self.protocol, recordings.folder, work)
        make_ready(recordings, customer.root)
        spent = peers.run(peer(errand))
        check_delivered(recordings, customer.root)
        own = 1000 * spent.processor_seconds / len(recordings.digests)
        return {RATE: self._rate(recordings, spent.seconds), OWN: own}

    def _fed(
        self, stage: Stage, customer: CustomerServer, recordings: Recordings, kind: Kind
    ) -> Figures:
        with fed(kind, stage, customer, self.protocol, recordings.folder) as running:
            make_ready(recordings, customer.root)
            jobs = [Job("acme", recordings.folder / name) for name in recordings.names]
            figures = running.time(jobs)
        check_delivered(recordings, customer.root)
        seconds = len(jobs) / figures[RATE]
        return {**figures, RATE: self._rate(recordings, seconds)}

    def _rate(self, recordings: Recordings, seconds: float) -> float:
        amount = recordings.megabytes if self.by_megabytes else len(recordings.digests)
        return amount / seconds


def bring(
    stage: Stage,
    customer: CustomerServer,
    protocol: Protocol,
    recordings: Recordings,
    key: SecretStr | None = None,
) -> tuple[float, Figures]:
    """This program brings one account's files: the seconds, and what it used.

    `key`: by which it logs in, instead of the password.
    """
    with stage.courier() as (accounts, program):
        accounts.save("acme", customer, protocol, key=key)
        accounts.declare_queues(["acme"])
        program.start()
        forget_peak(*program.workers)
        events = [event("acme", recordings.folder / name) for name in recordings.names]
        make_ready(recordings, customer.root)
        before = program.processor_seconds()
        seconds = program.time(events, ["acme"])
        used = costs(before, program.processor_seconds(), len(events))
        program.check_rows(events, "delivered")
        check_delivered(recordings, customer.root)
        memory = {MEMORY: peak_megabytes(*program.workers)}
    return seconds, {**memory, **used}


def _server(protocol: Protocol, stage: Stage) -> Sshd | Vsftpd:
    if protocol is Protocol.SFTP:
        return Sshd(stage.new_folder("sshd"), extra=[LOGINS_AT_ONCE])
    return Vsftpd(stage.new_folder("vsftpd"))


def _ports(server: Sshd | Vsftpd) -> list[int]:
    return [*(server._passive if isinstance(server, Vsftpd) else ()), server.port]


_SFTP, _FTP = Protocol.SFTP, Protocol.FTP
_USUAL = (RECORDING, RECORDING)
_GIGABYTE = (1_000_000_000, 100_000_000)
_SSH_PEERS = (OPENSSH, OPENSSH_GCM, OPENSSH_RENAMED, OPENSSH_GCM_RENAMED)
_LFTP_PEERS = (LFTP, LFTP_4, LFTP_RENAMED, LFTP_4_RENAMED)
_RCLONE_PEERS = (RCLONE, RCLONE_4)
_FAR = (LFTP_4, LFTP_4_RENAMED, RCLONE_4)
BUILT = (Times(3, (SR3,)), Times(3, (CELERY,)))
"""Against what people would build instead, in every workload."""

WORKLOADS = (
    Workload(
        "a",
        "400 x 480 KB, one account, SFTP, loopback",
        "files/s",
        Route(
            _SFTP,
            (400, 60),
            _USUAL,
            (*_SSH_PEERS, *_LFTP_PEERS, *_RCLONE_PEERS, PLAIN_SFTP),
        ).open,
        (
            Times(1.1, (OPENSSH,)),
            Times(1.0, (OPENSSH_GCM,)),
            Times(1.3, (OPENSSH_RENAMED, OPENSSH_GCM_RENAMED)),
            *BUILT,
        ),
    ),
    Workload(
        "b",
        "400 x 480 KB, one account, FTP, loopback",
        "files/s",
        Route(_FTP, (400, 60), _USUAL, (*_LFTP_PEERS, *_RCLONE_PEERS, PLAIN_FTP)).open,
        (Times(0.7, (LFTP,)), Times(1.2, (RCLONE_4,)), Times(1.0, (LFTP_RENAMED,)), *BUILT),
    ),
    Workload(
        "c",
        "100 x 480 KB, one account, SFTP, 40 ms round trip",
        "files/s",
        Route(_SFTP, (100, 16), _USUAL, (OPENSSH, OPENSSH_GCM_RENAMED, *_FAR), ROUND_TRIP).open,
        (Times(2, (LFTP_4,)), *BUILT),
    ),
    Workload(
        "d",
        "100 x 480 KB, one account, FTP, 40 ms round trip",
        "files/s",
        Route(_FTP, (100, 16), _USUAL, _FAR, ROUND_TRIP).open,
        (Times(2, (LFTP_4,)), *BUILT),
    ),
    Workload(
        "e-sftp",
        "one file of 1 GB, SFTP, loopback",
        "MB/s",
        Route(_SFTP, (1, 1), _GIGABYTE, (*_SSH_PEERS, RCLONE), by_megabytes=True).open,
        (Times(1.0, (OPENSSH_GCM,)), AtMost(MEMORY, 120), *BUILT),
    ),
    Workload(
        "e-ftp",
        "one file of 1 GB, FTP, loopback",
        "MB/s",
        Route(
            _FTP, (1, 1), _GIGABYTE, (PLAIN_FTP, LFTP, LFTP_RENAMED, RCLONE), by_megabytes=True
        ).open,
        (Times(0.9, (PLAIN_FTP,)), AtMost(MEMORY, 120), *BUILT),
    ),
)
