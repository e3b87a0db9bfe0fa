"""Files are verified by the server's own digest where it tells one, at no further round trip."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any, ClassVar

import paramiko
import pytest
from pydantic import SecretStr

from config.accounts import Capabilities, HashAlgorithm, Look
from deploy.local.customers import CustomerServer, PyFtpServer
from tests.contract.accounts import (
    LIMITS,
    Ledger,
    files_in,
    job,
    open_session,
    opened,
    settings_of,
    upload,
)
from tests.contract.ftp_handlers import Hashing, Lying, ModernHashing, Silent
from tests.contract.ssh_server import ParamikoServer
from tests.servers import ModSftp, Proftpd
from transports import settings_test
from transports.base import Egress, Server
from transports.errors import ContentDamaged, Kind
from transports.job import Transfer, Uploaded, Verified, intend_each
from transports.upload import upload as upload_all

COUNT = 3
PACKS = {
    "pipelines": Capabilities(pipelines=True, look=Look.MLST),
    "one by one": Capabilities(look=Look.MLST),
}


def flight(session: Server, recording: Path, algorithm: HashAlgorithm) -> list[Uploaded]:
    """Several files at once, as they arrived."""
    transfers = [
        Transfer(lambda: opened(recording), job(number, hash=algorithm), Ledger((f"{number}.wav",)))
        for number in range(COUNT)
    ]
    upload_all(session, transfers, intend_each)
    return [each.result() for each in transfers]


def found(customer: CustomerServer) -> Capabilities:
    """What the test on save stores."""
    report = settings_test.test_settings(
        settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
    )
    assert report.ok, report.failure
    assert files_in(customer.root) == {}
    return report.capabilities


def digests_of(*names: str) -> list[str]:
    """mod_digest with these algorithms alone."""
    return ["AllowOverwrite on", f"DigestAlgorithms {' '.join(names)}"]


@pytest.mark.parametrize(
    ("serving", "algorithm"),
    [
        (lambda folder: Proftpd(folder, modules=["mod_digest.c"]), HashAlgorithm.SHA256),
        (
            lambda folder: Proftpd(folder, modules=["mod_digest.c"], extra=digests_of("crc32")),
            HashAlgorithm.CRC32,
        ),
        (ModSftp, HashAlgorithm.SHA256),
    ],
    ids=["mod_digest", "mod_digest, CRC32 only", "mod_sftp"],
)
def test_proftpd_tells_digests_and_its_files_are_verified_by_them(
    serving: Callable[[Path], AbstractContextManager[Any]],
    algorithm: HashAlgorithm,
    tmp_path: Path,
    recording: Path,
) -> None:
    with serving(tmp_path / "server") as server:
        stored = found(server.customer)
        assert stored.hash is algorithm
        with closing(open_session(server.customer, capabilities=stored)) as session:
            arrived = flight(session, recording, algorithm)
    assert {each.verified for each in arrived} == {Verified.by(algorithm)}


class Heard(Hashing):
    """Notes what it is asked."""

    asked: ClassVar[list[str]] = []

    def pre_process_command(self, line: str, cmd: str, arg: str) -> None:
        """Note it."""
        self.asked.append(cmd)
        super().pre_process_command(line, cmd, arg)


class HeardModern(ModernHashing, Heard):
    """The same with the command HASH."""


@pytest.fixture(name="asked")
def what_was_asked() -> Sequence[str]:
    Heard.asked.clear()
    return Heard.asked


def _ftp(tmp_path: Path, handler: type[Hashing]) -> PyFtpServer:
    root = tmp_path / "served"
    root.mkdir()
    return PyFtpServer(root, handler=handler)


@pytest.mark.parametrize("ways", PACKS.values(), ids=PACKS)
@pytest.mark.parametrize(
    ("handler", "command"), [(Heard, "XSHA1"), (HeardModern, "HASH")], ids=["XSHA1", "HASH"]
)
def test_digests_are_asked_for_together_with_the_sizes_and_before_the_names(
    tmp_path: Path,
    recording: Path,
    asked: Sequence[str],
    handler: type[Hashing],
    command: str,
    ways: Capabilities,
) -> None:
    with _ftp(tmp_path, handler) as server:
        with closing(open_session(server.customer, capabilities=ways)) as session:
            session.look = Look.MLST
            arrived = flight(session, recording, HashAlgorithm.SHA1)
        assert {each.verified for each in arrived} == {Verified.SHA1}
        assert len(files_in(server.customer.root)) == COUNT
    assert asked.count(command) == COUNT
    if ways.pipelines:
        first = asked.index(command)
        behind = [each for each in asked[first:] if each in {"SIZE", command, "MLST"}]
        assert behind[:COUNT] == [command] * COUNT
        assert "SIZE" not in behind, "they were asked for before"


class Refusing(Heard):
    """Names digests, and tells none."""

    def tell(self, algorithm: str, path: str, code: str = "250") -> None:
        """Refuse it."""
        self.respond("502 Not here.")


class SilentNow(Heard, Silent):
    """Names digests, and never comes to the end of one."""


@pytest.mark.parametrize("ways", PACKS.values(), ids=PACKS)
@pytest.mark.parametrize("handler", [Refusing, SilentNow])
def test_a_server_that_tells_none_any_more_is_not_asked_again_in_this_login(
    tmp_path: Path,
    recording: Path,
    asked: Sequence[str],
    handler: type[Hashing],
    ways: Capabilities,
) -> None:
    with (
        _ftp(tmp_path, handler) as server,
        closing(open_session(server.customer, capabilities=ways)) as session,
    ):
        first = flight(session, recording, HashAlgorithm.SHA1)
        often = asked.count("XSHA1")
        with opened(recording) as source:
            again = upload(session, source, job(9, hash=HashAlgorithm.SHA1), Ledger())
    assert {each.verified for each in [*first, again]} == {Verified.SIZE}
    assert 0 < often <= COUNT + 1
    assert asked.count("XSHA1") == often


@pytest.mark.parametrize("is_silent", [False, True])
def test_an_sftp_server_that_tells_none_any_more_is_not_asked_again_in_this_login(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, *, is_silent: bool
) -> None:
    asked = list[int]()

    def answer(server: paramiko.SFTPServer, number: int, _message: paramiko.Message) -> None:
        asked.append(number)
        if not is_silent:
            server._send_status(number, paramiko.SFTP_FAILURE)  # type: ignore[attr-defined]

    monkeypatch.setattr(paramiko.SFTPServer, "_check_file", answer)
    root = tmp_path / "served"
    root.mkdir()
    with ParamikoServer(root) as server:
        with closing(open_session(server.customer)) as session:
            for number in range(2):
                with opened(recording) as source:
                    what, ledger = job(number, hash=HashAlgorithm.MD5), Ledger((f"{number}.wav",))
                    assert upload(session, source, what, ledger).verified is Verified.SIZE
        assert len(files_in(root)) == 2
    assert len(asked) == 1


@pytest.mark.parametrize("length", [0, 200_000])
def test_a_digest_of_no_allowed_length_is_none(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    """What a customer's server sends by the megabyte is nothing for rows, mails and logs."""
    asked = list[int]()

    def answer(server: paramiko.SFTPServer, number: int, _message: paramiko.Message) -> None:
        asked.append(number)
        told = paramiko.Message()
        told.add_int(number)
        told.add_string("check-file")
        told.add_string("md5")
        told.add_bytes(bytes(length))
        server._send_packet(paramiko.sftp.CMD_EXTENDED_REPLY, told)  # type: ignore[attr-defined]

    monkeypatch.setattr(paramiko.SFTPServer, "_check_file", answer)
    root = tmp_path / "served"
    root.mkdir()
    with ParamikoServer(root) as server:
        with closing(open_session(server.customer)) as session:
            for number in range(2):
                with opened(recording) as source:
                    what, ledger = job(number, hash=HashAlgorithm.MD5), Ledger((f"{number}.wav",))
                    assert upload(session, source, what, ledger).verified is Verified.SIZE
        assert len(files_in(root)) == 2
    assert asked


def test_a_wrong_digest_tells_that_bytes_were_changed(tmp_path: Path, recording: Path) -> None:
    with _ftp(tmp_path, Lying) as server:
        with (
            closing(open_session(server.customer)) as session,
            opened(recording) as source,
            pytest.raises(ContentDamaged) as failed,
        ):
            upload(session, source, job(hash=HashAlgorithm.MD5), Ledger())
        assert files_in(server.customer.root) == {}
    assert failed.value.kind is Kind.FILE
    assert failed.value.words.startswith("The server's MD5 of the file is ")
    assert "bytes were changed on the way or at the server" in failed.value.entry.cause
