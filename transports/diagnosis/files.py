"""Why a server that lets the account in takes no file, or not this one."""

from config.file_names import TEMPORARY
from transports.diagnosis.entry import Entry, Whose

SERVER_REFUSES = Entry(
    "server-refuses",
    "The server refuses what was asked, and says no more than that.",
    "Check the server and the account's FTP settings.",
)
PATH_REFUSED = Entry(
    "path-refused",
    "The server does not let the user write to the path of the settings.",
    "Check that the path exists and that the user may write there.",
)
RENAME_REFUSED = Entry(
    "renames-no-more",
    "The server renamed a file when the settings were tested, and refuses it now.",
    "Check that the user may rename files there, and that nothing takes away files whose names end "
    f"in {TEMPORARY}. If the server is to rename nothing any more, save the settings again.",
)
NO_ROOM = Entry(
    "no-room",
    "The server has no room for the file.",
    "Make room on the server, or raise the user's quota.",
)
SILENT = Entry(
    "went-silent",
    "The server took the connection and then went silent.",
    "Check the server and the network: it accepted the connection and then went silent.",
    Whose.NETWORK,
)
CUT = Entry(
    "connection-cut",
    "The connection was cut.",
    "Check the server's log and the network: the connection was cut.",
    Whose.NETWORK,
)
BUSY = Entry(
    "server-busy",
    "The server takes no more connections.",
    "The server takes no more connections at this moment.",
)

FILE_REFUSED = Entry(
    "file-refused",
    "The server does not take this file.",
    "The server does not take this file; others are not affected.",
)
NAME_REFUSED = Entry(
    "name-refused",
    "The server does not take the name of the file.",
    "The server does not accept this file name.",
)
NOT_AS_SENT = Entry(
    "not-as-sent",
    "What the server has stored is not what was sent.",
    "What the server stored differs from what was sent: check its disk and antivirus.",
)
CONTENT_DAMAGED = Entry(
    "content-damaged",
    "The server's digest of the file is not that of what was sent: bytes were changed on the way "
    "or at the server.",
    "Check the server's disk and antivirus, and what passes files on in between.",
)
TEMPORARY_GONE = Entry(
    "temporary-file-gone",
    "Something on the server takes files away before they have their final names.",
    f"Have whatever takes files away on the server leave alone what ends in {TEMPORARY}.",
)
SINGLED_OUT = Entry(
    "singled-out",
    "The server takes other files, and not this one.",
    "The server took a test file just now, and not this one: check its limits and rules for the "
    "name, the size and the content of files.",
)
