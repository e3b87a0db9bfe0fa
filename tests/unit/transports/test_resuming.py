"""A large file whose connection is cut goes on behind what the server has of it for sure."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from config.accounts import HashAlgorithm
from tests.contract.accounts import Ledger, job
from tests.servers.fake import Place
from transports import resuming
from transports.base import BLOCK, Unsupported
from transports.content import MARK_EVERY
from transports.errors import (
    ConnectFailed,
    ConnectionLost,
    LoginRefused,
    NotPermitted,
    QuotaExceeded,
    SourceChanged,
    Stalled,
    TransferError,
)
from transports.job import Transfer, Uploaded, Verified, intend_each
from transports.resuming import LEAST
from transports.upload import upload

SIZE = 24 * 1024 * 1024
CONTENT = os.urandom(SIZE)
PART = job().part


@dataclass
class Recording:
    """In memory; `changed` is what it has from the second reading on."""

    content: bytes
    changed: bytes | None = None
    readings: int = 0

    @property
    def size(self) -> int | None:
        return len(self.content)

    def __iter__(self) -> Iterator[bytes]:
        self.readings += 1
        content = self.content
        if self.changed is not None and self.readings > 1:
            content = self.changed
        for start in range(0, len(content), BLOCK):
            yield content[start : start + BLOCK]


@dataclass
class Cutting:
    """Cuts the connection after so many bytes each, and counts what was sent."""

    place: Place
    legs: list[int]
    error: type[TransferError] = ConnectionLost
    sent: int = 0
    puts: list[int] = field(default_factory=list)
    """How much of the file was there when each connection began to write."""
    refuses: Callable[[str, int], None] = lambda _step, _leg: None

    def __call__(self, step: str, path: str) -> None:
        self.refuses(step, len(self.puts))
        content = self.place.files.get(path, b"")
        if step == "put":
            self.puts.append(len(content))
            self._from = 0
        elif step == "write":
            self._from += BLOCK
            self.sent += BLOCK
            if self.legs and self._from >= self.legs[0]:
                self.legs.pop(0)
                lost = self.error("cut")
                lost.common = self  # its session is over
                raise lost


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is there again at once."""
    monkeypatch.setattr(resuming, "PAUSES", (0.0, 0.0, 0.0))


def opening(recording: Recording) -> Callable[[], AbstractContextManager[Recording]]:
    """Opens this one."""
    return lambda: nullcontext(recording)


def brought(recording: Recording, cuts: Cutting, **changes: Any) -> Transfer:
    """An upload of it, over connections that are cut so."""
    cuts.place.fails = cuts
    transfer = Transfer(lambda: nullcontext(recording), job(**changes), Ledger())
    upload(cuts.place.connect(), [transfer], intend_each)
    return transfer


@pytest.mark.parametrize("error", [ConnectionLost, Stalled])
def test_it_arrives_whole_and_next_to_nothing_is_sent_twice(error: type[TransferError]) -> None:
    place, recording = Place(), Recording(CONTENT)
    cuts = Cutting(place, [LEAST + MARK_EVERY] * 4, error)
    done = brought(recording, cuts).result()
    assert (done.remote_path, done.size, done.verified) == ("call.wav", SIZE, Verified.SIZE)
    assert place.files == {"call.wav": CONTENT}
    assert cuts.sent <= SIZE + 5 * (MARK_EVERY + BLOCK)
    assert recording.readings == 5


def test_a_small_one_is_not_gone_on_with() -> None:
    place = Place()
    transfer = brought(Recording(CONTENT), Cutting(place, [LEAST - BLOCK]))
    assert isinstance(transfer.outcome, ConnectionLost)
    assert place.files == {}


def test_each_connection_has_to_bring_something() -> None:
    place = Place()
    cuts = Cutting(place, [2 * LEAST, BLOCK])
    assert isinstance(brought(Recording(CONTENT), cuts).outcome, ConnectionLost)
    assert len(cuts.puts) == 2
    assert place.files == {}


def test_a_try_goes_on_over_so_many_connections_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """For each the recording is read again from its beginning, and the server sees a login."""
    monkeypatch.setattr(resuming, "MOST_LEGS", 3)
    place, recording = Place(), Recording(CONTENT)
    cuts = Cutting(place, [LEAST + MARK_EVERY] * 4)
    assert isinstance(brought(recording, cuts).outcome, ConnectionLost)
    assert (len(cuts.puts), recording.readings) == (4, 4)
    assert place.files == {}
    assert isinstance(
        brought(Recording(CONTENT), Cutting(Place(), [2 * LEAST + MARK_EVERY] * 3)).outcome,
        Uploaded,
    )


