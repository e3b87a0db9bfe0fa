"""SSH packets of ours: what paramiko reads of them, and what of paramiko they rest on."""

import inspect
import os
import socket
from collections.abc import Callable
from hashlib import md5, sha1, sha256, sha512
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from paramiko import Transport
from paramiko.common import MSG_CHANNEL_DATA
from paramiko.message import Message
from paramiko.packet import Packetizer
from paramiko.ssh_exception import SSHException

from transports.ssh.packets import PRIVATE, ChannelData, LeanPacketizer, Pieces

Kind = Callable[[str], dict[str, Any]]
"""Makes what one end is given, which sends or reads: `out` or `in`."""
KEY, IV, MAC_KEY = bytes(range(16)), bytes(range(100, 116)), bytes(range(64))


class Wire:
    """What was sent is what is read; it takes `most` bytes at once."""

    def __init__(self, most: int = 1 << 30) -> None:
        self.most = most
        self.sent = bytearray()
        self.refuses: list[Exception] = []

    def send(self, data: Any, /) -> int:
        if self.refuses:
            raise self.refuses.pop()
        piece = bytes(data[: self.most])
        self.sent += piece
        return len(piece)

    def recv(self, size: int) -> bytes:
        taken = bytes(self.sent[:size])
        del self.sent[:size]
        return taken

    def close(self) -> None: ...


def gcm(_way: str) -> dict[str, Any]:
    return {
        "block_engine": AESGCM(KEY), "block_size": 16, "mac_engine": None, "mac_size": 16,
        "mac_key": None, "aead": True,
    }  # fmt: skip


def ciphered(mode: Any, digest: Any, size: int, *, etm: bool) -> Kind:
    def made(way: str) -> dict[str, Any]:
        cipher = Cipher(algorithms.AES(KEY), mode(IV))
        return {
            "block_engine": cipher.encryptor() if way == "out" else cipher.decryptor(),
            "block_size": 16, "mac_engine": digest, "mac_size": size, "mac_key": MAC_KEY,
            "etm": etm,
        }  # fmt: skip

    return made


KINDS = {
    "gcm": gcm,
    **{
        f"{mode.__name__} {digest.__name__} {size} {'etm' if etm else ''}": ciphered(
            mode, digest, size, etm=etm
        )
        for mode in (modes.CTR, modes.CBC)
        for digest, size in ((sha256, 32), (sha512, 64), (sha1, 20), (sha1, 12), (md5, 16))
        for etm in (False, True)
    },
}


def pair(kind: Kind, wire: Wire) -> tuple[LeanPacketizer, Packetizer]:
    """Ours, and paramiko's that reads what it sends."""
    ours, theirs = lean(wire), paramikos(wire)
    made = kind("out")
    ours.set_outbound_cipher(**made, iv_out=IV[:12])
    made = kind("in")
    theirs.set_inbound_cipher(**made, iv_in=IV[:12])
    return ours, theirs


def lean(wire: Wire) -> LeanPacketizer:
    return LeanPacketizer(cast("socket.socket", wire))


def paramikos(wire: Wire) -> Packetizer:
    return Packetizer(cast("socket.socket", wire))


def message(content: bytes) -> Message:
    return Message(b"\x02" + content)


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_paramiko_reads_what_is_sealed(kind: Kind) -> None:
    ours, theirs = pair(kind, Wire(most=1000))
    for size in (*range(40), 32_704, 100_000):
        content = os.urandom(size)
        ours.send_message(message(content))
        told, read = theirs.read_message()
        assert (told, read.asbytes()) == (2, content)


def test_before_the_first_keys_paramiko_reads_it_as_well() -> None:
    wire = Wire()
    for size in range(40):
        lean(wire).send_message(message(bytes(size)))
        told, read = paramikos(wire).read_message()
        assert (told, read.asbytes()) == (2, bytes(size))


@given(
    pieces=st.lists(st.binary(max_size=400), min_size=1, max_size=5),
    cuts=st.lists(st.integers(1, 90), min_size=1, max_size=9),
    kind=st.sampled_from(
        [KINDS["gcm"], KINDS["CTR openssl_sha256 32 etm"], KINDS["CTR openssl_sha256 32 "]]
    ),
)
def test_data_comes_in_packets_of_the_sizes_that_are_allowed(
    pieces: list[bytes], cuts: list[int], kind: Kind
) -> None:
    whole = b"".join(pieces)
    sizes = [size for size, end in zip(cuts, _ends(cuts), strict=True) if end <= len(whole)]
    if not sizes:
        return
    ours, theirs = pair(kind, Wire())
    ours.send_message(ChannelData(7, Pieces(pieces), sizes, lambda: None))
    got = []
    for _ in sizes:
        told, read = theirs.read_message()
        assert (told, read.get_int()) == (MSG_CHANNEL_DATA, 7)
        got.append(read.get_binary())
    assert [len(each) for each in got] == sizes
    assert b"".join(got) == whole[: sum(sizes)]


