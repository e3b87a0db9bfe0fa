"""docs/rules.md: its rules are numbered in order, and name places that there are."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
RULES = ROOT / "docs" / "rules.md"
NAMED = re.compile(r"[Rr]ules? ([0-9]+)(?:(?:,| and| to) ([0-9]+))*(?: \(| of )docs/rules\.md")


def numbers() -> list[int]:
    return [int(each) for each in re.findall(r"^([0-9]+)\. \*\*", RULES.read_text(), re.MULTILINE)]


def test_the_rules_are_numbered_in_order() -> None:
    assert numbers() == [*range(1, len(numbers()) + 1)]


def test_every_place_that_a_rule_names_is_there() -> None:
    folders = "config|transports|alerts|consumers|worker"
    named = re.findall(rf"`((?:{folders})/[a-z_/]+)`", RULES.read_text())
    assert named
    missing = [
        each for each in named if not (ROOT / f"{each}.py").is_file() and not (ROOT / each).is_dir()
    ]
    assert not missing


def test_every_rule_that_a_test_names_is_there() -> None:
    found = [
        int(number)
        for path in (ROOT / "tests").rglob("*.py")
        for named in NAMED.finditer(path.read_text())
        for number in re.findall(r"[0-9]+", named[0])
    ]
    assert len(found) > len(numbers()) // 2
    assert {*found} <= {*numbers()}
