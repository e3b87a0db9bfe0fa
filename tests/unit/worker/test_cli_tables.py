"""What is left of a table on a narrow terminal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from worker.cli.output import words
from worker.cli.tables import Column, fit, shortened

COLUMNS = (
    Column("ID", least=None),
    Column("NAME", weight=1),
    Column("PLACE", weight=2, least=10, keeps="end"),
)


def rows(*cells: tuple[str, str, str]) -> list[list[Text]]:
    return [[Text(each) for each in row] for row in cells]


def test_what_fits_is_left_as_it_is() -> None:
    shown = fit(COLUMNS, rows(("r1", "Acme", "/in/call.wav")), 80)
    assert [(each.number, each.width) for each in shown] == [(0, 2), (1, 4), (2, 12)]


def test_of_a_sentence_nothing_is_left_out() -> None:
    told = shortened(Text("Suspended after 10 failures"), Column("WHY", keeps="all"), 12)
    assert told.plain == "Suspended\nafter 10\nfailures"


def test_off_a_terminal_nothing_is_left_out_or_shortened() -> None:
    shown = fit(COLUMNS, rows(("r1", "A" * 300, "/" * 300)), None)
    assert [each.width for each in shown] == [2, 300, 300]


def test_the_widest_column_gives_way_first() -> None:
    shown = fit(COLUMNS, rows(("r" * 10, "Acme", "/in/" + "x" * 90)), 40)
    assert [each.width for each in shown] == [10, 4, 22]


def test_the_lightest_column_is_left_out_where_shortening_does_not_do() -> None:
    shown = fit(COLUMNS, rows(("r" * 20, "A" * 30, "/in/" + "x" * 90)), 34)
    assert [each.number for each in shown] == [0, 2]


def test_what_is_never_shortened_stays_on_the_narrowest_terminal() -> None:
    shown = fit(COLUMNS, rows(("r" * 20, "A" * 30, "/in/x")), 10)
    assert [each.number for each in shown] == [0]


@pytest.mark.parametrize(
    ("keeps", "told"),
    [("start", "/recordi…"), ("end", "…call.wav")],
)
def test_a_shortened_value_says_so_on_the_side_that_is_read_last(keeps: str, told: str) -> None:
    column = Column("PLACE", keeps="end" if keeps == "end" else "start")
    assert shortened(Text("/recordings/call.wav"), column, 9).plain == told


def test_a_sentence_is_read_from_its_start_beside_paths_that_are_read_from_their_end() -> None:
    column = Column("PLACE OR ERROR", keeps="end")
    assert shortened(words("550 Permission denied"), column, 9).plain == "550 Perm…"


@given(
    st.lists(
        st.tuples(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60)), max_size=5
    ),
    st.integers(min_value=20, max_value=120),
)
def test_no_value_is_wider_than_its_column_but_those_that_stay_whole(
    cells: list[tuple[str, str, str]], width: int
) -> None:
    drawn = rows(*cells)
    for number, room in fit(COLUMNS, drawn, width):
        for row in drawn:
            told = shortened(row[number], COLUMNS[number], room)
            assert COLUMNS[number].least is None or told.cell_len <= room
