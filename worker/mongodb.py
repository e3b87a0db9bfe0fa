"""What MongoDB's errors mean to an operator."""

import re

from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError

_TIMING = re.compile(r" \(configured timeouts:.*|, Timeout: .*", re.DOTALL)
_ERRNO = re.compile(r"\[Errno -?\d+\] ")
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#]*@")


def is_away(error: PyMongoError) -> bool:
    """Whether it may work again later without anything being changed."""
    return isinstance(error, ConnectionFailure) or error.timeout


def sentence(error: PyMongoError) -> str:
    """What is wrong with it, for `/readyz`."""
    verb = "does not answer" if is_away(error) else "refuses"
    return f"MongoDB {verb}: {in_words(error)}."


def in_words(error: PyMongoError) -> str:
    """The last words, without the driver's particulars and without credentials."""
    if isinstance(error, OperationFailure) and error.details:
        words = str(error.details.get("errmsg", error))
    else:
        words = _ERRNO.sub("", _TIMING.sub("", str(error)))
    return _CREDENTIALS.sub("***@", words).strip(" .") or type(error).__name__
