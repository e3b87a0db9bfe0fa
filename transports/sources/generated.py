"""Recordings of the canary: made from their URL, so that no host needs a file of them.

`canary://<account>/<minute>.wav` is the same recording in every process. Events of others must not
name it: the intake takes it only where the canary has begun that run.
"""

import hashlib
import io
import re
import wave
from collections.abc import Iterator

from config.accounts import ACCOUNT_ID
from transports.errors import SourceUnreadable

SCHEME = "canary"
_SAMPLES = 16_000
"""Two seconds of noise, 8 bits at 8 kHz."""
_RATE = 8000
_URL = re.compile(rf"canary://({ACCOUNT_ID.pattern})/([0-9]{{1,12}})\.wav")


def url_of(account_id: str, minute: int) -> str:
    """The URL of an account's recording of that minute since 1970."""
    return f"{SCHEME}://{account_id}/{minute}.wav"


def parts_of(url: str) -> tuple[str, int] | None:
    """The account and the minute; None for what is no such URL."""
    match = _URL.fullmatch(url)
    return (match[1], int(match[2])) if match else None


def content_of(url: str) -> bytes:
    """The recording: a WAV file of noise that no other URL has."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(1)
        out.setframerate(_RATE)
        out.writeframes(hashlib.shake_256(url.encode()).digest(_SAMPLES))
    return file.getvalue()


class GeneratedSource:
    """A recording that is made as it is opened. See `transports.sources.source.OpenSource`."""

    def __init__(self, url: str) -> None:
        """Raises SourceUnreadable."""
        if parts_of(url) is None:
            raise SourceUnreadable("It is not the URL of a recording of the canary")
        self._content = content_of(url)

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        """All of it at once: it is small."""
        yield self._content

    def cut(self) -> None:
        """It is not waited for."""
