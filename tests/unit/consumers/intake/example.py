"""An event that is as the contract has it, to be changed."""

import json
from typing import Any

import pytest

from consumers.intake.events import (
    RecordingReady,
    decode,
)
from consumers.intake.reasons import InvalidEvent

JSON = "application/json"
GOOD: dict[str, Any] = {
    "recording_id": "8f6c2f0e",
    "account_id": "acme",
    "file_url": "file:///recordings/8f6c.wav",
}
FULL = {
    **GOOD,
    "number": "+441632960001",
    "file_name": "20261123-140500_01632960001.wav",
    "size": 480044,
    "sha256": "0123456789abcdefABCDEF" + "0" * 42,
    "recorded_at": "2026-11-23T14:05:00Z",
}
ENVELOPE = {"specversion": "1.0", "id": "1", "source": "/pipeline", "type": "recording.ready"}

FITS: list[tuple[str, object]] = [
    ("recording_id", "x"),
    ("recording_id", "x" * 128),
    ("recording_id", " ~$.{}"),
    ("account_id", "A"),
    ("account_id", "9._-" + "a" * 60),
    ("number", "anonymous"),
    ("number", "1" * 64),
    ("size", 0),
    ("size", 2**63 - 1),
    ("sha256", "aB" * 32),
    ("recorded_at", "2026-11-23t14:05:00z"),
    ("recorded_at", "2026-11-23T14:05:00.123456789+05:30"),
    ("recorded_at", "2024-02-29T23:59:59-00:00"),
    ("file_url", "https://records.example:8443/a/b.wav?sig=1%2F2#top"),
    ("file_url", "https://[::1]/b.wav"),
    ("file_url", "s3://recordings/calls/a%20b.wav"),
    ("file_url", "gs://recordings/calls/a%20b.wav"),
    ("file_url", "az://recordings/calls/a%20b.wav"),
    ("file_url", "file://localhost/b.wav"),
    ("file_url", "file:///ünï/☎.wav"),
]
"""What a field may hold."""
DOES_NOT_FIT: list[tuple[str, str]] = [
    ("recording_id", ""),
    ("recording_id", "x" * 129),
    ("recording_id", "a\n"),
    ("recording_id", "a\tb"),
    ("recording_id", "a\x00b"),
    ("recording_id", "é"),
    ("account_id", ""),
    ("account_id", "a" * 65),
    ("account_id", "-acme"),
    ("account_id", ".acme"),
    ("account_id", "ac me"),
    ("account_id", "ac/me"),
    ("account_id", "acme\n"),
    ("account_id", "acmé"),
    ("account_id", "acme*"),
    ("number", ""),
    ("number", "1" * 65),
    ("number", "+44\n"),
    ("number", "☎"),
    ("sha256", ""),
    ("sha256", "a" * 63),
    ("sha256", "a" * 65),
    ("sha256", "g" * 64),
    ("sha256", "a" * 64 + "\n"),
    ("recorded_at", ""),
    ("recorded_at", "yesterday"),
    ("recorded_at", "2026-11-23"),
    ("recorded_at", "2026-11-23T14:05:00"),
    ("recorded_at", "2026-11-23 14:05:00Z"),
    ("recorded_at", "2026-13-23T14:05:00Z"),
    ("recorded_at", "2026-02-29T14:05:00Z"),
    ("recorded_at", "2026-11-23T24:05:00Z"),
    ("recorded_at", "2026-11-23T24:00:00Z"),
    ("recorded_at", "2026-11-31T14:05:00Z"),
    ("recorded_at", "2026-11-23T14:60:00Z"),
    ("recorded_at", "2026-11-23T14:05:60Z"),
    ("recorded_at", "0000-11-23T14:05:00Z"),
    ("recorded_at", "2026-11-23T14:05:00+24:00"),
    ("recorded_at", "2026-11-23T14:05:00Z\n"),
    ("recorded_at", "٢٠٢٦-11-23T14:05:00Z"),
    ("file_url", ""),
    ("file_url", "/recordings/a.wav"),
    ("file_url", "a.wav"),
    ("file_url", "file:/recordings/a.wav"),
    ("file_url", "file://elsewhere/a.wav"),
    ("file_url", "file:///"),
    ("file_url", "file://"),
    ("file_url", "https:///a.wav"),
    ("file_url", "https://records.example"),
    ("file_url", "https://records.example/"),
    ("file_url", "https://records.example:0/a.wav"),
    ("file_url", "https://records.example:99999/a.wav"),
    ("file_url", "https://[::1/a.wav"),
    ("file_url", "https://[::1]records.example/a.wav"),
    ("file_url", "file:///a b.wav"),
    ("file_url", "file:///a.wav\r\nX: y"),
    ("file_url", "file:///a\x00.wav"),
    ("file_url", "file:///a%00.wav"),
    ("file_url", "file:///%00/a.wav"),
    ("file_url", "file://localhost:80/a.wav"),
    ("file_url", "file://user@localhost/a.wav"),
    ("file_url", "file://../a.wav"),
    ("file_url", "https://user:password@records.example/a.wav"),
    ("file_url", "https://user@records.example/a.wav"),
    ("file_url", "https://records.example@169.254.169.254/a.wav"),
    ("file_url", "https://@records.example/a.wav"),
    ("file_url", "https://records.example:-1/a.wav"),
    ("file_url", "https://records.example:x/a.wav"),
    ("file_url", "https://:443/a.wav"),
    ("file_url", "file:///" + "a" * 4096),
    ("file_url", "s3://recordings"),
    ("file_url", "s3:///a.wav"),
    ("file_url", "s3://recordings/../other/a.wav"),
    ("file_url", "s3://recordings/a.wav?versionId=1"),
    ("file_url", "gs://recordings"),
    ("file_url", "gs://user@recordings/a.wav"),
    ("file_url", "gs://recordings/a/%2e%2e/b.wav"),
    ("file_url", "gs://recordings/a.wav?generation=1"),
    ("file_url", "az://recordings/a.wav?sig=x"),
    ("file_url", "az://recordings/calls/%5C..%5Ca.wav"),
    ("file_url", "az://recordings/calls/%20../a.wav"),
    ("file_url", "S3://recordings/a.wav"),
    ("file_url", "FILE:///recordings/a.wav"),
    ("file_url", "ftp://records.example/a b.wav"),
    ("file_url", "ftp://records.example:99999/a.wav"),
    ("file_url", "ftp://[::1/a.wav"),
    ("file_url", "ftp://"),
    ("file_url", "://records.example/a.wav"),
    ("file_url", "7z://records.example/a.wav"),
    ("file_url", "C:\\recordings\\a.wav"),
    ("file_url", "x" * 33 + "://records.example/a.wav"),
]
"""What makes an event malformed."""
UNSUPPORTED = [
    "http://records.example/a.wav",
    "ftp://records.example/a.wav",
    "FTP://user:password@records.example/a.wav",
    "sftp://records.example:22/a.wav",
    "svn+ssh://records.example/a.wav",
    "canary://acme/a.wav",
    "nfs://[::1]/a.wav",
]
"""Well-formed URLs of recordings, of kinds that are not supported."""


def body(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def accepted(**fields: object) -> RecordingReady:
    return decode(body(**fields), JSON)


def reason(raw: bytes, content_type: str | None = JSON) -> str:
    with pytest.raises(InvalidEvent) as refused:
        decode(raw, content_type)
    return refused.value.reason
