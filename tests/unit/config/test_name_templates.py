"""Templates of folders and names: a closed grammar, and whatever a recording has, one safe name."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.fields import explain
from config.file_names import MAX_BYTES, NO_NAMES
from config.ftp_settings import FtpSettings
from config.name_templates import (
    DATE_CODES,
    EXAMPLE,
    Recording,
    folders_of,
    name_of,
    rendered,
)
from config.time_zones import zone_of

LEAST = {"protocol": "ftp", "host": "ftp.customer.example", "username": "acme"}
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=300)


def named(template: str, recording: Recording = EXAMPLE, zone: str = "UTC") -> str:
    return rendered(name_of(template), recording, zone_of(zone))


def folders(template: str, recording: Recording = EXAMPLE, zone: str = "UTC") -> list[str]:
    return [rendered(each, recording, zone_of(zone)) for each in folders_of(template)]


def refused(**changes: Any) -> tuple[str, str]:
    with pytest.raises(ValidationError) as caught:
        FtpSettings.model_validate({**LEAST, **changes})
    [(field, sentence)] = explain(caught.value).items()
    return field, sentence


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{name}", "20261123-140500_01632960001.wav"),
        ("{stem}-{account}{extension}", "20261123-140500_01632960001-acme.wav"),
        ("{number}_{direction}{extension}", "+441632960001_inbound.wav"),
        ("{recording}.wav", "8f6c2f0e-9d43-4c1e-8a27-5b0f6a3d9c11.wav"),
        ("{counter}.wav", "1.wav"),
        ("{counter:6}.wav", "000001.wav"),
        ("{date:%Y-%m-%dT%H%M%S}.wav", "2026-11-23T140500.wav"),
        ("{date:%y %j %G-W%V}.wav", "26 327 2026-W48.wav"),
        ("call 100%.wav", "call 100%.wav"),
        ("Grüße {number}.wav", "Grüße +441632960001.wav"),
    ],
)
def test_a_field_becomes_what_it_says(template: str, name: str) -> None:
    assert named(template) == name


def test_folders_are_parted_by_slashes_those_of_a_date_too() -> None:
    assert folders("{date:%Y/%m}/{number}") == ["2026", "11", "+441632960001"]
    assert folders("calls/of {account}/") == ["calls", "of acme"]
    assert folders("") == []


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("UTC", "14"), ("Europe/London", "14"), ("Europe/Berlin", "15"), ("Asia/Kolkata", "19")],
)
def test_a_date_is_that_of_the_time_zone(zone: str, hour: str) -> None:
    assert named("{date:%H}", zone=zone) == hour


def test_the_day_changes_with_the_zone_and_with_summer_time() -> None:
    late = replace(EXAMPLE, moment=datetime(2026, 6, 30, 22, 30, tzinfo=UTC))
    assert folders("{date:%Y-%m}", late, "Europe/Berlin") == ["2026-07"]
    assert folders("{date:%Y-%m}", late) == ["2026-06"]


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_the_ends_of_all_years_have_a_date_too(moment: datetime) -> None:
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        assert named("{date:%Y}", replace(EXAMPLE, moment=moment), zone) in {"0001", "9999"}


def test_what_an_event_does_not_say_is_unknown() -> None:
    bare = replace(EXAMPLE, number=None, direction=None, name="call")
    assert named("{number}-{direction}-{stem}{extension}", bare) == "unknown-unknown-call"


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("/abs", "Subfolders must not begin with /: the folders stand beneath Path."),
        ("..", "Subfolders may become .., which is no name."),
        ("a/../b", "Subfolders may become .., which is no name."),
        ("a/./b", "Subfolders may become ., which is no name."),
        ("~/{number}", "Subfolders may become ~, which is no name."),
        ("a//b", "Subfolders may become an empty name."),
        ("a/ /b", "Subfolders may become an empty name."),
        ("{extension}", "Subfolders may become an empty name."),
        ("a\\b", "Subfolders must not have a \\ in it: folders are parted by /."),
        ("con/{number}", "Subfolders may become con, a name that Windows keeps for a device."),
        ("a/{date:%Y", "Subfolders has a { without its other half."),
        ("a}", "Subfolders has a } without its other half."),
        ("{date}", "that does not say what of it"),
        ("{date:%Y%q}", "Subfolders has %q in a date, which is none of %Y %y"),
        ("{date:%}", "Subfolders has % in a date"),
        ("{number:>10}", "Subfolders has the field {number:>10}, which is none of {account}"),
        ("{number.__class__}", "which is none of"),
        ("{0}", "which is none of"),
        ("{}", "which is none of"),
        ("{name!r}", "which is none of"),
        ("{counter:x}", "1 to 12 digits"),
        ("{counter:13}", "1 to 12 digits"),
        ("{counter:-1}", "1 to 12 digits"),
        ("a\nb", "control characters"),
        ("a\u202eb", "direction of writing"),
        ("a/" * 17, "Subfolders must have at most 16 folders."),
        ("ü" * 150, "Subfolders may become longer than the 255 bytes that a name has."),
        ("/".join(["{recording}" * 3] * 6), "Subfolders may become longer than 1000 bytes."),
        ("a" * 501, "Subfolders must have at most 500 characters."),
    ],
)
def test_a_template_of_folders_that_leads_out_or_nowhere_is_refused_with_a_sentence(
    template: str, sentence: str
) -> None:
    field, told = refused(folder_template=template)
    assert field == "folder_template"
    assert sentence in told


@pytest.mark.parametrize(
    ("template", "sentence"),
    [
        ("a/{name}", "File Name must not have a / in it: folders stand in Subfolders."),
        ("{date:%Y/%m}.wav", "File Name must not have a / in it: folders stand in Subfolders."),
        ("..", "File Name may become .., which is no name."),
        (".{extension}", "File Name may become ., which is no name."),
        ("{extension}", "File Name may become an empty name."),
        ("NUL.wav", "File Name may become NUL.wav, a name that Windows keeps for a device."),
        ("ü" * 149 + ".wav", "File Name may become longer than the 255 bytes that a name has."),
        ("{account}" * 4, "File Name may become longer than the 255 bytes that a name has."),
        ("{name}.PART", "File Name must not end in .part: that is how files on their way are"),
        ("{password}", "File Name has the field {password}, which is none of {account}"),
    ],
)
def test_a_template_of_a_name_that_gives_none_or_a_long_one_is_refused_with_a_sentence(
    template: str, sentence: str
) -> None:
    field, told = refused(name_template=template)
    assert field == "name_template"
    assert sentence in told


def test_blanks_around_a_template_are_none_of_it() -> None:
    settings = FtpSettings.model_validate(
        {**LEAST, "folder_template": "  ", "name_template": " a "}
    )
    assert (settings.folder_template, settings.name_template) == ("", "a")


def test_a_long_name_loses_the_middle_of_its_own_name_and_nothing_else() -> None:
    long = replace(EXAMPLE, name="n" * 251 + ".wav")
    name = named("{number}-{name}-{counter:3}{extension}", long)
    assert len(name.encode()) == MAX_BYTES
    assert name.startswith("+441632960001-nnn")
    assert name.endswith("n.wav-001.wav")


HOSTILE = st.sampled_from(
    [
        "..",
        ".",
        "/",
        "../..",
        "a/b",
        "\\",
        "\0",
        "",
        " ",
        "~",
        "{name}",
        "{{",
        "%Y",
        "con",
        "x" * 400,
    ]
)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [
                    *("{account}", "{number}", "{direction}", "{recording}", "{name}", "{stem}"),
                    *("{extension}", "{counter}", "{date:%Y}", "-", ".", " ", "a"),
                ]
            ),
        ),
        min_size=1,
        max_size=5,
    ),
    st.one_of(ANY_TEXT, HOSTILE),
    st.one_of(ANY_TEXT, HOSTILE),
)
def test_whatever_a_recording_says_of_itself_its_name_is_one_name(
    pieces: list[str], number: str, name: str
) -> None:
    try:
        template = name_of("".join(pieces))
    except ValueError:
        return
    hostile = Recording("acme", name or "r", name or "n", EXAMPLE.moment, number, number, 7)
    made = rendered(template, hostile, UTC)
    assert made not in NO_NAMES
    assert not set(made) & set("/\\\0\r\n")
    assert len(made.encode()) <= MAX_BYTES
    assert made == made.strip(" ")


@given(ANY_TEXT)
def test_any_text_is_a_template_or_is_refused_in_words(text: str) -> None:
    for parse in (folders_of, name_of):
        try:
            told = str(parse(text))
        except ValueError as error:
            told = str(error)
        assert told


def test_every_code_of_a_date_has_a_fixed_length() -> None:
    first, last = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    for code in DATE_CODES.values():
        assert len(code(first)) == len(code(last))
