"""Where a recording goes at its customer, by the settings and its row."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from config.accounts import Capabilities, FtpSettings
from config.naming_settings import InFlight
from consumers.delivery.naming import Naming, Place, direction_of
from consumers.ledger import Facts
from transports.names import part_name

ARRIVED = datetime(2026, 11, 23, 14, 5, tzinfo=UTC)
PART = part_name("r1", 1)


def naming(**changes: Any) -> Naming:
    values = {"protocol": "sftp", "host": "h.example", "username": "u", "path": "in", **changes}
    return Naming(FtpSettings.model_validate(values))


def facts(**changes: Any) -> Facts:
    values = {
        "recording_id": "r1",
        "account_id": "acme",
        "file_name": "call.wav",
        "number": "+441632960001",
        "recorded_at": None,
        "created_at": ARRIVED,
    }
    return Facts(**(values | changes))


def place(facts_: Facts, body: bytes = b"{}", **changes: Any) -> Place:
    return naming(**changes).place(facts_, body, PART)


@pytest.mark.parametrize("name", ["call.wav", " odd  name.", "14:05 <a>?.wav", "Grüße 通話.wav"])
def test_without_templates_the_name_is_the_events_to_the_byte(name: str) -> None:
    found = place(facts(file_name=name))
    assert found == Place(("in",), name, PART, InFlight.SUFFIX)
    assert found.part_path == f"in/{PART}"


def test_folders_and_name_follow_the_templates() -> None:
    found = place(
        facts(recorded_at="2026-11-30T23:30:00-05:00"),
        json.dumps({"direction": "inbound"}).encode(),
        folder_template="{date:%Y/%m}/{direction}",
        name_template="{number}-{name}",
        time_zone="America/New_York",
    )
    assert found.folders == ("in", "in/2026", "in/2026/11", "in/2026/11/inbound")
    assert found.path == "in/2026/11/inbound/+441632960001-call.wav"
    assert found.part_path == f"in/2026/11/inbound/{PART}"


def test_without_a_time_of_its_own_a_recording_has_that_of_its_arrival() -> None:
    assert place(facts(), name_template="{date:%H%M}").name == "1405"


def test_beneath_the_login_folder_and_beneath_the_root() -> None:
    assert place(facts(), path=".", folder_template="a/b").folders == (".", "a", "a/b")
    assert place(facts(), path="/", folder_template="a/b").folders == ("/", "/a", "/a/b")


@pytest.mark.parametrize(
    ("number", "folder"), [("..", "in/__"), (".", "in/_"), ("../../etc", "in/.._.._etc")]
)
def test_no_number_leads_out_of_the_path(number: str, folder: str) -> None:
    assert place(facts(number=number), folder_template="{number}").folder == folder


@pytest.mark.parametrize(
    ("chosen", "part"),
    [
        ("suffix", f"in/d/{PART}"),
        ("dot", f"in/d/.{PART.removesuffix('.part')}.wav"),
        ("folder", f"in/courier-part/{PART.removesuffix('.part')}.wav"),
        ("none", f"in/d/{PART}"),
    ],
)
def test_a_file_on_its_way_is_named_by_the_convention(chosen: str, part: str) -> None:
    assert place(facts(), folder_template="d", in_flight=chosen).part_path == part


def test_an_odd_ending_is_none_of_a_temporary_name() -> None:
    odd = place(facts(file_name="call.14:05 <x>"), in_flight="dot")
    assert odd.part == f".{PART.removesuffix('.part')}"


def test_what_latin_1_does_not_have_is_replaced() -> None:
    found = place(facts(file_name="Gru\u0308ße 通話.wav"), name_encoding="latin-1")
    assert found.name == "Grüße __.wav"


def test_what_the_server_was_found_to_refuse_is_replaced_where_that_was_chosen() -> None:
    found = Capabilities(forbids="+;", unicode=False)
    asked: dict[str, Any] = {"name_template": "{number};é.wav", "capabilities": found}
    assert place(facts(), **asked).name == "+441632960001;é.wav"
    assert place(facts(), **asked, replace_characters=True).name == "_441632960001__.wav"


def test_recordings_of_one_path_wait_for_each_other() -> None:
    by_number = naming(name_template="{number}.wav")
    one, other = facts(), facts(recording_id="r2", file_name="other.wav")
    assert by_number.key(one, b"{}") == by_number.key(other, b"{}")
    assert naming().key(one, b"{}") != naming().key(other, b"{}")
    by_day = naming(folder_template="{date:%d}")
    later = facts(created_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert by_day.key(one, b"{}") != by_day.key(later, b"{}")


def test_recordings_with_a_number_of_their_own_wait_for_nobody() -> None:
    counted = naming(name_template="{counter}.wav")
    assert counted.counts
    assert counted.key(facts(), b"{}") != counted.key(facts(recording_id="r2"), b"{}")
    assert counted.key(facts(counter=3), b"{}") == "in/3.wav"


@pytest.mark.parametrize(
    ("body", "direction"),
    [
        (b'{"direction": "outbound"}', "outbound"),
        (b'{"direction": " "}', None),
        (b'{"direction": 7}', None),
        (b'{"direction": null}', None),
        (b'["direction"]', None),
        (b"{", None),
        (b"[" * 100_000, None),
        (b'{"direction": "\\ud800"}', None),
        (b'{"direction": "' + b"x" * 1000 + b'"}', "x" * 64),
    ],
)
def test_the_direction_is_whatever_text_an_event_has(body: bytes, direction: str | None) -> None:
    assert direction_of(body) == direction
