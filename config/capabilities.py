"""What the test on save finds out about a customer's server, as it is stored."""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, field_validator

from config.integers import Number, Whole
from config.models import FROZEN


class HashAlgorithm(StrEnum):
    """The digests of a file that a server may tell, the strongest first."""

    SHA256 = "sha256"
    SHA1 = "sha1"
    MD5 = "md5"
    CRC32 = "crc32"


class Algorithms(BaseModel):
    """The algorithms of an SSH connection, by their names in the IANA registry."""

    model_config = FROZEN

    kex: str
    cipher: str
    mac: str
    """`implicit` where the cipher authenticates by itself, as AES-GCM does."""
    host_key: str


class Look(StrEnum):
    """The way to find out at a server whether a name is taken."""

    MLST = "mlst"
    """FTP: facts about the path (RFC 3659 section 7)."""
    SIZE = "size"
    """FTP: the size at the path (RFC 3659 section 4)."""
    NLST = "nlst"
    """FTP: a listing."""
    LSTAT = "lstat"
    """SFTP: attributes of the path itself."""
    STAT = "stat"
    """SFTP: attributes of the file at the end of all links."""
    OPEN = "open"
    """SFTP: the file is opened for reading."""
    READDIR = "readdir"
    """SFTP: its folder is listed."""
    NOTHING = "nothing"
    """None of the ways found a file that had just been written."""


_MEANS = (None, *Look, *HashAlgorithm)


class Capabilities(BaseModel):
    """What the test on save could do at the server. The upload picks the best way of it.

    The defaults are for settings that were never tested: the upload tries, and finds out. Where it
    cannot tell whether a name is taken, it uses no name that could be another file's.
    """

    model_config = FROZEN

    size: bool = True
    rename: bool = True
    replace: bool = True
    """True where a rename overwrites a file of that name."""
    look: Look | None = None
    """The way to find out whether a name is taken; None: not known."""
    rename_refuses: bool = False
    """A plain rename is refused where the name is taken (SFTP). False: not known, or it is not."""
    exclusive: bool = False
    """Creating a file is refused where the name is taken (SFTP). False: not known, or it is not."""
    removes: bool = True
    """The server lets files be removed."""
    temporary: bool = True
    """The server takes names that end in `.part`; else files are written to their final name."""
    finish_seconds: Number | None = None
    """Seconds from a file's last byte to the server's confirmation, as seen in the test."""
    hash: HashAlgorithm | None = None
    """The digest that the server tells of a file; None: none."""
    resumes: bool | None = None
    """A file that was cut can be gone on with where it ended; None: not known, so none is.
    A server that begins anew at each write would have zeros at the front, and the right size."""
    mkdir: bool = True
    at_once: Whole | None = None
    """Uploads that the server takes at once, up to our own limit; None: not known."""
    request_size: Whole | None = None
    """Bytes of the largest write request (SFTP); None: not known."""
    open_files: Whole | None = None
    """Files that may be open at once over one session (SFTP); None: no limit was met."""
    pipelines: bool = False
    """Commands that are sent together are answered one after the other (FTP)."""
    queues: bool = False
    """Commands that come during a file are answered after it, and bytes of a file that come before
    its command wait for it (FTP)."""
    early: bool = False
    """The latter alone (FTP)."""
    avoids: tuple[str, ...] = ()
    """Commands that are not sent (FTP): those at which the server cut the connection, and EPSV
    where PASV has to do."""
    enters: bool = False
    """A path in a command is refused; a bare name is taken in the folder that was entered (FTP)."""
    forbids: str = ""
    """Signs that the server refuses in names, of those that were tried."""
    unicode: bool = True
    """Names with other letters than those of ASCII are taken, in the encoding that was chosen."""
    algorithms: Algorithms | None = None
    """The algorithms of the tested connection (SFTP); only to be shown."""
    tls: str | None = None
    """The version and the cipher of the tested connection (FTPS); only to be shown."""

    @field_validator("look", "hash", mode="before")
    @classmethod
    def _known(cls, value: Any) -> Any:
        """During an upgrade a newer version may have stored a means that has no name here: to this
        one it is not known."""
        return value if value in _MEANS else None
