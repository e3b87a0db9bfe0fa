"""Which name a recording has at its customer, from the event to the row."""

from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.constants import FX_PERMISSION_DENIED

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer
from tests.integration.platform import Platform, running


class Blind(asyncssh.SFTPServer):
    """Tells of no path what stands there, and lets nobody read."""

    def lstat(self, path: bytes) -> Any:
        raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no looking")

    stat = lstat

    def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        """For writing alone."""
        if pflags & asyncssh.FXF_READ:
            raise asyncssh.SFTPError(FX_PERMISSION_DENIED, "no reading")
        return super().open(path, pflags, attrs)


def test_where_nothing_tells_what_is_taken_the_name_carries_the_id_and_the_row_says_so(
    courier: Platform, tmp_path: Path
) -> None:
    root = tmp_path / "blind"
    root.mkdir()
    (root / "call.wav").write_bytes(b"the customer's own")
    with AsyncSshServer(root, sftp=Blind) as server:
        courier.account("acme", server.customer, Protocol.SFTP)
        with running(courier):
            source = courier.recording("one.wav", b"1" * 9)
            recording_id = courier.publish("acme", source, file_name="call.wav")
            row = courier.wait_status(recording_id, "delivered")
    assert row["remote_path"] == f"call-{recording_id}.wav"
    assert row["tries"] == 0
    assert (root / "call.wav").read_bytes() == b"the customer's own"
    assert (root / row["remote_path"]).read_bytes() == b"1" * 9


@pytest.mark.parametrize(
    ("replaces", "names"),
    [
        (False, {"14:05 <a>?.wav", "14_05 _a__.wav"}),
        (True, {"14_05 _a__.wav", "14_05 _a__ (2).wav"}),
    ],
)
def test_characters_that_windows_forbids_are_replaced_where_that_was_chosen(
    courier: Platform, customer: AsyncSshServer, names: set[str], *, replaces: bool
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, replace_characters=replaces)
    with running(courier):
        ids = [
            courier.publish("acme", courier.recording(source, source.encode()), file_name=name)
            for source, name in (("1.wav", "14:05 <a>?.wav"), ("2.wav", "14_05 _a__.wav"))
        ]
        rows = [courier.wait_status(recording_id, "delivered") for recording_id in ids]
        courier.account_for("acme", customer.root)
    assert {row["remote_path"] for row in rows} == names


def test_blanks_at_the_ends_of_a_name_are_not_sent(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        source = courier.recording("one.wav", b"1")
        recording_id = courier.publish("acme", source, file_name="  call.wav ")
        row = courier.wait_status(recording_id, "delivered")
    assert row["remote_path"] == "call.wav"
    assert [path.name for path in customer.root.iterdir()] == ["call.wav"]
