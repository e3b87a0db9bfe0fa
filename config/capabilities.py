"""What the test on save finds out of a customer's server, and what is stored of it."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator


class HashAlgorithm(StrEnum):
    """Of what a server may tell a file's digest, the strongest first."""

    SHA256 = "sha256"
    SHA1 = "sha1"
    MD5 = "md5"


class Algorithms(BaseModel):
    """What an SSH connection has settled on, by the names of the IANA registry."""

    model_config = ConfigDict(frozen=True)

    kex: str
    cipher: str
    mac: str
    """`implicit` where the cipher authenticates by itself, as AES-GCM does."""
    host_key: str


class Look(StrEnum):
    """By what a server tells whether a name is taken."""

    MLST = "mlst"
    """FTP, of the path (RFC 3659 section 7)."""
    SIZE = "size"
    """FTP, of the path (RFC 3659 section 4)."""
    NLST = "nlst"
    """FTP: a listing."""
    LSTAT = "lstat"
    """SFTP, of the path."""
    STAT = "stat"
    """SFTP, of what stands at the end of all links."""
    OPEN = "open"
    """SFTP: the file is opened for reading."""
    READDIR = "readdir"
    """SFTP: its folder is listed."""
    NOTHING = "nothing"
    """No means that was tried has found a file that had just been written."""


class Capabilities(BaseModel):
    """What the customer's server let the test on save do; the upload picks the best of it.

    The defaults are those of settings that were never tested: the upload tries, and finds out.
    Where it cannot find out whether a name is taken, it takes no name that could be another's.
    """

    model_config = ConfigDict(frozen=True)

    size: bool = True
    rename: bool = True
    replace: bool = True
    """A rename takes the place of a file of that name."""
    look: Look | None = None
    """By what it tells whether a name is taken; None: not known."""
    rename_refuses: bool = False
    """A plain rename is refused where the name is taken (SFTP). False: not known, or it is not."""
    exclusive: bool = False
    """So is the creation of a new file (SFTP). False: not known, or it is not."""
    removes: bool = True
    """It removes files."""
    temporary: bool = True
    """It takes temporary names, which end in `.part`; else files are written to their name."""
    finish_seconds: float | None = None
    """From a file's last byte to the server's confirmation, as seen in the test."""
    hash: HashAlgorithm | None = None
    """Of which it tells a file's digest; None: of none."""
    mkdir: bool = True
    at_once: int | None = None
    """Uploads it takes at once, as far as the program would go; None: not known."""
    request_size: int | None = None
    """Bytes of the largest write request (SFTP); None: not known."""
    pipelines: bool = False
    """Commands that are sent together are answered one after the other (FTP)."""
    queues: bool = False
    """So are those that come while a file is on its way (FTP): they wait for its end."""
    avoids: tuple[str, ...] = ()
    """Commands that are not sent (FTP): those over which the server broke the connection, and EPSV
    where PASV has to do."""
    enters: bool = False
    """A path in a command is refused; a bare name is taken in the folder that was entered (FTP)."""
    algorithms: Algorithms | None = None
    """Of the connection that was tested (SFTP); only for showing."""

    @field_validator("look", "hash", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """During an upgrade a newer version may have stored a means that has no name here: to this
        one it is not known."""
        known = (None, *Look, *HashAlgorithm)
        return value if value in known else None
