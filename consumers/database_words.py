"""What MongoDB's errors say, in the words that a person needs of them."""

import re

from pymongo.errors import OperationFailure, PyMongoError, ServerSelectionTimeoutError

from config import tls

_HUNG_UP = (
    ", as a server does that demands TLS (tls=true in the URL), or a certificate that it trusts "
    "(COURIER_TLS_CERT_FILE)"
)
_HANGS_UP = ("connection closed", "Connection reset by peer", "Broken pipe")
"""Errors of a server that goes away. Timing decides which of them is raised."""
_TIMING = re.compile(r" \(configured timeouts:.*|, Timeout: .*", re.DOTALL)
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#]*@")


def in_words(error: PyMongoError) -> str:
    """The error's last words, without the driver's details and without credentials."""
    if isinstance(error, OperationFailure) and error.details:
        words = str(error.details.get("errmsg", error))
    else:
        words = tls.without_particulars(_ERRNO.sub("", _TIMING.sub("", str(error))))
    words = _CREDENTIALS.sub("***@", words).strip(" .") or type(error).__name__
    is_first = isinstance(error, ServerSelectionTimeoutError)
    return words + _HUNG_UP if is_first and words.endswith(_HANGS_UP) else words
