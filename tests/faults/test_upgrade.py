"""`make upgrade`: what of it needs no second version; docs/upgrade.md has its last run."""

import sys

import pytest

from tests.faults import upgrade


def test_a_commit_that_is_not_there_is_refused_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = upgrade.REPORT.read_bytes()
    monkeypatch.setattr(sys, "argv", ["upgrade", "nowhere"])
    assert upgrade.main() == 1
    assert "'nowhere' is no commit of this repository" in capsys.readouterr().out
    assert upgrade.REPORT.read_bytes() == before


def test_the_last_run_held_and_is_written_down() -> None:
    told = upgrade.REPORT.read_text(encoding="utf-8")
    assert "all of it held" in told
    assert "each delivered once" in told


def test_deliveries_are_counted_by_the_log() -> None:
    assert upgrade.is_delivery('{"outcome": "delivered", "event": "file_ended"}')
    assert not upgrade.is_delivery('{"outcome": "dead_lettered", "event": "file_ended"}')
    assert not upgrade.is_delivery('{"event": "try_ended"}')
