"""Names at the customer's server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.file_names import MAX_BYTES
from transports.names import (
    forbidden_in,
    identified,
    join,
    may_be,
    numbered,
    part_name,
    portable,
    safe_name,
    unusual_in,
    with_parents,
)

NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=400).filter(
    lambda text: text.strip(" ") not in {"", ".", ".."}
)


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("call.wav", "call.wav"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("C:\\calls\\a.wav", "C:_calls_a.wav"),
        ("a\r\nDELE b", "a__DELE b"),
        ("nul\0.wav", "nul_.wav"),
        ("Grüße 通話 🎧.wav", "Grüße 通話 🎧.wav"),
        ("x" * 300 + ".wav", "x" * 251 + ".wav"),
        ("ü" * 200 + ".wav", "ü" * 125 + ".wav"),
        ("a." + "x" * 300, "a." + "x" * 253),
        ("  call.wav  ", "call.wav"),
        ("call. . ", "call. ."),
        (".call.wav", ".call.wav"),
        ("...", "..."),
        ("x" * 254 + " y", "x" * 254),
    ],
)
def test_a_name_is_never_a_path_and_never_too_long(given_name: str, safe: str) -> None:
    assert safe_name(given_name) == safe


@pytest.mark.parametrize("name", ["", " ", ".", "..", " .. ", "\ud800"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not"):
        safe_name(name)


@given(NAMES)
def test_any_text_becomes_one_name_of_its_own_folder(text: str) -> None:
    name = safe_name(text)
    assert len(name.encode()) <= MAX_BYTES
    assert not set(name) & set("/\\\r\n\0")
    assert name not in {"", ".", ".."}
    assert safe_name(name) == name


@given(NAMES, st.integers(2, 10_000))
def test_a_numbered_name_is_another_one_that_is_not_too_long(text: str, copy: int) -> None:
    name = safe_name(text)
    assert numbered(name, 1) == name
    assert numbered(name, copy) != name
    assert f"({copy})" in numbered(name, copy)
    assert len(numbered(name, copy).encode()) <= MAX_BYTES


@given(NAMES)
def test_no_name_has_a_blank_at_an_end_nor_a_portable_one_a_dot_at_the_last(text: str) -> None:
    name = safe_name(text)
    assert name == name.strip(" ")
    assert not portable(name).endswith((".", " "))


@pytest.mark.parametrize(
    ("name", "replaced", "hint"),
    [
        ("call.wav", "call.wav", ""),
        ("14:05 <a>.wav", "14_05 _a_.wav", '":", "<", ">"'),
        ('a*b?c|d"e.wav', "a_b_c_d_e.wav", '"*", "?", "|", """'),
        ("CON.wav", "_CON.wav", "the name CON"),
        ("com1", "_com1", "the name com1"),
        ("console.wav", "console.wav", ""),
        ("call.", "call", "a dot or a blank at the end"),
    ],
)
def test_what_servers_commonly_forbid_is_named_and_can_be_replaced(
    name: str, replaced: str, hint: str
) -> None:
    assert portable(name) == replaced
    assert forbidden_in(name) == hint
    assert forbidden_in(portable(name)) == ""


@pytest.mark.parametrize(
    ("recording_id", "name"),
    [
        ("8f6c2f0e-1a2b", "call-8f6c2f0e-1a2b.wav"),
        ("a/b", "call-a_b-c14cddc033f6.wav"),
        ("x" * 128, f"call-{'x' * 64}-4ea5c508a679.wav"),
    ],
)
def test_a_name_can_carry_the_id_of_its_recording(recording_id: str, name: str) -> None:
    stem, given_stem = (
        each.rpartition("-")[0] for each in (identified("call.wav", recording_id), name)
    )
    assert stem == given_stem
    assert identified("call.wav", recording_id).endswith(".wav")


@given(NAMES, st.text(min_size=1, max_size=128), st.text(min_size=1, max_size=128))
def test_names_with_ids_are_one_for_each_recording_and_not_too_long(
    text: str, one: str, other: str
) -> None:
    name = safe_name(text)
    first, second = (each.encode("ascii", "ignore").decode() or "id" for each in (one, other))
    assert (identified(name, first) == identified(name, second)) == (first == second)
    assert len(identified(name, first).encode()) <= MAX_BYTES
    assert safe_name(identified(name, first)) == identified(name, first)


def test_a_numbered_name_keeps_its_extension() -> None:
    assert numbered("call.wav", 2) == "call (2).wav"
    assert numbered("call", 3) == "call (3)"


@given(st.text(min_size=1, max_size=128), st.integers(0, 2**31))
def test_a_temporary_name_is_of_one_length_and_of_one_attempt(text: str, attempt: int) -> None:
    recording = text.encode("ascii", "ignore").decode() or "id"
    name = part_name(recording, attempt)
    assert len(name) == len(part_name("other", 0))
    assert name.endswith(".part")
    assert name != part_name(recording, attempt + 1)
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("2026-11-23 call (2).wav", ""),
        ("#1 Grüße.wav", '"#", "ü", "ß"'),
        ("+44%20.wav", '"+", "%"'),
        ("電話の録音です.wav", '"電", "話", "の", "録", "音" and others'),
    ],
)
def test_what_only_some_servers_forbid_is_told(name: str, told: str) -> None:
    assert unusual_in(name) == told


@pytest.mark.parametrize(
    ("listed", "name", "is_it"),
    [
        (b"call.wav", "call.wav", True),
        (b"CALL.WAV", "call.wav", True),
        (b"call?.wav", "call.wav", False),
        (b"calls.wav", "call.wav", False),
        ("Müller.wav".encode(), "Müller.wav", True),
        ("MÜLLER.wav".encode(), "müller.wav", True),
        ("Mu\u0308ller.wav".encode(), "Müller.wav", True),
        ("Müller.wav".encode("latin-1"), "Müller.wav", True),
        (b"M?ller.wav", "Müller.wav", True),
        (b"M??ller.wav", "Müller.wav", True),
        ("Möller.wav".encode(), "Müller.wav", False),
        (b"Muller.wav", "Müller.wav", False),
        (b"\xff\xfe", "call.wav", False),
    ],
)
def test_a_listed_name_may_be_spelt_in_another_way(
    listed: bytes, name: str, *, is_it: bool
) -> None:
    assert may_be(listed, name) is is_it


@pytest.mark.parametrize(
    ("folder", "path"),
    [("", "a"), (".", "a"), ("calls", "calls/a"), ("/calls/", "/calls/a"), ("/", "/a")],
)
def test_a_name_is_joined_to_its_folder(folder: str, path: str) -> None:
    assert join(folder, "a") == path


@pytest.mark.parametrize(
    ("folder", "folders"),
    [
        ("a", ["a"]),
        ("a/b/c", ["a", "a/b", "a/b/c"]),
        ("/a/b/", ["/a", "/a/b"]),
        ("./a//b", ["a", "a/b"]),
        ("/", []),
    ],
)
def test_the_folders_above_come_first(folder: str, folders: list[str]) -> None:
    assert with_parents(folder) == folders
