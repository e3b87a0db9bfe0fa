"""The arithmetic of the benchmarks, and what the report makes of it."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.figures import (
    BROKER,
    BYTES,
    EVERYTHING,
    OURS,
    OWN,
    RATE,
    RENAMED,
    AtLeast,
    AtMost,
    Contenders,
    Goal,
    Never,
    Runs,
    Times,
    Workload,
    middle,
    ratio,
)
from tests.bench.machine import Machine
from tests.bench.report import (
    BEGIN,
    END,
    NAME,
    PLOT,
    Count,
    Result,
    Row,
    counts,
    number,
    rows,
    write,
)
from tests.bench.stage import Stage

HERE = Machine(
    "2026-11-23",
    "2 cores of an abacus with 1 GB of memory",
    "Python 3.11, lftp 4.9",
    "Its load average was 0.02 in the minute before.",
)


def rates(**of: list[float]) -> dict[str, list[dict[str, float]]]:
    names = {"ours": OURS, "sftp": "OpenSSH sftp", "lftp": "lftp"}
    return {names[name]: [{RATE: value} for value in values] for name, values in of.items()}


def result(runs: Runs, *goals: Goal) -> Result:
    def nothing(_: Stage, __: bool) -> nullcontext[Contenders]:  # noqa: FBT001 - Workload
        return nullcontext({})

    return Result(Workload("a", "some files", "files/s", nothing, goals), runs)


def test_the_middle_is_the_median_of_the_rounds() -> None:
    assert middle(rates(ours=[100, 300, 120]), OURS) == 120


def test_a_ratio_is_taken_within_each_round() -> None:
    runs = rates(ours=[200, 100, 50], sftp=[100, 50, 100])

    assert ratio(runs, "OpenSSH sftp") == 2.0


def test_a_peer_that_failed_in_a_round_is_compared_in_the_others() -> None:
    assert ratio(rates(ours=[200, 100, 90], lftp=[100]), "lftp") == 2.0


def test_times_is_held_against_the_best_of_the_named() -> None:
    runs = rates(ours=[150], sftp=[100], lftp=[120])
    goal = Times(1.25, ("OpenSSH sftp", "lftp"))

    assert goal.best(runs) == "lftp"
    assert goal.reached(runs) == 1.25
    assert goal.is_met(runs)
    assert not Times(1.26, ("OpenSSH sftp", "lftp")).is_met(runs)


@pytest.mark.parametrize(("value", "met"), [(119.9, True), (120, True), (120.1, False)])
def test_at_most_takes_the_limit_itself(value: float, *, met: bool) -> None:
    assert AtMost("MB", 120).is_met({OURS: [{"MB": value}]}) is met


@pytest.mark.parametrize(("value", "met"), [(1499, False), (1500, True)])
def test_at_least_takes_the_limit_itself(value: float, *, met: bool) -> None:
    assert AtLeast(RATE, 1500).is_met({OURS: [{RATE: value}]}) is met


@pytest.mark.parametrize(
    ("value", "told"), [(0.0712, "0.07"), (9.87, "9.87"), (43.16, "43.2"), (1234.5, "1,234")]
)
def test_a_number_has_three_digits_that_count(value: float, told: str) -> None:
    assert number(value) == told


def test_the_rows_show_each_goal_where_it_belongs() -> None:
    runs = rates(ours=[90, 110], sftp=[100, 100], lftp=[50, 50])
    runs[OURS][0]["MB"] = runs[OURS][1]["MB"] = 80
    measured = result(runs, Times(1.1, ("OpenSSH sftp",)), AtMost("MB", 120))

    assert list(rows(measured)) == [
        Row(OURS, "", "100 files/s", "90.0 - 110"),
        Row(
            "OpenSSH sftp",
            "",
            "100 files/s",
            "100 - 100",
            ratio="1.00 x",
            goal=">= 1.1 x",
            met=False,
        ),
        Row("lftp", "", "50.0 files/s", "50.0 - 50.0", ratio="2.00 x"),
        Row("MB", "", "80.0", "80.0 - 80.0", goal="<= 120", met=True),
    ]


def test_a_goal_for_our_own_rate_stands_in_our_row() -> None:
    measured = result(rates(ours=[1600]), AtLeast(RATE, 1500))

    assert list(rows(measured)) == [Row(OURS, "", "1,600 files/s", goal=">= 1,500", met=True)]


def test_a_goal_whose_peer_was_not_measured_is_left_out() -> None:
    measured = result(rates(ours=[90]), Times(1.0, ("OpenSSH sftp",)))

    assert list(rows(measured)) == [Row(OURS, "", "90.0 files/s")]


def test_who_failed_is_named_and_ours_counts_as_missed() -> None:
    workload = result(rates(lftp=[90]), Times(1.0, ("lftp",))).workload
    measured = Result(workload, rates(lftp=[90]), frozenset({OURS}))

    assert list(rows(measured)) == [
        Row("lftp", "", "90.0 files/s"),
        Row(OURS, "", "failed", met=False),
    ]


def test_peers_without_ours_are_shown_alone() -> None:
    assert list(rows(result(rates(lftp=[90])))) == [Row("lftp", "", "90.0 files/s")]


def test_the_report_keeps_what_people_wrote_around_the_figures(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(f"# Fast\n\n{BEGIN}\nold\n{END}\n\nWhat was tried.\n")
    measured = result(rates(ours=[90, 95], lftp=[100, 100]), Times(1.0, ("lftp",)))

    write([measured], HERE, tmp_path, quick=False)

    text = (tmp_path / NAME).read_text()
    assert text.startswith(f"# Fast\n\n{BEGIN}\nMeasured on 2026-11-23")
    assert "Its load average was 0.02" in text
    assert text.endswith(f"{END}\n\nWhat was tried.\n")
    assert "old" not in text
    assert "| lftp |  | 100 files/s | 100 - 100 |  | 0.93 x | >= 1 x | **missed** |" in text
    assert "<svg" in (tmp_path / PLOT).read_text()


def test_what_is_done_besides_and_its_cost_stand_beside_the_rate() -> None:
    runs = {OURS: [{RATE: 100.0, OWN: 2.0, BROKER: 0.5}], "lftp": [{RATE: 50.0, OWN: 1.0}]}
    measured = replace(result(runs), does={OURS: EVERYTHING, "lftp": BYTES})

    ours, lftp, *_ = rows(measured)

    assert (ours.does, ours.cost) == ("fed, renamed, compared, recorded", "2.00 + 0.50")
    assert (lftp.does, lftp.cost) == ("final name", "1.00")


def killed(ours: int, theirs: int) -> Result:
    runs = {
        OURS: [{"lost": 0.0, "cut": 0.0}, {"lost": float(ours), "cut": 0.0}],
        "lftp": [{"lost": 0.0, "cut": 1.0}, {"lost": float(theirs), "cut": 2.0}],
    }
    measured = result(runs, Never("lost"))
    workload = replace(measured.workload, counts=("lost", "cut"))
    return replace(measured, workload=workload, does={"lftp": RENAMED})


def test_what_is_counted_is_added_up_over_all_rounds() -> None:
    assert list(counts(killed(ours=0, theirs=4))) == [
        Count(OURS, "", ["0", "0"]),
        Count("lftp", "renamed", ["4", "3"]),
        Count("goal", "", ["0, met", ""]),
    ]


def test_one_lost_file_in_any_round_misses_the_goal() -> None:
    assert list(counts(killed(ours=1, theirs=0)))[-1].counts == ["0, **missed**", ""]


def test_the_plot_shows_what_was_lost(tmp_path: Path) -> None:
    write([killed(ours=0, theirs=4)], HERE, tmp_path, quick=False)

    assert "| lftp | renamed | 4 | 3 |" in (tmp_path / NAME).read_text()
    assert "left over" not in (tmp_path / PLOT).read_text()
    assert ">lost<" in (tmp_path / PLOT).read_text()


def test_a_report_that_is_not_there_is_made(tmp_path: Path) -> None:
    write([result(rates(ours=[90]))], HERE, tmp_path / "bench", quick=True)

    assert "A quick run" in (tmp_path / "bench" / NAME).read_text()
    assert not (tmp_path / "bench" / PLOT).exists(), "nobody to compare with"
