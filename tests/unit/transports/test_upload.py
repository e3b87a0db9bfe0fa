"""Several files at once, at a server of our own interface: each has an outcome of its own, whatever
fails, and a session that is over is the end of all that had begun."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import pytest

from tests.contract.accounts import Ledger, job
from tests.servers.fake import Place
from transports.base import Server
from transports.errors import (
    ConnectionLost,
    NameInUse,
    NameRefused,
    NotPermitted,
    PathRefused,
    SourceMismatch,
    SourceMissing,
    TransferError,
    VerificationFailed,
)
from transports.job import Intent, Transfer, Uploaded, intend_each
from transports.sources.source import Source
from transports.upload import upload

COUNT = 5
BAD = 2


@dataclass
class Text:
    """A recording in memory."""

    content: bytes

    @property
    def size(self) -> int | None:
        return len(self.content)

    def __iter__(self) -> Iterator[bytes]:
        yield self.content


class DatabaseAway(Exception):
    """Some error of the ledger."""


def content(number: int) -> bytes:
    return b"recording %d" % number


def part(number: int) -> str:
    return job(number).part


def transfer(number: int, ledger: Ledger | None = None, **changes: object) -> Transfer:
    names = (f"{number}.wav", f"{number} (2).wav")
    return Transfer(
        lambda: nullcontext(Text(content(number))), job(number, **changes), ledger or Ledger(names)
    )


def flight(ledger: Ledger | None = None, **of_bad: object) -> list[Transfer]:
    """Five files; the ledger and the changes of the job are the third one's."""
    return [
        transfer(each, ledger, **of_bad) if each == BAD else transfer(each) for each in range(COUNT)
    ]


def failing(place: Place, error: Exception, step: str, path: str) -> None:
    """Have the step fail about this path."""

    def fails(at: str, about: str) -> None:
        if (at, about) == (step, path):
            raise error

    place.fails = fails


def assert_others_arrived(place: Place, transfers: Sequence[Transfer]) -> None:
    """All but the bad one stand in their places."""
    good = {f"{each}.wav": content(each) for each in range(COUNT) if each != BAD}
    assert {path: place.files.get(path) for path in good} == good
    for number, each in enumerate(transfers):
        assert isinstance(each.outcome, Uploaded) is (number != BAD), each.outcome


def test_all_of_them_arrive_with_one_write_of_their_intents() -> None:
    place, asked = Place(), []

    def intend(wanted: Sequence[tuple[Transfer, Intent]]) -> Sequence[bool]:
        asked.append([intent.final for _, intent in wanted])
        return [True] * len(wanted)

    transfers = flight()
    server = place.connect()
    upload(server, transfers, intend)
    assert [each.result().remote_path for each in transfers] == [f"{n}.wav" for n in range(COUNT)]
    assert asked == [[f"{n}.wav" for n in range(COUNT)]]
    assert place.files == {f"{n}.wav": content(n) for n in range(COUNT)}
    assert server.connected


@pytest.mark.parametrize(
    ("step", "path", "error"),
    [
        ("put", part(BAD), PathRefused("550 no")),
        ("size", part(BAD), VerificationFailed("cut")),
        ("exists", f"{BAD}.wav", NameRefused("no")),
        ("rename", f"{BAD}.wav", NameRefused("no")),
        ("size", part(BAD), ZeroDivisionError()),
        ("rename", f"{BAD}.wav", ZeroDivisionError()),
    ],
)
def test_a_file_that_fails_leaves_the_flight_and_the_others_go_on(
    step: str, path: str, error: Exception
) -> None:
    place = Place()
    failing(place, error, step, path)
    transfers, server = flight(), place.connect()
    upload(server, transfers, intend_each)
    assert transfers[BAD].outcome is error
    assert_others_arrived(place, transfers)
    assert part(BAD) not in place.files
    assert not server.connected


def raising(error: Exception) -> Callable[[], AbstractContextManager[Source]]:
    def opened() -> AbstractContextManager[Source]:
        raise error

    return opened


def test_a_recording_that_is_missing_costs_the_others_nothing() -> None:
    place, transfers = Place(), flight()
    transfers[BAD].open_source = raising(SourceMissing("gone"))
    upload(place.connect(), transfers, intend_each)
    assert isinstance(transfers[BAD].outcome, SourceMissing)
    assert_others_arrived(place, transfers)
    assert not transfers[BAD].job.progress.part_left


def test_a_recording_of_another_size_costs_the_others_nothing() -> None:
    place, transfers = Place(), flight(expected_size=1)
    upload(place.connect(), transfers, intend_each)
    assert isinstance(transfers[BAD].outcome, SourceMismatch)
    assert_others_arrived(place, transfers)


@pytest.mark.parametrize("error", [NotPermitted("The lease is over"), DatabaseAway()])
def test_what_the_journal_of_one_raises_is_its_outcome(error: Exception) -> None:
    place, transfers = Place(), flight(ledger=Ledger((f"{BAD}.wav",), refusal=error))
    upload(place.connect(), transfers, intend_each)
    assert transfers[BAD].outcome is error
    assert_others_arrived(place, transfers)
    assert part(BAD) not in place.files


