"""The table of the faults, written after a run of some of the tests or of all."""

import json
from pathlib import Path

import pytest

from tests.faults import report

TEST = "tests/faults/test_rows.py::test_row_02_again"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As of a run of two faults' tests."""
    path = tmp_path / "faults.md"
    rows = "| 1 | told otherwise | 2 held | once; twice |\n| 2 | the same | **1 failed** |  |\n"
    path.write_text(f"before\n{report.BEGIN}\n{rows}{report.END}\nafter\n")
    monkeypatch.setattr(report, "PAGE", path)
    monkeypatch.setattr(report, "RECORD", tmp_path / "faults.jsonl")
    return path


def test_a_run_of_some_takes_no_row_of_the_others_away(page: Path) -> None:
    line = {"test": TEST, "outcome": "passed", "seconds": 1.0, "sentences": ["a | b"]}
    report.RECORD.write_text(json.dumps(line) + "\n")
    assert report.main() == 0
    told = page.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    assert f"| 1 | {report.FAULTS[1]} | 2 held | once; twice |\n" in told
    assert f"| 2 | {report.FAULTS[2]} | 1 held | a   b |\n" in told
    assert f"| 3 | {report.FAULTS[3]} | not tried |  |\n" in told
    assert report.main() == 0
    assert page.read_text() == told
