"""Failures that the customer's server has no part in."""

from transports.diagnosis.entry import Entry, Whose

FOR_OPERATORS_ALONE = (
    "Nothing for you to do: the platform's operators are told, and have to mend it."
)
"""What the account's own people read where the cause is the operators' to mend."""
_WAITS = "Nothing for you to do: the file waits, and is tried again by itself."

RECORDING_UNREADABLE = Entry(
    "recording-unreadable",
    "The platform cannot read the recording.",
    "The recording could not be read; the customer's server is not concerned.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
RECORDING_MISSING = Entry(
    "recording-missing",
    "The recording is not where its event says.",
    "The recording is not where the event says: check the recording pipeline.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
STORE_AWAY = Entry(
    "store-away",
    "The store of the recordings does not answer as it should.",
    "Nothing to do at the server: the recordings' own store is away. The file waits for it, and is "
    "tried again by itself.",
    Whose.PLATFORM,
    for_customers=_WAITS,
)
STORE_REFUSES = Entry(
    "store-refuses",
    "The store of the recordings does not let the platform read.",
    "Nothing to do at the server: the operators have to correct the platform's login at the "
    "recordings' own store, or its rights. The file waits for that, and is tried again by itself.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
RECORDING_DIFFERS = Entry(
    "recording-differs",
    "The recording is not what its event says.",
    "The recording differs from what its event says: check the recording pipeline.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
RECORDING_CHANGED = Entry(
    "recording-changed",
    "The recording was replaced while it was read.",
    "The recording was replaced while it was read: check the recording pipeline.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
PROGRAM_FAULT = Entry(
    "program-fault",
    "The program failed.",
    "Report the fault: the log has it with its traceback, as program_failed. Where it repeats, "
    "pause the account until it is mended. There is nothing to do at the server.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
QUEUE_UNUSABLE = Entry(
    "queue-unusable",
    "The account's queue cannot be used.",
    "Look at the account's queue at RabbitMQ: delete it where it was not declared by Courier, or "
    "give Courier's user the right to configure, write and read it. The files wait until then.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
ACCOUNT_UNUSABLE = Entry(
    "account-unusable",
    "What the platform has stored of the account cannot be used.",
    "Put the key that is missing back into COURIER_SECRET_KEYS, or save the account's FTP settings "
    "anew; what a newer version has stored needs that version on every host. There is nothing to "
    "do at the server, and the files wait.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
ENDED_BY_US = Entry(
    "ended-by-the-platform",
    "The platform itself ended the try.",
    "Nothing to do: the file is tried again by itself.",
    Whose.PLATFORM,
)
WAY_OUT_CLOSED = Entry(
    "way-out-closed",
    "The platform itself could not connect, whatever the server.",
    "'courier check' tells what is wrong with the platform's proxy (COURIER_OUTGOING_PROXY) or its "
    "source address (COURIER_SOURCE_ADDRESS). Otherwise its machine is out of descriptors, ports "
    "or memory. There is nothing to do at the server, and recordings wait meanwhile.",
    Whose.PLATFORM,
    for_customers=FOR_OPERATORS_ALONE,
)
ACTIVE_MODE_OFF = Entry(
    "active-mode-not-allowed",
    "The account's transfers are active, and no server may connect to the platform.",
    "Have the platform's operators set COURIER_ACTIVE_FTP_ADDRESSES and COURIER_ACTIVE_FTP_PORTS "
    "on every host, or switch Active Mode off.",
    Whose.PLATFORM,
    for_customers="Ask your service provider to let servers connect to the platform, or to switch "
    "Active Mode off for your account.",
)
NO_PORT_FREE = Entry(
    "no-port-free",
    "All ports at which servers may connect to the platform are in use.",
    "Nothing to do: the file is tried again by itself. Where it stays so, the platform's operators "
    "have to give more of COURIER_ACTIVE_FTP_PORTS.",
    Whose.PLATFORM,
    for_customers=_WAITS,
)
NAME_IN_USE = Entry(
    "name-in-use",
    "Another recording on its way takes this name first.",
    "Nothing to do: the file is tried again by itself.",
    Whose.PLATFORM,
)