def _ends(sizes: list[int]) -> list[int]:
    return [sum(sizes[: number + 1]) for number in range(len(sizes))]


def test_each_piece_that_goes_out_is_told_and_a_wire_that_is_full_is_tried_again() -> None:
    wire = Wire(most=1000)
    ours, theirs = pair(gcm, wire)
    moved: list[int] = []
    wire.refuses = [TimeoutError(), TimeoutError()]
    data = ChannelData(1, Pieces([bytes(5000)]), [5000], lambda: moved.append(len(wire.sent)))
    ours.send_message(data)
    assert moved == [1000, 2000, 3000, 4000, 5000, len(wire.sent)]
    assert theirs.read_message()[0] == MSG_CHANNEL_DATA


def test_a_wire_that_is_closed_or_broken_is_the_end() -> None:
    wire = Wire()
    ours, _ = pair(gcm, wire)
    wire.refuses = [BrokenPipeError()]
    with pytest.raises(EOFError):
        ours.send_message(message(b"x"))
    ours.close()
    wire.refuses = [TimeoutError()]
    with pytest.raises(EOFError):
        ours.send_message(message(b"x"))


def test_new_keys_are_wanted_behind_so_many_bytes_or_packets() -> None:
    ours, _ = pair(gcm, Wire())
    ours.REKEY_BYTES = 1000
    ours.send_message(message(bytes(900)))
    assert not ours.need_rekey()
    ours.send_message(message(bytes(100)))
    assert ours.need_rekey()
    ours, _ = pair(gcm, Wire())
    ours.REKEY_PACKETS = 2
    ours.send_message(message(b""))
    assert not ours.need_rekey()
    ours.send_message(message(b""))
    assert ours.need_rekey()


@pytest.mark.parametrize("length", [-1, 300_000, 0xFFFFFFFF])
def test_no_server_has_us_read_a_packet_of_hostile_length(length: int) -> None:
    with pytest.raises(SSHException, match="no allowed length"):
        lean(Wire()).read_all(length)


def test_paramiko_still_has_what_we_use_without_its_being_documented() -> None:
    moved = [
        f"paramiko's {kind.__name__}.{name}"
        for kind, names in PRIVATE.items()
        for name in names
        if not callable(getattr(kind, name, None))
    ]
    assert not moved, f"This paramiko has moved {moved}: mend transports/ssh/packets.py"


@pytest.mark.parametrize("name", ["set_outbound_cipher", "read_all", "send_message"])
def test_paramiko_still_calls_us_as_it_did(name: str) -> None:
    theirs = list(inspect.signature(getattr(Packetizer, name)).parameters)
    ours = list(inspect.signature(getattr(LeanPacketizer, name)).parameters)
    assert ours == theirs, f"This paramiko calls {name} otherwise: mend transports/ssh/packets.py"


def test_paramiko_still_sends_by_what_we_have_replaced() -> None:
    """A new way out beside `send_message` would not be sealed by us, or sealed twice."""
    public = {name for name in vars(Packetizer) if not name.startswith("_")}
    known = {
        "REKEY_BYTES", "REKEY_BYTES_OVERFLOW_MAX", "REKEY_PACKETS", "REKEY_PACKETS_OVERFLOW_MAX",
        "close", "closed", "complete_handshake", "get_hexdump", "get_mac_size_in",
        "get_mac_size_out", "handshake_timed_out", "need_rekey", "read_all", "read_message",
        "read_timer", "readline", "reset_seqno_in", "reset_seqno_out", "send_message",
        "set_hexdump", "set_inbound_cipher", "set_inbound_compressor", "set_keepalive", "set_log",
        "set_outbound_cipher", "set_outbound_compressor", "start_handshake", "write_all",
    }  # fmt: skip
    assert public == known, "paramiko's Packetizer has changed: compare transports/ssh/packets.py"
    compresses = vars(Transport)["_preferred_compression"] != ("none",)
    assert not compresses, "paramiko wants to compress by itself: LeanPacketizer does not"
    assert "packetizer_class" in inspect.signature(Transport.__init__).parameters
