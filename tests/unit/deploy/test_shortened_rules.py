"""How the rules are shortened for the tests that make every alert fire."""

import re

from deploy.prometheus.runbook import RULES
from tests.faults.watch import scaled

RULE = """
      - record: courier:x:ratio_rate5m
        expr: sum(rate(x[5m])) / sum(rate(x[1h])) > 5 * 60
        for: 10m
        description: more than 60 in 5m
"""
SHORTER = """
      - record: courier:x:ratio_rate5m
        expr: sum(rate(x[5000ms])) / sum(rate(x[60000ms])) > 5 * 1
        for: 10000ms
        description: more than 60 in 5m
"""


def test_ranges_and_waits_and_limits_are_divided_and_nothing_else() -> None:
    assert scaled(RULE, 60) == SHORTER


def test_no_time_of_the_rules_is_left_as_it_was() -> None:
    text = "".join(scaled(file.read_text(), 120) for file in RULES.glob("*.yaml"))
    assert not re.findall(r"\[\d+[smhdw]\]|for: \d+[smhdw]$| \* 60\b", text, re.MULTILINE)
    assert "[150000ms]" not in text
    assert "[2500ms]" in text
