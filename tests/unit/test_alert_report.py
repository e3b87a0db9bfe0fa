"""The table of the alerts, written after a run of some of the tests or of all."""

import json
from pathlib import Path

import pytest

from tests.faults import alert_report, report

ROW = "| `{}` | {} | 3 s | 28 s | `test_one` |\n"
TEST = "tests/faults/test_alerts.py::test_again"


@pytest.fixture
def document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With a row of each alert but the last, of a day in November."""
    path, rows = tmp_path / "alerts.md", alert_report.alerts()[:-1]
    text = "".join(ROW.format(name, "2026-11-20") for name in rows)
    path.write_text(f"before\n{alert_report.BEGIN}\n{text}{alert_report.END}\nafter\n")
    monkeypatch.setattr(alert_report, "DOCUMENT", path)
    for module in (alert_report, report):
        monkeypatch.setattr(module, "RECORD", tmp_path / "faults.jsonl")
    return path


def leave(document: Path, day: str, *alerts: str, outcome: str = "passed") -> None:
    seen = [f"{name}: fired after 5 s, ended after 6 s" for name in alerts]
    line = {"test": TEST, "outcome": outcome, "seconds": 1.0, "sentences": seen, "day": day}
    (document.parent / "faults.jsonl").write_text(json.dumps(line) + "\n")


def test_a_run_of_some_takes_no_row_of_the_others_away(document: Path) -> None:
    first, *rest = alert_report.alerts()
    leave(document, "2026-11-30", first, rest[-1])
    assert alert_report.main() == 0
    told = document.read_text()
    assert told.startswith("before\n")
    assert told.endswith("after\n")
    for name in (first, rest[-1]):
        assert f"| `{name}` | 2026-11-30 | 5 s | 6 s | `test_again` |\n" in told
    assert all(ROW.format(name, "2026-11-20") in told for name in rest[:-1])


def test_what_failed_or_is_older_changes_no_row(document: Path) -> None:
    first, *_, last = alert_report.alerts()
    for day, outcome in (("2026-11-30", "failed"), ("2026-11-19", "passed"), ("", "passed")):
        leave(document, day, first, outcome=outcome)
        assert alert_report.main() == 1, "the last was never seen"
        assert ROW.format(first, "2026-11-20") in document.read_text()
        assert f"| `{last}` |  | **not seen** |" in document.read_text()
