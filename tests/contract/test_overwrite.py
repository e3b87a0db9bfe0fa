"""Overwriting, against every server: the old file or the new one stands there whole, or it is
made good by the next start.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.sftp import SFTPServerHandler
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.accounts import Capabilities, Look
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer
from tests.contract.accounts import Ledger, files_in, job, open_session, opened, upload
from tests.contract.ftp_handlers import NeverOver
from tests.contract.proxy import Proxy
from tests.servers import Vsftpd
from transports.base import Server
from transports.errors import NameInUse, NameRefused, NotPermitted, TransferError
from transports.job import UNKNOWN_SIZE, Intent, Uploaded

OLD = b"of an earlier recording"
NAME = "call.wav"
SIZE = 480_044


@dataclass
class Refusing(Ledger):
    """A journal that permits so many steps and no more."""

    permits: int = 99

    def permit(self) -> None:
        """Permit the step, or say that the lease is over."""
        self.permits -= 1
        if self.permits < 0:
            raise NotPermitted("The lease is over")


def over(
    session: Server, recording: Path, ledger: Ledger | None = None, attempt: int = 1, **changes: Any
) -> Uploaded:
    """Upload the recording to its name, whatever stands there."""
    with opened(recording) as source:
        return upload(
            session,
            source,
            job(attempt, overwrite=True, **changes),
            ledger or Ledger(names=(NAME,)),
        )


@pytest.fixture
def old(customer: CustomerServer) -> Path:
    """The file that stands at the customer's."""
    path = customer.root / NAME
    path.write_bytes(OLD)
    os.chown(path, customer.root.stat().st_uid, customer.root.stat().st_gid)
    return path