def test_settings_whose_test_has_found_otherwise_have_it_begin_anew() -> None:
    cuts = Cutting(Place(), [2 * LEAST])
    assert isinstance(brought(Recording(CONTENT), cuts, resumes=False).outcome, ConnectionLost)
    assert len(cuts.puts) == 1


def test_a_recording_that_was_replaced_meanwhile_is_no_file_of_two_halves() -> None:
    place = Place()
    recording = Recording(CONTENT, changed=bytes(SIZE))
    transfer = brought(recording, Cutting(place, [2 * LEAST]))
    assert isinstance(transfer.outcome, SourceChanged)
    assert place.files == {}


def test_what_the_server_has_lost_of_it_is_sent_again() -> None:
    place = Place()

    def lose(step: str, leg: int) -> None:
        if step == "size" and leg == 1:
            place.files[PART] = place.files[PART][: LEAST + 2 * MARK_EVERY]

    cuts = Cutting(place, [3 * LEAST], refuses=lose)
    assert isinstance(brought(Recording(CONTENT), cuts).outcome, Uploaded)
    assert place.files == {"call.wav": CONTENT}


def test_a_beginning_of_another_digest_is_not_gone_on_with() -> None:
    place = Place()

    def damage(step: str, leg: int) -> None:
        if step == "size" and leg == 1:
            place.files[PART] = bytes(1) + place.files[PART][1:]

    cuts = Cutting(place, [2 * LEAST], refuses=damage)
    sha1 = HashAlgorithm.SHA1
    assert isinstance(brought(Recording(CONTENT), cuts, hash=sha1).outcome, ConnectionLost)
    assert len(cuts.puts) == 1
    assert place.files == {}


def test_it_is_verified_by_its_digest_as_any_other_one() -> None:
    place = Place()
    cuts = Cutting(place, [2 * LEAST])
    done = brought(Recording(CONTENT), cuts, hash=HashAlgorithm.CRC32).result()
    assert done.verified is Verified.CRC32


@pytest.mark.parametrize(
    ("step", "error", "outcome"),
    [
        ("connect", ConnectFailed("refused"), ConnectionLost),
        ("size", Unsupported("no"), ConnectionLost),
        ("size", ConnectionLost("again"), ConnectionLost),
        ("put", Unsupported("no REST"), ConnectionLost),
        ("put", QuotaExceeded("full"), QuotaExceeded),
    ],
)
def test_where_it_cannot_go_on_the_try_has_failed(
    step: str, error: Exception, outcome: type[TransferError]
) -> None:
    place = Place()

    def refuse(at: str, leg: int) -> None:
        if at == step and leg == 1:
            raise error

    cuts = Cutting(place, [2 * LEAST], refuses=refuse)
    assert type(brought(Recording(CONTENT), cuts).outcome) is outcome


def test_once_the_lease_is_over_it_is_not_gone_on_with() -> None:
    cuts = Cutting(place := Place(), [2 * LEAST])
    place.fails = cuts
    ledger = Ledger(refusal=NotPermitted("The lease is over"))
    transfer = Transfer(lambda: nullcontext(Recording(CONTENT)), job(), ledger)
    upload(place.connect(), [transfer], intend_each)
    assert isinstance(transfer.outcome, ConnectionLost)
    assert len(cuts.puts) == 1


def test_a_line_that_needs_a_moment_is_waited_for() -> None:
    refused = [ConnectFailed("no route"), ConnectionLost("reset")]

    def refuse(step: str, leg: int) -> None:
        if step == "connect" and leg == 1 and refused:
            raise refused.pop()

    cuts = Cutting(Place(), [2 * LEAST], refuses=refuse)
    assert isinstance(brought(Recording(CONTENT), cuts).outcome, Uploaded)


def test_a_login_that_is_refused_is_not_tried_again_and_is_the_failure() -> None:
    asked = list[int]()

    def refuse(step: str, leg: int) -> None:
        if step == "connect" and leg == 1:
            asked.append(leg)
            raise LoginRefused("no")

    cuts = Cutting(Place(), [2 * LEAST], refuses=refuse)
    assert isinstance(brought(Recording(CONTENT), cuts).outcome, LoginRefused)
    assert len(asked) == 1


def test_others_of_its_flight_arrive_or_were_not_begun() -> None:
    place = Place()
    cuts = Cutting(place, [2 * LEAST])
    place.fails = cuts
    transfers = [
        Transfer(opening(Recording(content)), job(number), Ledger((f"{number}.wav",)))
        for number, content in enumerate([b"first", CONTENT, b"last"])
    ]
    upload(place.connect(), transfers, intend_each)
    assert isinstance(transfers[1].outcome, Uploaded)
    assert place.files["1.wav"] == CONTENT
    assert transfers[2].outcome is None
    assert set(place.files) == {"0.wav", "1.wav"}
