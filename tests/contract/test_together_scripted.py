"""Flights at SFTP servers that answer late, in any order, with nonsense, or not at all."""

from collections.abc import Callable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import pytest
from asyncssh.constants import (
    FX_NO_SUCH_FILE,
    FX_OK,
    FX_OP_UNSUPPORTED,
    FXP_ATTRS,
    FXP_CLOSE,
    FXP_HANDLE,
    FXP_LSTAT,
    FXP_OPEN,
    FXP_RENAME,
    FXP_WRITE,
)

from tests.contract.accounts import Ledger, job, open_session
from tests.servers.raw_sftp import RawSftpServer, packet, status
from transports.errors import ProtocolFailed, TransferError
from transports.job import Transfer, Uploaded, Verified, intend_each
from transports.upload import upload

COUNT = 16
CONTENT = b"of a recording" * 100
STAGES = {
    FXP_OPEN: ("open", COUNT),
    FXP_WRITE: ("write", 4 * COUNT),
    FXP_CLOSE: ("write", 4 * COUNT),
    FXP_LSTAT: ("write", 4 * COUNT),
    FXP_RENAME: ("rename", COUNT),
}
"""Of each request the stage it belongs to, and how many the flight sends in that one: a write, a
close and two looks for each file."""


class Text:
    size: int | None = len(CONTENT)

    def __iter__(self) -> Iterator[bytes]:
        yield CONTENT


class Server:
    """Does what it is asked. `order`: how the answers of a stage are put that were held back until
    everything had come that belongs to it; without, nothing is held back."""

    def __init__(self, order: Callable[[list[bytes]], list[bytes]] | None = None) -> None:
        self.sizes: dict[bytes, int] = {}
        self.mute: set[tuple[int, bytes]] = set()
        """Requests that get no answer, once each: the kind, and the handle."""
        self.odd: dict[tuple[int, bytes], bytes] = {}
        """What follows the number in an answer instead of what should."""
        self._order = order
        self._held: dict[str, list[bytes]] = {}

    def __call__(self, kind: int, number: int, rest: bytes) -> bytes:
        said = self._answer(kind, number, rest)
        if self._order is None:
            return said
        stage, expected = STAGES.get(kind, ("", 1))
        held = self._held.setdefault(stage, [])
        held.append(said)
        if len(held) < expected:
            return b""
        del self._held[stage]
        return b"".join(self._order(held))

    def _answer(self, kind: int, number: int, rest: bytes) -> bytes:
        text = rest[4 : 4 + int.from_bytes(rest[:4])]
        if (kind, text) in self.mute:
            self.mute.discard((kind, text))
            return b""
        if (kind, text) in self.odd:
            return packet(FXP_HANDLE, number, self.odd[kind, text])
        if kind == FXP_LSTAT:
            size = self.sizes.get(text)
            there = packet(FXP_ATTRS, number, 1, 0, size or 0)
            return status(number, FX_NO_SUCH_FILE) if size is None else there
        return self._done(kind, number, text, rest[4 + len(text) :])

    def _done(self, kind: int, number: int, text: bytes, rest: bytes) -> bytes:
        if kind == FXP_OPEN:
            self.sizes[text] = 0
            return packet(FXP_HANDLE, number, text)
        if kind == FXP_WRITE:
            self.sizes[text] += int.from_bytes(rest[8:12])
        elif kind == FXP_RENAME:
            self.sizes[rest[4:]] = self.sizes.pop(text)
        return status(number, FX_OK if kind in STAGES else FX_OP_UNSUPPORTED)


def flight() -> list[Transfer]:
    return [
        Transfer(lambda: nullcontext(Text()), job(number), Ledger((f"{number}.wav",)))
        for number in range(COUNT)
    ]


def fly(tmp_path: Path, server: Server) -> list[Transfer]:
    transfers = flight()
    with (
        RawSftpServer(tmp_path, server) as raw,
        closing(open_session(raw.customer)) as session,
    ):
        upload(session, transfers, intend_each)
    return transfers


def assert_all_arrived(server: Server, transfers: list[Transfer]) -> None:
    assert [type(each.outcome) for each in transfers] == [Uploaded] * COUNT
    assert server.sizes == {f"{n}.wav".encode(): len(CONTENT) for n in range(COUNT)}


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("order", [lambda held: held, lambda held: held[::-1]])
def test_a_flight_waits_three_times_however_many_files_it_has(
    tmp_path: Path, order: Callable[[list[bytes]], list[bytes]]
) -> None:
    """Nothing is answered before everything was asked that needs no answer, nor in its order."""
    server = Server(order)
    transfers = fly(tmp_path, server)
    assert_all_arrived(server, transfers)
    assert {each.result().verified for each in transfers} == {Verified.SIZE}


def test_a_close_that_is_never_answered_is_made_good_over_a_new_connection(tmp_path: Path) -> None:
    server = Server()
    server.mute.add((FXP_CLOSE, job(5).part.encode()))
    assert_all_arrived(server, fly(tmp_path, server))


def test_a_rename_that_is_never_answered_is_made_good_over_a_new_connection(
    tmp_path: Path,
) -> None:
    class Quiet(Server):
        def _answer(self, kind: int, number: int, rest: bytes) -> bytes:
            said = super()._answer(kind, number, rest)
            return b"" if kind == FXP_RENAME and rest.endswith(b"5.wav") else said

    server = Quiet()
    transfers = fly(tmp_path, server)
    assert_all_arrived(server, transfers)


def test_a_handle_of_no_allowed_length_ends_the_flight_with_one_failure(tmp_path: Path) -> None:
    server = Server()
    server.odd[FXP_OPEN, job(5).part.encode()] = b"x" * 300
    transfers = fly(tmp_path, server)
    failures = [each.outcome for each in transfers if isinstance(each.outcome, TransferError)]
    assert [type(each) for each in failures] == [ProtocolFailed] * COUNT
    assert len({id(each.common) for each in failures}) == 1


def test_an_answer_to_a_write_that_is_none_ends_what_had_begun(tmp_path: Path) -> None:
    server = Server()
    server.odd[FXP_WRITE, job(5).part.encode()] = b"?"
    transfers = fly(tmp_path, server)
    outcomes = [each.outcome for each in transfers]
    begun = [each for each in outcomes if each is not None]
    assert {type(each) for each in begun} == {ProtocolFailed}
    assert outcomes == [*begun, *[None] * (COUNT - len(begun))]
    assert len(begun) > 5
