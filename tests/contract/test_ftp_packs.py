"""FTP commands that are sent together are bounded, so that a server which reads little is no trap.

Where both sides only write, both wait for ever once the buffers between them are full.
"""

import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import Capabilities, Look
from deploy.local.customers import PyFtpServer
from tests.contract.accounts import LIMITS, Ledger, files_in, job, open_session, opened, settings_of
from tests.contract.ftp_handlers import BareNames
from tests.contract.scripted import ScriptedServer
from transports import settings_test
from transports.base import Egress, Limits
from transports.ftp.control import MOST_AHEAD
from transports.job import Transfer, Uploaded, intend_each
from transports.network import dialing
from transports.upload import upload

PACKS = {
    "queues": Capabilities(pipelines=True, queues=True, look=Look.MLST),
    "pipelines": Capabilities(pipelines=True, look=Look.MLST),
}
PATIENT = Limits(resolve=5, connect=5, login=30, reply=20, stall=20)
COUNT = 16
FOLDER = "/".join(["calls", *["f" * 200] * 4])
SMALL = 4096
LINES = b"".join(b" %b\r\n" % (b"what else there is to say " * 38) for _ in range(40))
SHORT = {
    "USER": b"331 Password",
    "PASS": b"230 Welcome",
    "FEAT": b"211-What\r\n MLST\r\n SIZE\r\n211 End",
    "PWD": b'257 "/"',
}


class Wordy(ScriptedServer):
    """Takes files over small buffers, a few bytes at a time, and has a lot to say of each command.

    Nothing is read while it speaks.
    """

    def __init__(self) -> None:
        super().__init__(())
        self.files: dict[str, int] = {}
        self.logins = 0
        self._part = ""
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL)
        self._data = socket.create_server(("127.0.0.1", 0))

    def _talk(self, connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SMALL)
        self.logins += 1
        connection.sendall(b"220 Welcome\r\n")
        for line in _lines(connection):
            verb, _, path = line.partition(" ")
            if verb == "STOR":
                connection.sendall(b"150 Go\r\n")
                self._store(path)
                connection.sendall(b"226 Done\r\n")
            elif verb == "SIZE" and path in self.files:
                connection.sendall(b"213 %d\r\n" % self.files[path])
            else:
                connection.sendall(self._answer(verb, path))

    def _store(self, path: str) -> None:
        data, _ = self._data.accept()
        with data:
            self.files[path] = sum(len(piece) for piece in iter(lambda: data.recv(65536), b""))

    def _answer(self, verb: str, path: str) -> bytes:
        match verb:
            case "MLST":
                return at_length(250 if path in self.files else 550)
            case "RNFR":
                self._part = path
                return at_length(350)
            case "RNTO":
                self.files[path] = self.files.pop(self._part)
                return at_length(250)
            case "EPSV":
                return b"229 (|||%d|)\r\n" % self._data.getsockname()[1]
        return SHORT.get(verb, b"200 Fine") + b"\r\n"

    def __exit__(self, *ended: object) -> None:
        self._data.close()
        super().__exit__(None, None, None)


def at_length(code: int) -> bytes:
    """A reply of many lines."""
    return b"%d-What there is to say\r\n" % code + LINES + b"%d That is all\r\n" % code


def _lines(connection: socket.socket) -> Iterator[str]:
    heard = b""
    while piece := connection.recv(64):
        *lines, heard = (heard + piece).split(b"\r\n")
        yield from (line.decode() for line in lines)


def transfers_of(recording: Path, folder: str) -> list[Transfer]:
    """As many as a flight has, with names as long as they may be."""
    return [
        Transfer(
            lambda: opened(recording),
            job(number, folder=folder),
            Ledger((f"{folder}/{number:02}-{'n' * 240}.wav",)),
        )
        for number in range(COUNT)
    ]


@pytest.mark.parametrize("capabilities", PACKS.values(), ids=PACKS)
def test_a_server_that_reads_little_and_says_much_gets_a_flight_of_long_names(
    capabilities: Capabilities, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialing, "SEND_BUFFER", SMALL)
    with (
        Wordy() as server,
        closing(open_session(server.customer, PATIENT, capabilities=capabilities)) as session,
    ):
        session.look = Look.MLST
        transfers = transfers_of(recording, FOLDER)
        upload(session, transfers, intend_each)
        assert [each.outcome for each in transfers if not isinstance(each.outcome, Uploaded)] == []
        size = recording.stat().st_size
        wanted: Mapping[str, int] = {next(each.journal.candidates()): size for each in transfers}
        assert server.files == wanted
        assert session.pipelines  # type: ignore[attr-defined]
    assert server.logins == 1


