"""How answers are printed."""

import json

import pytest

from worker.cli import output


def test_json_is_one_compact_line_of_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    value = [{"name": "Zoë \u202e", "size": None}]
    output.print_json(value)
    printed = capsys.readouterr().out
    assert printed == '[{"name":"Zo\\u00eb \\u202e","size":null}]\n'
    assert json.loads(printed) == value


def test_a_table_off_a_terminal_is_aligned_and_neither_cut_nor_coloured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    long = "x" * 300
    rows = [("a", 5, output.coloured("dead_lettered")), (long, 1000, None)]
    output.print_table(("NAME", "SIZE", "STATUS"), rows, empty="")
    heading, first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["a", "5", "dead-lettered"]
    assert second.split() == [long, "1000"]
    assert heading.index("SIZE") + 4 == first.index("5") + 1 == len(second.rstrip())


def test_a_table_off_a_terminal_is_aligned_by_cells_and_cannot_speak_to_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("通話", "\x1b[31m", 7), ("Zoë", None, 12), ("plain", "a\nb", 100)]
    output.print_table(("NAME", "NOTE", "FILES"), rows, empty="")
    assert capsys.readouterr().out.splitlines() == [
        "NAME   NOTE      FILES",
        "通話   \\x1b[31m      7",
        "Zoë                 12",
        "plain  a\\nb        100",
    ]


def test_an_empty_table_is_a_sentence_beside_the_answer(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_table(("NAME",), [], empty="There is nothing.")
    assert capsys.readouterr() == ("", "There is nothing.\n")


def test_a_page_leaves_out_what_is_not_known(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_page([("name", "x"), ("parent", None), ("queued", 0)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [["name", "x"], ["queued", "0"]]


def test_what_others_wrote_is_no_markup_and_cannot_speak_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.print_page([("name", "[red]x[/red] \x1b[31m\n\u202e")])
    assert capsys.readouterr().out.strip() == "name  [red]x[/red] \\x1b[31m\\n\\u202e"


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3599, "59 min"), (12_000, "3 h 20 min")],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert output.duration(seconds) == told


def test_a_duration_of_days_is_told_with_its_hours() -> None:
    assert output.duration(2 * 86_400 + 4 * 3600 + 59) == "2 d 4 h"