def test_where_the_intents_cannot_be_written_nothing_is_renamed_and_nothing_is_left() -> None:
    def intend(_wanted: Sequence[tuple[Transfer, Intent]]) -> Sequence[bool]:
        raise DatabaseAway

    place, transfers = Place(), flight()
    upload(place.connect(), transfers, intend)
    assert {type(each.outcome) for each in transfers} == {DatabaseAway}
    assert place.files == {}


def test_a_path_that_another_recording_has_reserved_is_left_to_it() -> None:
    ledger = Ledger((f"{BAD}.wav", "other.wav"), taken=frozenset({f"{BAD}.wav"}))
    place, transfers = Place(), flight(ledger=ledger)
    upload(place.connect(), transfers, intend_each)
    assert transfers[BAD].result().remote_path == "other.wav"
    assert [intent.final for intent in ledger.intents] == [f"{BAD}.wav", "other.wav"]


def test_a_name_taken_meanwhile_is_never_written_over() -> None:
    class Overtaken(Ledger):
        def permit(self) -> None:
            place.files.setdefault(f"{BAD}.wav", b"of somebody else")

    place, transfers = Place(), flight(ledger=Overtaken((f"{BAD}.wav", "next.wav")))
    upload(place.connect(), transfers, intend_each)
    assert transfers[BAD].result().remote_path == "next.wav"
    assert place.files[f"{BAD}.wav"] == b"of somebody else"


def test_two_names_that_are_one_on_some_servers_are_not_renamed_together() -> None:
    """The second one is looked for again once the first one stands there."""

    class OneCase(dict[str, bytes]):
        def __contains__(self, path: object) -> bool:
            return any(each.lower() == str(path).lower() for each in self)

    place = Place(files=OneCase())
    transfers = [
        transfer(0, Ledger(("Call.wav",))),
        transfer(1, Ledger(("call.wav", "call (2).wav"))),
    ]
    upload(place.connect(), transfers, intend_each)
    assert [each.result().remote_path for each in transfers] == ["Call.wav", "call (2).wav"]


def test_a_file_that_overwrites_goes_beside_the_others() -> None:
    place, transfers = Place(files={f"{BAD}.wav": b"old"}), flight(overwrite=True)
    upload(place.connect(), transfers, intend_each)
    assert place.files == {f"{n}.wav": content(n) for n in range(COUNT)}


def test_what_an_earlier_start_had_finished_is_not_sent_again() -> None:
    done = Intent("old.part", f"{BAD}.wav", len(content(BAD)), "")
    place, transfers = Place(files={f"{BAD}.wav": content(BAD)}), flight(intent=done)
    upload(place.connect(), transfers, intend_each)
    assert [each.result().sent for each in transfers] == [n != BAD for n in range(COUNT)]


def test_sources_are_opened_one_by_one() -> None:
    place, is_open = Place(), [0]

    @contextmanager
    def opened() -> Iterator[Source]:
        is_open[0] += 1
        assert is_open[0] == 1
        yield Text(b"x")
        is_open[0] -= 1

    transfers = flight()
    for each in transfers:
        each.open_source = opened
    upload(place.connect(), transfers, intend_each)
    assert all(isinstance(each.outcome, Uploaded) for each in transfers)


def cutting(place: Place, server: Server, step: str, path: str) -> None:
    """Have the connection end at the step about this path."""

    def fails(at: str, about: str) -> None:
        if not server.connected or (at, about) == (step, path):
            server.cut()
            raise ConnectionLost("Connection reset by peer")

    place.fails = fails


@pytest.mark.parametrize(
    ("step", "path", "begun"),
    [
        ("mkdir", ".", 1),
        ("put", part(BAD), BAD + 1),
        ("size", part(BAD), COUNT),
        ("exists", f"{BAD}.wav", COUNT),
    ],
)
def test_a_cut_connection_is_one_failure_of_all_that_had_begun(
    step: str, path: str, begun: int
) -> None:
    place, transfers = Place(), flight()
    server = place.connect()
    cutting(place, server, step, path)
    upload(server, transfers, intend_each)
    failures = [each.outcome for each in transfers[:begun]]
    assert {type(each) for each in failures} == {ConnectionLost}
    assert [each.outcome for each in transfers[begun:]] == [None] * (COUNT - begun)
    shared = {id(each.common) for each in failures if isinstance(each, TransferError)}
    assert len(shared) == 1
    if step != "mkdir":
        assert all(each.job.progress.part_left for each in transfers[:begun])


def test_a_connection_cut_between_two_renames_leaves_those_done_delivered() -> None:
    place, transfers = Place(), flight()
    server = place.connect()
    cutting(place, server, "rename", f"{BAD}.wav")
    upload(server, transfers, intend_each)
    assert [type(each.outcome) for each in transfers] == [
        *[Uploaded] * BAD,
        *[ConnectionLost] * (COUNT - BAD),
    ]
    assert [f"{n}.wav" in place.files for n in range(COUNT)] == [n < BAD for n in range(COUNT)]


def test_one_name_on_its_way_twice_is_the_second_ones_to_wait_for() -> None:
    taken = frozenset({f"{BAD}.wav"})
    place = Place()
    transfers = flight(overwrite=True, ledger=Ledger((f"{BAD}.wav",), taken=taken))
    upload(place.connect(), transfers, intend_each)
    assert isinstance(transfers[BAD].outcome, NameInUse)
    assert_others_arrived(place, transfers)
