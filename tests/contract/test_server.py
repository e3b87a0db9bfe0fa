"""The interface `transports.base.Server`, the same against every server."""

from pathlib import Path

import pytest

from deploy.local.customers import CustomerServer
from tests.contract.accounts import files_in, open_session
from transports.base import Server, TargetExists
from transports.errors import ConnectionLost, NameRefused, PathRefused

NAMES = (
    "call.wav",
    "with spaces & (brackets) [1].wav",
    "Grüße 通話 🎧.wav",
    "-leading-dash.wav",
    "name;with'quotes\".wav",
    "ü" * 125 + ".wav",
)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_is_put_under_its_name_whole(
    session: Server, customer: CustomerServer, name: str
) -> None:
    session.put([b"first ", b"", b"second"], name)
    assert session.size(name) == len(b"first second")
    assert session.exists(name)
    assert (customer.root / name).read_bytes() == b"first second"


def test_what_is_seen_on_the_way_is_true_or_nothing(
    session: Server, customer: CustomerServer
) -> None:
    (customer.root / "taken.wav").write_bytes(b"of somebody else")
    for name, taken in (("taken.wav", True), ("free.wav", False)):
        seen = session.put([b"first ", b"second"], "a.part", name)
        assert seen.size in {None, len(b"first second")}
        assert seen.taken in {None, taken}
        assert seen.name == name or seen.taken is None


def test_a_file_larger_than_all_windows_arrives_whole(
    session: Server, customer: CustomerServer
) -> None:
    blocks = [bytes([number]) * 261_120 for number in range(40)]
    session.put(blocks, "large.wav")
    assert (customer.root / "large.wav").read_bytes() == b"".join(blocks)


def test_an_empty_file_is_a_file(session: Server, customer: CustomerServer) -> None:
    session.put([], "empty.wav")
    assert session.size("empty.wav") == 0
    assert files_in(customer.root) == {"empty.wav": 0}


def test_what_is_missing_has_no_size_and_does_not_exist(session: Server) -> None:
    assert session.size("missing.wav") is None
    assert not session.exists("missing.wav")


def test_a_rename_moves_the_file(session: Server, customer: CustomerServer) -> None:
    session.put([b"x"], "a.part")
    session.rename("a.part", "a.wav")
    assert files_in(customer.root) == {"a.wav": 1}


def test_a_rename_never_overwrites(session: Server, customer: CustomerServer) -> None:
    (customer.root / "a.wav").write_bytes(b"of somebody else")
    session.put([b"x"], "a.part")
    with pytest.raises(TargetExists):
        session.rename("a.part", "a.wav")
    assert files_in(customer.root) == {"a.part": 1, "a.wav": 16}
    session.remove("a.part")


def test_removing_what_is_not_there_is_fine(session: Server, customer: CustomerServer) -> None:
    session.put([b"x"], "a.part")
    session.remove("a.part")
    session.remove("a.part")
    assert files_in(customer.root) == {}


def test_folders_are_made_with_those_above_them(session: Server, customer: CustomerServer) -> None:
    session.make_directory("calls/of the day/ünï")
    session.make_directory("calls/of the day/ünï")
    session.make_directory("calls")
    session.make_directory(".")
    session.put([b"x"], "calls/of the day/ünï/a.wav")
    session.put([b"x"], "a.wav")
    assert files_in(customer.root) == {"a.wav": 1, "calls/of the day/ünï/a.wav": 1}


def test_absolute_paths_are_absolute(session: Server, customer: CustomerServer) -> None:
    folder = f"{customer.home.rstrip('/')}/deep/folder"
    session.make_directory(folder)
    session.put([b"x"], f"{folder}/a.wav")
    assert files_in(customer.root) == {"deep/folder/a.wav": 1}


def test_a_folder_where_a_file_stands_is_the_paths_fault(
    session: Server, customer: CustomerServer
) -> None:
    (customer.root / "calls").write_bytes(b"a file")
    with pytest.raises(PathRefused):
        session.make_directory("calls/today")


def test_a_folder_that_is_missing_is_the_paths_fault(session: Server) -> None:
    with pytest.raises(PathRefused) as refused:
        session.put([b"x"], "missing/a.part")
    assert refused.value.words


def test_a_name_that_the_server_does_not_take_is_the_names_fault(
    session: Server, customer: CustomerServer
) -> None:
    session.put([b"x"], "a.part")
    with pytest.raises(NameRefused):
        session.rename("a.part", "x" * 300)
    session.remove("a.part")
    assert files_in(customer.root) == {}


def test_a_closed_session_says_so_and_may_be_closed_again(customer: CustomerServer) -> None:
    session = open_session(customer)
    session.close()
    session.close()
    with pytest.raises(ConnectionLost):
        session.put([b"x"], "a.wav")


@pytest.mark.usefixtures("nothing_left")
def test_a_session_leaves_no_thread_and_no_descriptor(customer: CustomerServer) -> None:
    for _ in range(3):
        session = open_session(customer)
        session.put([b"x"], "a.wav")
        session.close()


def test_a_source_that_fails_leaves_the_session_usable(
    session: Server, customer: CustomerServer, tmp_path: Path
) -> None:
    def failing() -> object:
        yield b"some"
        raise RuntimeError(str(tmp_path))

    with pytest.raises(RuntimeError):
        session.put(failing(), "a.part")  # type: ignore[arg-type]
    session.remove("a.part")
    session.put([b"x"], "b.wav")
    assert files_in(customer.root) == {"b.wav": 1}
