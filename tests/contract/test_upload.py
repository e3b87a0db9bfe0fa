"""The one upload algorithm, against every server."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from deploy.local.customers import CustomerServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, upload
from transports.base import Server
from transports.errors import (
    NameRefused,
    NotPermitted,
    SourceChanged,
    SourceMismatch,
    TransferError,
)
from transports.job import Intent, Uploaded, Verified


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_recording_arrives_whole_under_its_name(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    ledger = Ledger()
    with opened(recording) as source:
        done = upload(session, source, job(), ledger)
    size, digest = recording.stat().st_size, sha256(recording)
    assert done == Uploaded("call.wav", size, digest, Verified.SIZE, sent=True)
    assert (customer.root / "call.wav").read_bytes() == recording.read_bytes()
    assert files_in(customer.root) == {"call.wav": size}
    assert ledger.intents == [Intent(job().part, "call.wav", size, digest)]


def test_a_recording_of_no_bytes_is_delivered(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    recording.write_bytes(b"")
    with opened(recording) as source:
        assert upload(session, source, job(expected_size=0), Ledger()).size == 0
    assert files_in(customer.root) == {"call.wav": 0}


def test_one_session_delivers_many_recordings_into_a_new_folder(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    for number in range(3):
        ledger = Ledger(names=(f"to/day/{number}.wav",))
        with opened(recording) as source:
            upload(session, source, job(number, folder="to/day"), ledger)
    size = recording.stat().st_size
    assert files_in(customer.root) == {f"to/day/{number}.wav": size for number in range(3)}


def test_a_name_that_is_taken_is_numbered_and_never_overwritten(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    (customer.root / "call.wav").write_bytes(b"of somebody else")
    ledger = Ledger(taken=frozenset({"call (2).wav"}))
    with opened(recording) as source:
        done = upload(session, source, job(), ledger)
    assert done.remote_path == "call (3).wav"
    assert (customer.root / "call.wav").read_bytes() == b"of somebody else"
    assert [intent.final for intent in ledger.intents] == ["call (2).wav", "call (3).wav"]


def test_without_a_free_name_nothing_is_left(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    (customer.root / "call.wav").write_bytes(b"x")
    with pytest.raises(NameRefused), opened(recording) as source:
        upload(session, source, job(), Ledger(names=("call.wav",)))
    assert files_in(customer.root) == {"call.wav": 1}


def test_what_earlier_starts_left_is_removed(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    left = job(1).part
    (customer.root / left).write_bytes(b"half")
    with opened(recording) as source:
        upload(session, source, job(2, leftovers=(left, "gone.part")), Ledger())
    assert list(files_in(customer.root)) == ["call.wav"]


def test_a_finished_upload_is_recognised_and_nothing_is_sent_again(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    ledger = Ledger()
    with opened(recording) as source:
        first = upload(session, source, job(1), ledger)
        again = upload(session, source, job(2, intent=ledger.intents[0]), ledger)
    assert again == Uploaded(first.remote_path, first.size, first.sha256, Verified.SIZE, sent=False)
    assert list(files_in(customer.root)) == ["call.wav"]


def test_an_upload_that_ended_before_its_rename_is_done_anew(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    intent = Intent(job(1).part, "call.wav", recording.stat().st_size, sha256(recording))
    (customer.root / intent.part).write_bytes(recording.read_bytes())
    with opened(recording) as source:
        done = upload(session, source, job(2, intent=intent), Ledger())
    assert done.sent
    assert list(files_in(customer.root)) == ["call.wav"]


def test_somebody_elses_file_of_another_size_is_not_taken_for_ours(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    (customer.root / "call.wav").write_bytes(b"of somebody else")
    intent = Intent(job(1).part, "call.wav", recording.stat().st_size, sha256(recording))
    with opened(recording) as source:
        done = upload(session, source, job(2, intent=intent), Ledger())
    assert (done.remote_path, done.sent) == ("call (2).wav", True)


@pytest.mark.parametrize(
    "expected", [{"expected_size": 480_045}, {"expected_size": 3}, {"expected_sha256": "0" * 64}]
)
def test_a_recording_that_is_not_what_its_event_says_is_not_delivered(
    session: Server, customer: CustomerServer, recording: Path, expected: dict[str, Any]
) -> None:
    with pytest.raises(SourceMismatch) as failed, opened(recording) as source:
        upload(session, source, job(**expected), Ledger())
    assert not failed.value.part_left
    assert files_in(customer.root) == {}


def test_a_recording_that_is_replaced_while_it_is_sent_is_not_delivered(
    session: Server, customer: CustomerServer, recording: Path, tmp_path: Path
) -> None:
    with opened(recording) as source:
        other = tmp_path / "other.wav"
        other.write_bytes(recording.read_bytes())
        other.rename(recording)
        with pytest.raises(SourceChanged):
            upload(session, source, job(), Ledger())
    assert files_in(customer.root) == {}


class DatabaseAway(Exception):
    """Some error of the ledger."""


@pytest.mark.parametrize("refusal", [NotPermitted("The lease is over"), DatabaseAway()])
def test_without_permission_nothing_is_renamed_and_nothing_is_left(
    session: Server, customer: CustomerServer, recording: Path, refusal: Exception
) -> None:
    (customer.root / "call.wav").write_bytes(b"x")
    with pytest.raises(type(refusal)), opened(recording) as source:
        upload(session, source, job(), Ledger(refusal=refusal))
    assert files_in(customer.root) == {"call.wav": 1}


def test_after_an_error_the_session_is_closed(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    ledger = Ledger(refusal=NotPermitted("The lease is over"))
    with pytest.raises(NotPermitted), opened(recording) as source:
        upload(session, source, job(), ledger)
    with pytest.raises(TransferError):
        session.put([b"x"], "a.part")
    assert files_in(customer.root) == {}


def test_after_an_error_of_the_recording_alone_the_session_is_used_on(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    with pytest.raises(SourceMismatch), opened(recording) as source:
        upload(session, source, job(expected_size=1), Ledger())
    assert files_in(customer.root) == {}
    with opened(recording) as source:
        upload(session, source, job(2), Ledger())
    assert files_in(customer.root) == {"call.wav": recording.stat().st_size}


def test_where_renames_are_refused_the_file_is_written_to_its_name(
    customer: CustomerServer, recording: Path
) -> None:
    session = open_session(customer)
    ledger = Ledger()
    with opened(recording) as source:
        done = upload(session, source, job(rename=False), ledger)
    session.close()
    assert done.remote_path == "call.wav"
    assert ledger.intents[0].part == "call.wav"
    assert (customer.root / "call.wav").read_bytes() == recording.read_bytes()


def test_a_file_cut_off_under_its_own_name_is_removed_and_written_anew(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    (customer.root / "call.wav").write_bytes(b"half")
    intent = Intent("call.wav", "call.wav", recording.stat().st_size, "")
    with opened(recording) as source:
        done = upload(session, source, job(2, rename=False, intent=intent), Ledger())
    assert done.remote_path == "call.wav"
    assert files_in(customer.root) == {"call.wav": recording.stat().st_size}


def test_a_file_written_to_its_name_is_removed_where_it_fails(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    with pytest.raises(SourceMismatch), opened(recording) as source:
        upload(session, source, job(rename=False, expected_sha256="0" * 64), Ledger())
    assert files_in(customer.root) == {}
