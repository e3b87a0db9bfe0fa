"""SFTP's requests and answers in words, for a person who listens; never a file's content. Pure."""

from collections.abc import Sequence
from typing import Any

from paramiko import sftp

from transports.sftp.answers import (
    Malformed,
    Packet,
    Refused,
    attributes_of,
    check_status,
    names_of,
)

_REQUESTS = {
    sftp.CMD_OPEN: "OPEN",
    sftp.CMD_CLOSE: "CLOSE",
    sftp.CMD_WRITE: "WRITE",
    sftp.CMD_READ: "READ",
    sftp.CMD_STAT: "STAT",
    sftp.CMD_LSTAT: "LSTAT",
    sftp.CMD_OPENDIR: "OPENDIR",
    sftp.CMD_READDIR: "READDIR",
    sftp.CMD_MKDIR: "MKDIR",
    sftp.CMD_RMDIR: "RMDIR",
    sftp.CMD_REMOVE: "REMOVE",
    sftp.CMD_RENAME: "RENAME",
    sftp.CMD_EXTENDED: "EXTENDED",
}
_PATHS = {
    sftp.CMD_OPEN: 1,
    sftp.CMD_STAT: 1,
    sftp.CMD_LSTAT: 1,
    sftp.CMD_OPENDIR: 1,
    sftp.CMD_MKDIR: 1,
    sftp.CMD_RMDIR: 1,
    sftp.CMD_REMOVE: 1,
    sftp.CMD_RENAME: 2,
}
"""How many paths a request begins with; an extended one begins with its name."""
_FIRST_WRITE = "content follows, which is not shown"


def is_told(kind: int, args: Sequence[Any]) -> bool:
    """Whether the request is worth a line: of the requests to write a file the first one is."""
    return kind != sftp.CMD_WRITE or int(args[1]) == 0


def request_told(kind: int, args: Sequence[Any]) -> str:
    """A request in words."""
    name = _REQUESTS.get(kind, f"REQUEST {kind}")
    if kind == sftp.CMD_WRITE:
        return f"{name} {_FIRST_WRITE}"
    if kind == sftp.CMD_EXTENDED:
        return " ".join(
            [name, *(_text(each) for each in args[:3] if isinstance(each, str | bytes))]
        )
    return " ".join([name, *map(_text, args[: _PATHS.get(kind, 0)])])


def answer_told(kind: int, body: bytes) -> str:
    """An answer in words; hostile ones too."""
    try:
        return _answer_told(kind, body)
    except Malformed as error:
        return f"an answer that cannot be read: {error}"
    except Refused as refusal:
        return f"STATUS {refusal.code} {refusal.words}"


def _answer_told(kind: int, body: bytes) -> str:
    if kind == sftp.CMD_STATUS:
        check_status(kind, body)
        return "STATUS OK"
    if kind == sftp.CMD_ATTRS:
        found = attributes_of(body)
        size = "" if found.size is None else f" {found.size} bytes"
        return f"ATTRS{size}"
    if kind == sftp.CMD_NAME:
        return f"NAME {len(names_of(body))} names"
    if kind == sftp.CMD_DATA:
        return f"DATA {len(Packet(body).text())} bytes"
    return {sftp.CMD_HANDLE: "HANDLE", sftp.CMD_EXTENDED_REPLY: "EXTENDED_REPLY"}.get(
        kind, f"ANSWER {kind}"
    )


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")
