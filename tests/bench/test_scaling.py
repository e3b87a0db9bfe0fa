"""The plan on paper is computed from what was measured, and both pages are written from it."""

from pathlib import Path

import pytest

from tests.bench.figures import BROKER, DATABASE, OWN, RATE
from tests.bench.machine import Machine
from tests.bench.scaling import growth, page
from tests.bench.scaling.growth import Queues, medians
from tests.bench.scaling.page import Scaling
from tests.bench.scaling.plan import Need
from tests.bench.scaling.services import Limit

COSTS = {RATE: 100.0, OWN: 9.0, BROKER: 1.8, DATABASE: 3.6}
HERE = Machine("2026-11-23", "2 cores of an abacus", "Python 3.11", "Its load average was 0.02.")


def measured() -> Scaling:
    found = Scaling(HERE, rounds=3, quick=False)
    found.workers = {1: COSTS, 2: {**COSTS, RATE: 150.0}}
    found.sessions = {300: {**COSTS, OWN: 18.0}}
    found.queues = Queues({10: 100.0, 1_000: 199.0})
    found.broker = [Limit("publish, confirmed", 5_560.0, 0.1, 0.02)]
    return found


def test_the_busiest_hour_has_a_tenth_of_the_day() -> None:
    need = Need(3_600_000, COSTS)

    assert need.a_second == 100
    assert need.cores(OWN) == pytest.approx(0.9)
    assert (need.processes, need.planned(BROKER), need.planned(DATABASE)) == (2, 1, 1)
    assert need.megabits == pytest.approx(384)


def test_a_small_day_needs_two_processes_on_two_hosts_all_the_same() -> None:
    need = Need(1_000, COSTS)

    assert (need.processes, need.hosts, need.planned(DATABASE)) == (2, 2, 1)


def test_twice_the_cores_that_are_busy_are_planned() -> None:
    need = Need(36_000_000, COSTS)

    assert need.cores(OWN) == pytest.approx(9)
    assert (need.processes, need.hosts) == (18, 5)


def test_replica_sets_are_counted_by_the_rows_that_one_wrote_alone() -> None:
    need = Need(36_000_000, COSTS)

    assert need.rows == pytest.approx(6_000)
    assert [need.replica_sets(alone) for alone in (20_000, 12_000, 11_000)] == [1, 1, 2]


def test_the_median_is_taken_of_each_figure() -> None:
    assert medians([{"a": 1, "b": 9}, {"a": 3, "b": 1}, {"a": 2, "b": 5}]) == {"a": 2, "b": 5}


def test_a_queue_more_takes_what_the_most_take_beyond_the_fewest() -> None:
    assert growth.Queues({10: 100.0, 1_010: 200.0}).each == pytest.approx(0.1)


def test_one_core_of_a_service_allows_what_its_processor_time_says() -> None:
    assert Limit("publish", 4_000, 0.05, 0.02).of_a_core == pytest.approx(20_000)


def test_the_page_keeps_what_people_wrote_around_the_figures(tmp_path: Path) -> None:
    file = tmp_path / page.NAME
    file.write_text(f"# Far\n\n{page.BEGIN}\nold\n{page.END}\n\n## Rows\n")

    page.write(file, measured().lines())

    text = file.read_text()
    assert text.startswith(f"# Far\n\n{page.BEGIN}\nMeasured on 2026-11-23")
    assert text.endswith(f"{page.END}\n\n## Rows\n")
    assert "old" not in text
    assert "Its load average was 0.02." in text
    assert "| 2 | 150 | 9.00 | 1.80 | 3.60 |" in text
    assert "556 messages a second are 10% of *publish, confirmed* alone." in text
    assert "20,000 queues at most" in text
    assert "2.0 GB of a node's memory at 0.10 MB" in text


def test_runbook_and_page_plan_ten_million_files_from_the_same_figures() -> None:
    found = measured()

    assert "| worker processes | 5 (2.50 cores busy) | 10 (5.00 cores busy) |" in found.lines()
    sizing = list(found.sizing())
    assert "| many files an account | 9.00 | 1.80 | 3.60 |" in sizing
    assert [line for line in sizing if line.startswith("| 10,000,000 | 277.8 a second | 5 (2.50")]
    assert [line for line in sizing if line.startswith("| 10,000,000 | 277.8 a second | 10 (5.00")]


def test_a_part_that_was_not_measured_is_left_out() -> None:
    text = "\n".join(Scaling(HERE, rounds=1, quick=True).lines())

    assert "A quick run" in text
    assert "###" not in text
