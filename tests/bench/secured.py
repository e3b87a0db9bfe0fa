"""What encryption and keys cost (l and m): each beside the same without it, in the same run."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from config.accounts import Protocol
from config.ssh_keys import KeyType, generated
from deploy.local.customers import CustomerServer
from tests.bench.figures import (
    EVERYTHING,
    OURS,
    RATE,
    Contender,
    Contenders,
    Figures,
    Workload,
)
from tests.bench.files import Recordings, check_delivered, make_ready, make_recordings
from tests.bench.program import event
from tests.bench.single import LOGINS_AT_ONCE, RECORDING, bring, costs
from tests.bench.stage import Stage
from tests.servers import Sshd, Vsftpd

FTP, BY_PASSWORD = f"{OURS}, FTP", f"{OURS}, by password"
_SMALL = 20 * 1000


@dataclass(frozen=True)
class Door:
    """A server, and how one gets in."""

    customer: CustomerServer
    protocol: Protocol
    key: SecretStr | None = None

    def files(self, stage: Stage, recordings: Recordings) -> Figures:
        """One account's files; the rate is that of files."""
        seconds, figures = bring(stage, self.customer, self.protocol, recordings, self.key)
        return {RATE: len(recordings.names) / seconds, **figures}

    def logins(self, stage: Stage, recordings: Recordings, names: list[str]) -> Figures:
        """A file for each account, which logs in for it; the rate is that of accounts."""
        (name,) = recordings.names
        with stage.courier() as (accounts, program):
            accounts.save("template", self.customer, self.protocol, key=self.key)
            accounts.copy("template", names)
            accounts.declare_queues(names)
            program.start()
            make_ready(recordings, self.customer.root)
            events = [event(each, recordings.folder / name) for each in names]
            before = program.processor_seconds()
            seconds = program.time(events, names)
            used = costs(before, program.processor_seconds(), len(names))
            program.check_rows(events, "delivered")
        for each in names:
            check_delivered(recordings, self.customer.root / each)
        return {RATE: len(names) / seconds, **used}


@contextmanager
def _ftps(stage: Stage) -> Iterator[Mapping[str, Door]]:
    """vsftpd over TLS, which wants the session reused on data connections, and another in clear."""
    with (
        Vsftpd(stage.new_folder("vsftpd"), tls="ftps") as secured,
        Vsftpd(stage.new_folder("vsftpd")) as plain,
    ):
        yield {
            OURS: Door(secured.customer, Protocol.FTPS),
            FTP: Door(plain.customer, Protocol.FTP),
        }


@contextmanager
def _by_key(stage: Stage) -> Iterator[Mapping[str, Door]]:
    """One sshd, which takes an Ed25519 key and a password."""
    pair = generated(KeyType.ED25519, "bench")
    folder = stage.new_folder("sshd")
    with Sshd(folder, authorized=[pair.public.line], extra=[LOGINS_AT_ONCE]) as server:
        yield {
            OURS: Door(server.customer, Protocol.SFTP, pair.private),
            BY_PASSWORD: Door(server.customer, Protocol.SFTP),
        }


@contextmanager
def ftps_files(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """l-files: what TLS costs a file.

    lftp does not deliver to a vsftpd that wants sessions resumed and TLS ended: it is left out.
    """
    recordings = _recordings(stage, 60 if quick else 400, RECORDING)
    with _ftps(stage) as doors:
        yield _each(doors, stage, recordings)


@contextmanager
def key_files(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """m-files: once it is logged in a key costs nothing."""
    recordings = _recordings(stage, 60 if quick else 400, RECORDING)
    with _by_key(stage) as doors:
        yield _each(doors, stage, recordings)


@contextmanager
def ftps_logins(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """l-logins: what the handshakes of TLS cost, two for each account."""
    recordings = _recordings(stage, 1, _SMALL)
    with _ftps(stage) as doors:
        yield _each_login(doors, stage, recordings, 20 if quick else 300)


@contextmanager
def key_logins(stage: Stage, quick: bool) -> Iterator[Contenders]:  # noqa: FBT001 - Workload
    """m-logins: a signature by Ed25519 beside a password."""
    recordings = _recordings(stage, 1, _SMALL)
    with _by_key(stage) as doors:
        yield _each_login(doors, stage, recordings, 20 if quick else 300)


def _each(doors: Mapping[str, Door], stage: Stage, recordings: Recordings) -> Contenders:
    return {
        name: Contender(partial(door.files, stage, recordings), EVERYTHING)
        for name, door in doors.items()
    }


def _each_login(
    doors: Mapping[str, Door], stage: Stage, recordings: Recordings, count: int
) -> Contenders:
    names = [f"customer-{number:04}" for number in range(count)]
    return {
        name: Contender(partial(door.logins, stage, recordings, names), EVERYTHING)
        for name, door in doors.items()
    }


def _recordings(stage: Stage, count: int, size: int) -> Recordings:
    return make_recordings(stage.new_folder("secured") / "local", count, size)


WORKLOADS = (
    Workload(
        "l-files", "400 x 480 KB, one account, FTPS (explicit), loopback", "files/s", ftps_files, ()
    ),
    Workload(
        "l-logins",
        "300 accounts x 20 KB, each with its own login, FTPS",
        "logins/s",
        ftps_logins,
        (),
    ),
    Workload(
        "m-files", "400 x 480 KB, one account, SFTP by an Ed25519 key", "files/s", key_files, ()
    ),
    Workload(
        "m-logins",
        "300 accounts x 20 KB, each with its own login, SFTP by an Ed25519 key",
        "logins/s",
        key_logins,
        (),
    ),
)
