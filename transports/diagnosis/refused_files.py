"""Causes of refused files that only the server's words tell; the first that fits counts."""

from transports.diagnosis import files
from transports.diagnosis.entry import Entry

_REFUSALS = (
    files.SERVER_REFUSES,
    files.PATH_REFUSED,
    files.NO_ROOM,
    files.FILE_REFUSED,
    files.NAME_REFUSED,
)
"""As what a refused file counts, whatever the reason is."""
_OF_ONE = (*_REFUSALS, files.SINGLED_OUT)
"""The same, and where the server has just taken another file by the same means."""

IDLE_LIMIT = Entry(
    "idle-limit",
    "The server ends connections on which nothing happens for as long as it endures.",
    "Nothing has to be done: the platform connects again. A longer limit at the server saves "
    "logins.",
    narrows=(files.CUT,),
    says=("421 … timeout", "421 … timed out", "421 … idle", "idle timeout"),
)
READ_ONLY = Entry(
    "read-only",
    "The server's disk is read-only.",
    "Have the server's administrator mount the disk for writing again: systems make one read-only "
    "when it fails.",
    narrows=_REFUSALS,
    says=("read-only file system", "read only file system", "read-only filesystem"),
)
FILE_TOO_LARGE = Entry(
    "file-too-large",
    "The file is larger than the server takes.",
    "Have the server take larger files, as large as the longest recordings.",
    narrows=_OF_ONE,
    says=("file too large", "file is too large", "file size", "exceeds … size", "size limit"),
)
QUOTA = Entry(
    "quota-exceeded",
    "The user's quota at the server is used up.",
    "Have the user's quota raised, or old files removed.",
    narrows=_REFUSALS,
    says=("quota",),
)
DISK_FULL = Entry(
    "disk-full",
    "The server's disk is full.",
    "Make room on the server's disk.",
    narrows=_REFUSALS,
    says=(
        "no space left",
        "out of disk space",
        "disk full",
        "disk is full",
        "not enough space",
        "insufficient space",
    ),
)
NOT_WRITTEN = Entry(
    "disk-write-failed",
    "The server failed to write the file to its disk, and does not say why.",
    "Look at the server's disk: it is full, the user's quota is used up, or it fails.",
    narrows=(files.SERVER_REFUSES,),
    says=("failure writing to local file", "error during write to file"),
)
ANTIVIRUS = Entry(
    "antivirus",
    "The server's antivirus refuses the file.",
    "Have the server's antivirus take recordings in this folder.",
    narrows=(*_OF_ONE, files.NOT_AS_SENT, files.CUT),
    says=("virus found", "virus detected", "contains a virus", "infected", "malware", "quarantine"),
)
NAME_TOO_LONG = Entry(
    "name-too-long",
    "The name of the file is longer than the server takes.",
    "Have the recording pipeline give shorter names (file_name).",
    narrows=_OF_ONE,
    says=("name too long", "name is too long", "path too long", "bad message"),
    for_customers="Choose a shorter Path, Subfolders or File Name in the FTP settings.",
)
NAME_FORBIDDEN = Entry(
    "name-forbidden",
    "A rule of the server forbids the name or the type of the file.",
    "Have the server permit the names of recordings (PathDenyFilter of ProFTPD, deny_file of "
    "vsftpd), or have the recording pipeline give others.",
    narrows=_OF_ONE,
    says=(
        "prohibited file name",
        "forbidden filename",
        "forbidden file",
        "invalid filename",
        "label syntax is incorrect",
    ),
    for_customers="Have the server permit the names of recordings, or choose another File Name in "
    "the FTP settings.",
)
FOLDER_MISSING = Entry(
    "folder-missing",
    "The path of the settings does not exist at the server, and is not made there.",
    "Check the path; have the folder made, or the user allowed to make it.",
    narrows=(files.PATH_REFUSED, files.SERVER_REFUSES),
    says=(
        "no such file",
        "not found",
        "does not exist",
        "doesn't exist",
        "cannot find the",
        "failed to change directory",
    ),
)
RENAME_REFUSED = Entry(
    "rename-refused",
    "The server took the file under its temporary name, and refuses to rename it.",
    "Have the user allowed to rename files in this folder. Saving the settings again finds out "
    "whether the server renames at all; if not, recordings are written to their name at once.",
    narrows=(files.NAME_REFUSED,),
    says=("permission denied", "access is denied", "operation not permitted", "not permitted"),
)
NOT_WRITABLE = Entry(
    "not-writable",
    "The user may not write to the path of the settings.",
    "Have the user allowed to write and to make folders there.",
    narrows=(files.PATH_REFUSED, files.SERVER_REFUSES),
    says=(
        "permission denied",
        "access is denied",
        "access denied",
        "operation not permitted",
        "not enough privileges",
        "could not create file",
        "not allowed",
    ),
)
