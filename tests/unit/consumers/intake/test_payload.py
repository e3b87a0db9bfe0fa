"""What is shown of an unusable event's body."""

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.intake.payload import MOST_READ, beginning, readable, without_credentials


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:hunter2@host/a.wav?sig=hunter2", "https://***@host/a.wav?***"),
        ("see https://u:p@h/a and s3://k:s@b/c?x=1!", "see https://***@h/a and s3://***@b/c?***"),
        (r"https:\/\/u:hunter2@host\/a.wav", r"https:\/\/***@host\/a.wav"),
        ("file:///recordings/a@b.wav", "file:///recordings/a@b.wav"),
        ("https://host/a.wav", "https://host/a.wav"),
        ("https://u:hunter2@", "https://***@"),
        ("no address at all: @", "no address at all: @"),
    ],
)
def test_credentials_in_addresses_are_hidden(text: str, shown: str) -> None:
    assert without_credentials(text) == shown


def test_json_is_laid_out_without_its_secrets() -> None:
    event = {
        "recording_id": "r1",
        "file_url": "https://user:hunter2@host/a.wav?token=hunter2",
        "deep": [{"api_token": "hunter2", "Password": {"x": "hunter2"}, "sha256": "abc"}],
        "https://u:hunter2@h": 1,
    }
    text = readable(json.dumps(event).encode(), 4000)
    assert "hunter2" not in text
    assert json.loads(text)["deep"] == [{"api_token": "***", "Password": "***", "sha256": "abc"}]
    assert '\n  "recording_id": "r1"' in text


def test_what_is_no_json_is_shown_as_far_as_it_can_be_read() -> None:
    assert readable(b"\xff<script>", 4000) == "\ufffd<script>"
    assert readable(b"[" * 100_000, 10) == "[" * 10
    assert readable(b'"\\ud800"', 10) == '"?"'
    assert beginning(b"x" * 100 + b" https://u:hunter2@h/", 116) == "x" * 100 + " https://***@h/"


@pytest.mark.parametrize(
    "text",
    [
        '{"password": "hunter2", "deep": {"api_token" : "hun\\"ter2 hunter2"},}',
        '{"a": 1, "Password":\n"hunter2',
        '{"secret": ["x", {"y": "hunter2"}], "z": "hunter2",}',
        "{'private_key': 'hunter2', 'token': 72, }",
        '{"token": hunter2}}',
    ],
)
def test_secrets_are_hidden_where_the_body_is_no_json(text: str) -> None:
    whole = '{"recording_id": "r1", ' + text[1:]
    for shown in (readable(whole.encode(), 4000), beginning(whole.encode(), 4000)):
        assert shown.startswith('{"recording_id": "r1", ')
        assert "hunter2" not in shown
        assert "72" not in shown
        assert "***" in shown


def test_a_body_that_is_cut_shows_no_secret() -> None:
    event = {"password": "hunter2", "more": "x" * MOST_READ}
    assert "hunter2" not in readable(json.dumps(event).encode(), 4000)
    assert "hunter2" not in beginning(json.dumps(event).encode(), 200)


def test_a_deep_body_is_laid_out_only_as_far_as_it_is_shown() -> None:
    body = b"[" * 200 + b",".join([b"1"] * 30_000) + b"]" * 200
    tracemalloc.start()
    try:
        assert len(readable(body, 4000)) == 4000
        assert tracemalloc.get_traced_memory()[1] < 4_000_000
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=300), st.integers(min_value=0, max_value=80))
def test_any_body_can_be_shown_and_stored(body: bytes, most: int) -> None:
    for text in (readable(body, most), beginning(body, most)):
        assert len(text) <= most
        text.encode()