@dataclass
class Witness(Ledger):
    """Notes how many files the server had renamed when the permit for one more was asked for."""

    server: Wordy = field(kw_only=True)
    renamed: list[int] = field(kw_only=True)

    def permit(self) -> None:
        """Permit it."""
        self.renamed.append(sum(path.endswith(".wav") for path in self.server.files))


def test_each_rename_is_permitted_right_before_it_goes_out(recording: Path) -> None:
    renamed: list[int] = []
    with (
        Wordy() as server,
        closing(open_session(server.customer, PATIENT, capabilities=PACKS["pipelines"])) as session,
    ):
        session.look = Look.MLST
        transfers = transfers_of(recording, FOLDER)
        for each in transfers:
            names = tuple(each.journal.candidates())
            each.journal = Witness(names, server=server, renamed=renamed)
        upload(session, transfers, intend_each)
    packs = [renamed.count(number) for number in sorted(set(renamed))]
    assert sum(packs) == COUNT
    assert sorted(set(renamed)) == [sum(packs[:number]) for number in range(len(packs))]
    assert max(packs) * len(FOLDER) * 2 < MOST_AHEAD


class TakesLittle(FTPHandler):  # type: ignore[misc]
    """Has room for a few commands, and throws away what comes besides."""

    ac_in_buffer: bytes

    def found_terminator(self) -> None:
        """Handle the line, and forget what goes beyond the buffer, but for its last line's end."""
        super().found_terminator()
        if len(self.ac_in_buffer) > 1000:
            self.ac_in_buffer = self.ac_in_buffer[: self.ac_in_buffer.rfind(b"\n", 0, 1000) + 1]


def test_a_server_with_a_small_buffer_for_commands_gets_one_at_a_time(
    tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "served"
    root.mkdir()
    with PyFtpServer(root, handler=TakesLittle) as server:
        customer = server.customer
        report = settings_test.test_settings(
            settings_of(customer), SecretStr(customer.password), LIMITS, Egress()
        )
        assert report.ok, report.failure
        assert files_in(root) == {}
        found = report.capabilities
        assert (found.pipelines, found.queues) == (False, False)
        with closing(open_session(customer, capabilities=found)) as session:
            transfers = transfers_of(recording, ".")
            upload(session, transfers, intend_each)
        assert all(isinstance(each.outcome, Uploaded) for each in transfers)
        assert len(files_in(root)) == COUNT


@pytest.mark.parametrize("queues", [True, False])
def test_where_folders_are_entered_each_file_is_looked_at_and_renamed_in_its_own(
    tmp_path: Path, recording: Path, *, queues: bool
) -> None:
    """Bare names in one pack would all be taken in the folder that was entered last."""
    names = ("call.wav", "call (2).wav")
    root = tmp_path / "served"
    (root / "a").mkdir(parents=True)
    with PyFtpServer(root, handler=BareNames) as server:
        (root / "a" / "call.wav").write_bytes(b"the customer's own")
        can = Capabilities(at_once=1, pipelines=True, queues=queues, enters=True, look=Look.MLST)
        with (
            closing(open_session(server.customer, PATIENT, capabilities=can)) as session,
            opened(recording) as source,
        ):
            transfers = [
                Transfer(
                    lambda: nullcontext(source),
                    job(number, folder=folder),
                    Ledger(names=tuple(f"{folder}/{name}" for name in names)),
                )
                for number, folder in enumerate("ab")
            ]
            upload(session, transfers, intend_each)
    assert [transfer.result().remote_path for transfer in transfers] == [
        "a/call (2).wav",
        "b/call.wav",
    ]
    assert (root / "a" / "call.wav").read_bytes() == b"the customer's own"
    size = recording.stat().st_size
    whole = {"a/call (2).wav": size, "b/call.wav": size}
    assert files_in(root) == {"a/call.wav": 18, **whole}
