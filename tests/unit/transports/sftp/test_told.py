"""SFTP's requests and answers in words."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from paramiko import sftp
from paramiko.sftp import int64

from transports.sftp.told import answer_told, is_told, request_told

CONTENT = b"the content of a recording"


def test_requests_are_told_by_their_names_and_paths() -> None:
    assert request_told(sftp.CMD_OPEN, (b"in/a.wav", 26, object())) == "OPEN in/a.wav"
    assert request_told(sftp.CMD_RENAME, (b"a.part", b"a.wav")) == "RENAME a.part a.wav"
    assert request_told(sftp.CMD_CLOSE, (b"\x00\x01",)) == "CLOSE"
    extended = ("posix-rename@openssh.com", "a.part", "a.wav")
    assert request_told(sftp.CMD_EXTENDED, extended) == f"EXTENDED {' '.join(extended)}"


def test_of_writing_a_file_one_line_is_told_and_nothing_of_its_content() -> None:
    first, later = (b"h", int64(0), CONTENT), (b"h", int64(5), CONTENT)
    assert is_told(sftp.CMD_WRITE, first)
    assert not is_told(sftp.CMD_WRITE, later)
    assert request_told(sftp.CMD_WRITE, first) == "WRITE content follows, which is not shown"


def test_answers_are_told_by_what_they_say() -> None:
    refused = struct.pack(">II", 3, 17) + b"Permission denied" + struct.pack(">I", 0)
    assert answer_told(sftp.CMD_STATUS, refused) == "STATUS 3 Permission denied"
    assert answer_told(sftp.CMD_STATUS, struct.pack(">III", 0, 0, 0)) == "STATUS OK"
    assert answer_told(sftp.CMD_ATTRS, struct.pack(">IQ", 1, 480044)) == "ATTRS 480044 bytes"
    data = struct.pack(">I", len(CONTENT)) + CONTENT
    assert answer_told(sftp.CMD_DATA, data) == f"DATA {len(CONTENT)} bytes"


@given(st.integers(min_value=0, max_value=255), st.binary(max_size=200))
def test_no_answer_is_so_hostile_that_it_cannot_be_told(kind: int, body: bytes) -> None:
    assert answer_told(kind, body)
