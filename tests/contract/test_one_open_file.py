"""SFTP servers that let one file be open, and what they say to the second."""

import itertools
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import SecretStr

from deploy.local.customers import AsyncSshServer
from tests.contract.accounts import LIMITS, files_in, open_session, settings_of
from tests.servers.one_file import OneFileServer
from transports import settings_test
from transports.base import Egress, Put, PutResult
from transports.busy import FileRefusedBesideOthers
from transports.errors import Kind, PathRefused, TransferError

COUNT = 6
REFUSALS = {
    "PERMISSION_DENIED": asyncssh.SFTPPermissionDenied,
    "FAILURE": asyncssh.SFTPFailure,
}


WAYS = [*itertools.product(REFUSALS, ("channel", "connection"))]


def served(tmp_path: Path, code: str, per: str) -> OneFileServer:
    return OneFileServer(tmp_path / "served", REFUSALS[code], per=per)


@pytest.mark.parametrize(("code", "per"), WAYS)
def test_the_test_on_save_finds_it(tmp_path: Path, code: str, per: str) -> None:
    with served(tmp_path, code, per) as server:
        customer = server.customer
        settings, password = settings_of(customer), SecretStr(customer.password)
        report = settings_test.test_settings(settings, password, LIMITS, Egress())
        assert report.ok, report.failure
        assert files_in(customer.root) == {}
    found = report.capabilities
    assert found.open_files == 1
    assert (found.at_once == 1) is (per == "connection")


@pytest.mark.parametrize(("code", "per"), WAYS)
def test_files_that_go_together_arrive_one_after_the_other(
    tmp_path: Path, code: str, per: str
) -> None:
    puts = [Put(f"{n}.part", lambda: nullcontext([b"a recording"])) for n in range(COUNT)]
    with (
        served(tmp_path, code, per) as server,
        closing(open_session(server.customer)) as session,
    ):
        session.put_all(puts)
        assert all(isinstance(put.outcome, PutResult) for put in puts)
        assert len(files_in(server.customer.root)) == COUNT


@pytest.mark.parametrize("code", REFUSALS)
def test_a_file_refused_beside_one_of_another_session_is_not_to_blame(
    tmp_path: Path, code: str
) -> None:
    refused: list[TransferError] = []
    with (
        served(tmp_path, code, "connection") as server,
        closing(open_session(server.customer)) as first,
        closing(first.another()) as second,
    ):

        def blocks() -> Any:
            """The second one comes while this one is open."""
            yield b"a recording"
            with pytest.raises(TransferError) as beside:
                second.put([b"another one"], "second.part")
            refused.append(beside.value)
            yield b" goes on"

        first.put(blocks(), "first.part")
        assert files_in(server.customer.root) == {"first.part": len(b"a recording goes on")}
    assert [type(each) for each in refused] == [FileRefusedBesideOthers]
    assert refused[0].kind is Kind.BUSY


def test_a_file_that_is_refused_alone_is_the_paths_failure(tmp_path: Path) -> None:
    class NoRight(asyncssh.SFTPServer):
        def open(self, *_: object) -> Any:
            raise asyncssh.SFTPPermissionDenied("No")

    root = tmp_path / "served"
    root.mkdir()
    with (
        AsyncSshServer(root, sftp=NoRight) as server,
        closing(open_session(server.customer)) as session,
        pytest.raises(PathRefused),
    ):
        session.put([b"a recording"], "call.part")
