"""The canary's recordings are made from their URL."""

import hashlib
import io
import wave
from pathlib import Path

import pytest

from transports.base import Egress, Limits
from transports.errors import SourceUnreadable
from transports.sources.generated import content_of, parts_of, url_of
from transports.sources.source import open_source


def read(url: str) -> bytes:
    with open_source(
        url, dirs=(Path("/nowhere"),), max_bytes=0, egress=Egress(), limits=Limits()
    ) as source:
        content = b"".join(source)
        assert source.size == len(content)
        assert b"".join(source) == content, "it can be read again"
    return content


def test_a_recording_is_the_same_wherever_it_is_made_whatever_folders_there_are() -> None:
    content = read(url_of("canary", 29_931_726))
    assert hashlib.sha256(content).hexdigest() == (
        "78b5d7722600fcc9043a00710fbd397d3d6988e76aa257c388bad3b3988a0335"
    )
    with wave.open(io.BytesIO(content)) as sound:
        assert (sound.getnchannels(), sound.getframerate()) == (1, 8000)
        assert sound.getnframes() == 16_000


def test_no_two_runs_have_the_same_content() -> None:
    urls = [url_of(name, minute) for name in ("canary", "other") for minute in range(50)]
    assert len({content_of(url) for url in urls}) == len(urls)


def test_a_url_names_its_account_and_minute() -> None:
    assert parts_of(url_of("a.b-c_d", 7)) == ("a.b-c_d", 7)


@pytest.mark.parametrize(
    "url",
    [
        "canary://",
        "canary://canary",
        "canary:///7.wav",
        "canary://canary/7",
        "canary://canary/x.wav",
        "canary://canary/7.wav\n",
        "canary://canary/../7.wav",
        "canary://user@canary/7.wav",
        "canary://canary/9999999999999.wav",
    ],
)
def test_anything_else_is_no_recording(url: str) -> None:
    assert parts_of(url) is None
    with pytest.raises(SourceUnreadable):
        read(url)
