"""Host keys' fingerprints, as they are shown beside each other."""

import re

from transports.errors import HostKeyChanged

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def shown_in(error: HostKeyChanged) -> str | None:
    """The fingerprint that the server showed: the error names it first, then the stored one."""
    return next(iter(_FINGERPRINT.findall(error.words)), None)


def pinned_in(error: HostKeyChanged) -> str | None:
    """The fingerprint that is stored."""
    return next(iter(_FINGERPRINT.findall(error.words)[1:]), None)
