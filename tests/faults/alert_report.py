"""`python -m tests.faults.alert_report`: writes into docs/alerts.md what each alert did.

Made from the record that the tests leave; of each alert its last result counts.
"""

import re
import sys
from datetime import UTC, datetime
from typing import NamedTuple

from deploy.prometheus.runbook import RULES
from tests.faults.report import RECORD, ROOT, read

DOCUMENT = ROOT / "docs" / "alerts.md"
BEGIN, END = "<!-- alerts -->", "<!-- /alerts -->"
TESTS = "tests/faults/test_alerts.py::"


class Tried(NamedTuple):
    """Seconds from the fault to the firing, from the mending to the end, and the test."""

    fired: str
    ended: str
    test: str


def main() -> int:
    """Replace what stands between the marks; 1 where an alert was not seen to fire and to end."""
    if not RECORD.exists():
        print("No alert was tried yet: run `make alerts`.", file=sys.stderr)  # noqa: T201
        return 1
    seen, names = tried(), alerts()
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    DOCUMENT.write_text(f"{head}{BEGIN}\n{table(names, seen)}{END}{tail}", encoding="utf-8")
    missing = [name for name in names if name not in seen]
    if missing:
        print(f"Not seen to fire and to end: {', '.join(missing)}.", file=sys.stderr)  # noqa: T201
    return 1 if missing else 0


def alerts() -> list[str]:
    """The names of all alerts, in the order of the rules."""
    return re.findall(r"- alert: (\w+)", (RULES / "alerts.yaml").read_text(encoding="utf-8"))


def tried() -> dict[str, Tried]:
    """By alert, what the tests that passed last have seen."""
    found = {}
    for test, seen in read().items():
        if test.startswith(TESTS) and seen.outcome == "passed":
            for sentence in seen.sentences:
                alert, _, times = sentence.partition(": ")
                fired, ended = re.findall(r"\d+ s", times)
                found[alert] = Tried(fired, ended, test.removeprefix(TESTS))
    return found


def table(names: list[str], seen: dict[str, Tried]) -> str:
    """One row an alert."""
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    lines = [f"Last written on {today}.", "", "| alert | fired after | ended after | test |"]
    lines.append("|---|---|---|---|")
    for name in names:
        each = seen.get(name, Tried("**not seen**", "", ""))
        lines.append(f"| `{name}` | {each.fired} | {each.ended} | `{each.test}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
