"""Alerts, their tests and the runbook agree, by Prometheus' own judgement where it has one."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.install import program
from deploy.prometheus import runbook
from deploy.prometheus.runbook import RULES, RUNBOOK, disagreements
from tests.unit.deploy.typed import check_is_one
from worker.metric_names import named

ROOT = Path(__file__).parents[3]
ALERTS = (RULES / "alerts.yaml").read_text()
RECORDING = (RULES / "recording.yaml").read_text()
CHAPTERS = RUNBOOK.read_text()
TESTS = sorted((RULES / "tests").glob("*.yaml"))

ONE = """
      - alert: CourierOne
        expr: one > 0
        labels:
          severity: page
        annotations:
          summary: One.
          description: One.
          runbook_url: '{{ base }}#courierone'
"""
CHAPTER = "### CourierOne\n"


def promtool(*arguments: object) -> str:
    """Its words; fails where it does not agree."""
    path = program("promtool")
    assert path is not None, "promtool is missing: run `make setup-tests`"
    ended = subprocess.run(
        [path, *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def names(text: str) -> list[str]:
    return re.findall(r"- alert: (\w+)", text)


def fenced(language: str) -> list[str]:
    """The blocks of the runbook that are marked so."""
    return re.findall(rf"^```{language}\n(.*?)^```", CHAPTERS, re.MULTILINE | re.DOTALL)


def test_every_alert_has_its_chapter_and_all_that_it_has_to_tell() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.prometheus.runbook"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert len(names(ALERTS)) > 20


@pytest.mark.parametrize(
    ("rules", "chapters", "told"),
    [
        (ONE, "", "CourierOne has no chapter"),
        ("", CHAPTER, "no rule has such an alert"),
        (ONE * 2, CHAPTER, "there twice"),
        (ONE, CHAPTER * 2, "there twice"),
        (ONE.replace("page", "urgent"), CHAPTER, "has no severity"),
        (ONE.replace("summary", "title"), CHAPTER, "has no summary"),
        (ONE.replace("description", "text"), CHAPTER, "has no description"),
        (ONE.replace("#courierone", "#couriertwo"), CHAPTER, "does not link to its chapter"),
    ],
)
def test_what_does_not_agree_is_told_and_fails(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rules: str,
    chapters: str,
    told: str,
) -> None:
    assert [*disagreements(ONE, CHAPTER)] == []
    (tmp_path / "alerts.yaml").write_text(rules)
    (tmp_path / "RUNBOOK.md").write_text(chapters)
    monkeypatch.setattr(runbook, "RULES", tmp_path)
    monkeypatch.setattr(runbook, "RUNBOOK", tmp_path / "RUNBOOK.md")
    assert runbook.main() == 1
    assert told in capsys.readouterr().err


def test_promtool_finds_nothing_wrong_with_the_rules() -> None:
    promtool("check", "rules", RULES / "recording.yaml", RULES / "alerts.yaml")


def test_each_alert_has_a_test_of_its_numbers() -> None:
    told = "".join(file.read_text() for file in TESTS)
    assert {*names(ALERTS)} == {*re.findall(r'ALERTS\{alertname="(\w+)"', told)}


def test_each_alert_was_seen_to_fire_and_to_end_by_its_last_run() -> None:
    told = (ROOT / "docs" / "alerts.md").read_text()
    seen = re.findall(r"^\| `(\w+)` \| [\d-]+ \| \d+ s \| \d+ s \|", told, re.MULTILINE)
    assert sorted(seen) == sorted(names(ALERTS))


@pytest.mark.parametrize("file", TESTS, ids=[file.stem for file in TESTS])
def test_each_alert_fires_for_its_numbers_alone_and_ends(file: Path) -> None:
    promtool("test", "rules", file)


def test_rules_and_runbook_ask_for_metrics_that_there_are() -> None:
    known = {each.name for each in named()}
    asked = {*re.findall(r"\bcourier_\w+", RECORDING + ALERTS + "".join(fenced("promql")))}
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked}
    assert plain <= known, plain - known
    recorded = {*re.findall(r"- record: (\S+)", RECORDING)}
    read = {*re.findall(r"\bcourier:\w+:\w+", ALERTS + RECORDING + "".join(fenced("promql")))}
    assert read == recorded


def test_the_queries_of_the_runbook_are_ones(tmp_path: Path) -> None:
    queries = [line for block in fenced("promql") for line in block.splitlines()]
    assert len(queries) > 20
    rules = "".join(
        f"      - record: query:{number}\n        expr: >-\n          {query}\n"
        for number, query in enumerate(queries)
    )
    file = tmp_path / "queries.yaml"
    file.write_text(f"groups:\n  - name: queries\n    rules:\n{rules}")
    promtool("check", "rules", file)


def commands() -> Iterator[str]:
    """Each command of Courier in the runbook, in its blocks and in its sentences."""
    for block in fenced(""):
        yield from (line for line in block.splitlines() if line.startswith("courier "))
    yield from re.findall(r"`(courier [a-z][^`]*)`", CHAPTERS)


@pytest.mark.parametrize("line", sorted({*commands()}))
def test_the_commands_of_the_runbook_are_ones(line: str) -> None:
    check_is_one(line)
