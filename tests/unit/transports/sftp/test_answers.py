"""Whatever a server's packet holds, it is read or refused, and no loop is longer than it."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from paramiko.sftp import CMD_STATUS

from transports.sftp.answers import (
    Attributes,
    Malformed,
    Refused,
    attributes_of,
    check_status,
    data_of,
    digest_of,
    extensions_of,
    handle_of,
    has_no_room,
    names_of,
    write_limit_of,
)

_MANY = b"\xff" * 4
PARSERS: tuple[Callable[[bytes], object], ...] = (
    lambda data: check_status(CMD_STATUS, data),
    handle_of,
    attributes_of,
    extensions_of,
    names_of,
    write_limit_of,
    has_no_room,
    lambda data: digest_of(data, "sha256"),
    lambda data: data_of(data, 100),
)


@pytest.mark.parametrize("parse", PARSERS)
@given(data=st.binary(max_size=300))
@example(data=b"")
@example(data=_MANY)
@example(data=_MANY * 8)
@example(data=struct.pack(">II", 0x80000000, 0xFFFFFFFF))
def test_random_bytes_are_read_or_malformed(parse: Callable[[bytes], object], data: bytes) -> None:
    with contextlib.suppress(Malformed, Refused):
        parse(data)


def test_attributes_with_four_thousand_million_extensions_are_read_at_once() -> None:
    said = struct.pack(">IQII", 0x80000005, 480_044, 0o100644, 0xFFFFFFFF)
    assert attributes_of(said) == Attributes(480_044, 0o100644)


@pytest.mark.parametrize("content", [b"", b"x" * 101])
def test_data_is_something_and_no_more_than_was_asked_for(content: bytes) -> None:
    with pytest.raises(Malformed):
        data_of(struct.pack(">I", len(content)) + content, 100)


def named(name: bytes, attributes: bytes) -> bytes:
    longname = b"-rw-r--r-- 1 0 0 " + name
    return b"".join(struct.pack(">I", len(each)) + each for each in (name, longname)) + attributes


def test_names_are_read_whatever_attributes_stand_between_them() -> None:
    none = struct.pack(">I", 0)
    all_of_them = struct.pack(">IQIIIIII", 0x8000000F, 5, 1, 1, 0o644, 0, 0, 1)
    extended = all_of_them + struct.pack(">I", 1) + b"a" + struct.pack(">I", 1) + b"b"
    said = named(b"one.wav", extended) + named(b"two.wav", none)
    assert names_of(struct.pack(">I", 2) + said) == [b"one.wav", b"two.wav"]
    for told in (0, 3, 0xFFFFFFFF):
        with pytest.raises(Malformed):
            names_of(struct.pack(">I", told) + said)


def test_half_an_answer_is_not_filled_up_with_zeros() -> None:
    with pytest.raises(Malformed):
        attributes_of(struct.pack(">I", 1) + b"\0\0")


def test_a_status_without_words_is_told_by_its_number() -> None:
    with pytest.raises(Refused) as refused:
        check_status(CMD_STATUS, struct.pack(">I", 4))
    assert refused.value.words == "Failure"


@pytest.mark.parametrize("count", [0, 31, 33, 64, 200_000])
def test_a_digest_has_the_length_of_its_algorithm(count: int) -> None:
    used = struct.pack(">I", 6) + b"sha256"
    assert digest_of(used + bytes(32), "sha256") == "00" * 32
    with pytest.raises(Malformed):
        digest_of(used + bytes(count), "sha256")