@pytest.fixture(params=["posix-rename refused", "RNTO refused"])
def stubborn(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[CustomerServer]:
    """A customer whose server renames over no file; the old one stands there."""
    root = tmp_path / "stubborn"
    root.mkdir()
    (root / NAME).write_bytes(OLD)
    left = [pair for pair in SFTPServerHandler._extensions if not pair[0].startswith(b"posix")]
    monkeypatch.setattr(SFTPServerHandler, "_extensions", left)
    sftp = AsyncSshServer(root)
    ftp = PyFtpServer(root, handler=NeverOver)
    with sftp, ftp:
        yield (sftp if request.param.startswith("posix") else ftp).customer


def test_the_file_of_that_name_is_replaced(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    done = over(session, recording)
    assert (done.remote_path, done.sent) == (NAME, True)
    assert old.read_bytes() == recording.read_bytes()
    assert list(files_in(customer.root)) == [NAME]


def test_a_name_that_is_free_is_taken_as_ever(
    session: Server, customer: CustomerServer, recording: Path
) -> None:
    assert over(session, recording).remote_path == NAME
    assert files_in(customer.root) == {NAME: SIZE}


def test_where_no_rename_overwrites_the_old_file_is_removed_first(
    stubborn: CustomerServer, recording: Path
) -> None:
    session = open_session(stubborn)
    assert over(session, recording).sent
    session.close()
    assert files_in(stubborn.root) == {NAME: SIZE}


def test_what_the_test_on_save_found_saves_the_attempt(
    stubborn: CustomerServer, recording: Path
) -> None:
    session = open_session(stubborn, capabilities=Capabilities(replace=False))
    assert over(session, recording).sent
    session.close()
    assert files_in(stubborn.root) == {NAME: SIZE}


def test_between_removal_and_rename_the_new_file_stays_and_the_next_start_finishes(
    stubborn: CustomerServer, recording: Path
) -> None:
    ledger = Refusing(names=(NAME,), permits=2)  # one to replace, one to remove
    with pytest.raises(NotPermitted) as ended:
        over(open_session(stubborn), recording, ledger)
    assert ended.value.part_left
    assert files_in(stubborn.root) == {job(1).part: SIZE}
    assert ledger.intent == Intent(job(1).part, NAME, SIZE, ledger.intents[0].sha256)

    session = open_session(stubborn)
    done = over(session, recording, attempt=2, intent=ledger.intent, leftovers=(job(1).part,))
    session.close()
    assert not done.sent
    assert (stubborn.root / NAME).read_bytes() == recording.read_bytes()
    assert files_in(stubborn.root) == {NAME: SIZE}


TESTED = Capabilities(at_once=1, look=Look.SIZE, replace=False)


def test_a_lost_answer_to_the_removal_is_made_good_by_the_next_start(
    tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "stubborn"
    root.mkdir()
    (root / NAME).write_bytes(OLD)
    ledger = Ledger(names=(NAME,))
    with PyFtpServer(root, handler=NeverOver) as server:
        with (
            Proxy(server.customer, lose=b"250 File removed") as proxy,
            pytest.raises(TransferError) as lost,
        ):
            over(
                open_session(server.customer, port=proxy.port, capabilities=TESTED),
                recording,
                ledger,
            )
        assert lost.value.part_left
        assert files_in(root) == {job(1).part: SIZE}
        session = open_session(server.customer, capabilities=TESTED)
        assert not over(session, recording, attempt=2, intent=ledger.intent).sent
        session.close()
    assert files_in(root) == {NAME: SIZE}


def test_a_lost_answer_to_the_removal_ends_no_try_where_the_settings_were_never_tested(
    tmp_path: Path, recording: Path
) -> None:
    root = tmp_path / "stubborn"
    root.mkdir()
    (root / NAME).write_bytes(OLD)
    with (
        PyFtpServer(root, handler=NeverOver) as server,
        Proxy(server.customer, lose=b"250 File removed") as proxy,
    ):
        session = open_session(server.customer, port=proxy.port)
        assert over(session, recording, Ledger(names=(NAME,))).sent
        session.close()
    assert files_in(root) == {NAME: SIZE}


def test_an_old_file_of_the_same_size_is_never_taken_for_the_new_one(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    old.write_bytes(bytes(SIZE))
    ledger = Refusing(names=(NAME,), permits=0)
    with pytest.raises(NotPermitted):
        over(session, recording, ledger)
    assert ledger.intents, "it had come to the rename"
    assert ledger.intent is None, "withdrawn, and only then was the new file removed"
    assert files_in(customer.root) == {NAME: SIZE}

    again = open_session(customer)
    assert over(again, recording, attempt=2, intent=ledger.intent).sent
    again.close()
    assert old.read_bytes() == recording.read_bytes()


def test_what_another_start_has_taken_over_is_left_to_it(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    ledger = Refusing(names=(NAME,), permits=0, is_lost=True)
    with pytest.raises(NotPermitted) as ended:
        over(session, recording, ledger)
    assert ended.value.part_left
    assert files_in(customer.root) == {NAME: len(OLD), job(1).part: SIZE}

    successor = open_session(customer)
    done = over(successor, recording, attempt=2, intent=ledger.intent)
    successor.close()
    assert not done.sent, "the whole temporary file is renamed"
    assert old.read_bytes() == recording.read_bytes()
    assert list(files_in(customer.root)) == [NAME]


def test_a_finished_upload_is_recognised_and_nothing_is_sent_again(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    ledger = Ledger(names=(NAME,))
    over(session, recording, ledger)
    done = over(session, recording, ledger, attempt=2, intent=ledger.intent)
    assert (done.remote_path, done.sent) == (old.name, False)
    assert files_in(customer.root) == {NAME: SIZE}


def test_an_intent_is_withdrawn_before_its_leftover_is_removed(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    intent = Intent(job(1).part, NAME, SIZE + 1, "")
    (customer.root / intent.part).write_bytes(b"half")
    ledger = Ledger(names=(NAME,), is_lost=True)
    with pytest.raises(NotPermitted):
        over(session, recording, ledger, attempt=2, intent=intent)
    assert files_in(customer.root) == {NAME: len(OLD), intent.part: 4}
    assert old.read_bytes() == OLD


def test_a_name_that_another_recording_on_its_way_has_is_left_to_it(
    session: Server, customer: CustomerServer, recording: Path, old: Path
) -> None:
    with pytest.raises(NameInUse):
        over(session, recording, Ledger(names=(NAME,), taken=frozenset({NAME})))
    assert files_in(customer.root) == {NAME: len(OLD)}
    assert old.read_bytes() == OLD


@pytest.mark.parametrize("why", ["told by the test on save", "found out"])
def test_where_renames_are_refused_the_name_is_written_anew(
    tmp_path: Path, recording: Path, why: str
) -> None:
    ledger = Ledger(names=(NAME,))
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=RNFR"]) as server:
        old = server.root / NAME
        old.write_bytes(OLD)
        session = open_session(server.customer)
        done = over(session, recording, ledger, rename=why == "found out")
        session.close()
        assert files_in(server.root) == {NAME: SIZE}
    assert done.sent
    last_two = [intent.size for intent in ledger.intents[-2:]]
    assert last_two == [UNKNOWN_SIZE, SIZE], "the old file can never be taken for the new one"


class Keeping(asyncssh.SFTPServer):
    """Renames over no file and removes none but temporary ones."""

    def remove(self, path: bytes) -> Any:
        """Remove, or refuse."""
        if not path.endswith(b".part"):
            raise asyncssh.SFTPPermissionDenied("it must stay")
        return super().remove(path)


def test_an_old_file_that_must_stay_is_a_failure_of_this_file_alone(
    tmp_path: Path, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = [pair for pair in SFTPServerHandler._extensions if not pair[0].startswith(b"posix")]
    monkeypatch.setattr(SFTPServerHandler, "_extensions", left)
    root = tmp_path / "served"
    root.mkdir()
    (root / NAME).write_bytes(OLD)
    ledger = Ledger(names=(NAME,))
    with AsyncSshServer(root, sftp=Keeping) as server, pytest.raises(NameRefused) as refused:
        over(open_session(server.customer), recording, ledger)
    assert refused.value.words == "it must stay"
    assert not refused.value.part_left
    assert ledger.intent is None
    assert files_in(root) == {NAME: len(OLD)}


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(cut=st.integers(0, SIZE + 20_000))
def test_a_connection_cut_anywhere_leaves_the_old_file_or_the_new_one(
    customer: CustomerServer, recording: Path, old: Path, cut: int
) -> None:
    for path in customer.root.iterdir():
        path.unlink()
    old.write_bytes(bytes(SIZE))
    os.chown(old, customer.root.stat().st_uid, customer.root.stat().st_gid)
    ledger = Ledger(names=(NAME,))
    try:
        with Proxy(customer, cut_after=cut) as proxy:
            session = open_session(customer, port=proxy.port)
            try:
                over(session, recording, ledger)
            finally:
                session.close()
    except TransferError:
        assert old.read_bytes() in {bytes(SIZE), recording.read_bytes()}
    session = open_session(customer)
    over(session, recording, attempt=2, intent=ledger.intent, leftovers=(job(1).part,))
    session.close()
    assert old.read_bytes() == recording.read_bytes()
    assert list(files_in(customer.root)) == [NAME]
