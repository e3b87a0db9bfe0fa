"""What an SFTP server's packets say (draft-ietf-secsh-filexfer-02), read with distrust. Pure.

paramiko's readers pad what is cut off with zeros and repeat as often as a packet tells them to.
Here a packet that says less than it must raises Malformed, nothing is read further than it is
needed, and no loop is longer than the packet.
"""

import struct
from typing import NamedTuple

from paramiko.sftp import CMD_STATUS, SFTP_DESC, SFTP_OK, SFTPError

from config.accounts import HashAlgorithm
from transports.digests import new_digest
from transports.words import decoded, own

MAX_PACKET = 256 * 1024
"""Bytes of an answer: what OpenSSH allows itself (SFTP_MAX_MSG_LENGTH)."""
_MAX_HANDLE = 256  # section 6.3 of the draft
_HAS_SIZE, _HAS_OWNER, _HAS_MODE, _HAS_TIMES, _HAS_MORE = 1, 2, 4, 8, 0x80000000


class Malformed(SFTPError):
    """The packet does not say what one of its kind has to say."""


class Refused(Exception):
    """The server answered with an error status, or with nothing that could be used."""

    def __init__(self, code: int, words: str) -> None:
        super().__init__(code, words)
        self.code = code
        self.words = words or own(_described(code))
        """The server's as they came: whoever shows them has to mask the password."""


class Attributes(NamedTuple):
    """What a server tells of a file; None where it does not."""

    size: int | None
    mode: int | None


class Packet:
    """The content of a packet, read from the left. Its methods raise Malformed."""

    def __init__(self, data: bytes) -> None:
        self._left = data

    @property
    def rest(self) -> bytes:
        """What was not read."""
        return self._left

    def number(self) -> int:
        """A number of 32 bits."""
        return int(struct.unpack(">I", self._take(4))[0])

    def long(self) -> int:
        """A number of 64 bits."""
        return int(struct.unpack(">Q", self._take(8))[0])

    def flag(self) -> bool:
        """A byte that is zero or not."""
        return self._take(1) != b"\0"

    def text(self) -> bytes:
        """A string, its length before it."""
        return self._take(self.number())

    def _take(self, count: int) -> bytes:
        if count > len(self._left):
            raise Malformed(own("The server sent half an answer"))
        taken, self._left = self._left[:count], self._left[count:]
        return taken


def check_status(kind: int, data: bytes) -> None:
    """Raises Refused where the status is not OK; servers of old drafts send no words with it."""
    if kind != CMD_STATUS:
        raise Malformed(own("The server did not say whether it was done"))
    packet = Packet(data)
    code = packet.number()
    if code == SFTP_OK:
        return
    try:
        words = packet.text()
    except Malformed:
        words = b""
    raise Refused(code, decoded(words))


def handle_of(data: bytes) -> bytes:
    """The handle of a file that was opened."""
    handle = Packet(data).text()
    if not 0 < len(handle) <= _MAX_HANDLE:
        raise Malformed(own("The server gave a handle of no allowed length"))
    return handle


def data_of(data: bytes, most: int) -> bytes:
    """What was read of a file: something, and no more than was asked for."""
    piece = Packet(data).text()
    if not 0 < len(piece) <= most:
        raise Malformed(own("The server sent data of no allowed length"))
    return piece


def attributes_of(data: bytes) -> Attributes:
    """Size and mode: what comes before them is skipped, what comes behind is not read."""
    packet = Packet(data)
    flags = packet.number()
    size = packet.long() if flags & _HAS_SIZE else None
    if flags & _HAS_OWNER:
        packet.long()
    return Attributes(size, packet.number() if flags & _HAS_MODE else None)


def names_of(data: bytes) -> list[bytes]:
    """The names of a piece of a listing, without their attributes (section 7 of the draft).

    Raises Malformed where there is none: a listing ends with a status.
    """
    packet = Packet(data)
    count = packet.number()
    names: list[bytes] = []
    while packet.rest and len(names) < count:
        names.append(packet.text())
        packet.text()  # the same as a line for people
        _skip_attributes(packet)
    if not names or len(names) < count:
        raise Malformed(own("The server sent half a listing"))
    return names


def _skip_attributes(packet: Packet) -> None:
    flags = packet.number()
    for flag in (_HAS_SIZE, _HAS_OWNER, _HAS_TIMES):
        if flags & flag:
            packet.long()
    if flags & _HAS_MODE:
        packet.number()
    more = packet.number() if flags & _HAS_MORE else 0
    while more and packet.rest:
        packet.text()
        packet.text()
        more -= 1


def extensions_of(data: bytes) -> dict[bytes, bytes]:
    """The extensions that a greeting names behind its version, and what it says of each."""
    packet = Packet(data)
    packet.number()
    told: dict[bytes, bytes] = {}
    while packet.rest:
        name = packet.text()
        told[name] = packet.text()
    return told


def write_limit_of(data: bytes) -> int | None:
    """Bytes of the largest write of an answer to limits@openssh.com; None where it tells none."""
    packet = Packet(data)
    packet.long()
    packet.long()
    return packet.long() or None


def has_no_room(data: bytes) -> bool:
    """Whether an answer to statvfs@openssh.com says that nothing is left for this user."""
    packet = Packet(data)
    block_size, _, _, _, available = (packet.long() for _ in range(5))
    return available == 0 and block_size > 0


def digest_of(data: bytes, algorithm: str) -> str:
    """The digits of an answer to check-file (draft-ietf-secsh-filexfer-extensions-00).

    Raises Malformed where it is of another algorithm, or has another length than its digests.
    """
    packet = Packet(data)
    used = packet.text()
    if used == b"check-file":  # left out by later drafts
        used = packet.text()
    if used != algorithm.encode():
        raise Malformed(own("The server told a digest that it was not asked for"))
    digits = packet.rest.hex()
    if len(digits) != len(new_digest(HashAlgorithm(algorithm)).hexdigest()):
        raise Malformed(own("The server told a digest of no allowed length"))
    return digits


def _described(code: int) -> str:
    return SFTP_DESC[code] if 0 <= code < len(SFTP_DESC) else f"SFTP status {code}"
