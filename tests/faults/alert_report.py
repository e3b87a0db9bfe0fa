"""`python -m tests.faults.alert_report`: writes into docs/alerts.md what each alert did.

Made from the record that the tests leave; of each alert its last result counts. What this checkout
has not tried keeps its row: a run of some tests takes nothing away.
"""

import re
import sys
from typing import NamedTuple

from deploy.prometheus.runbook import RULES
from tests.faults.report import RECORD, ROOT, read

DOCUMENT = ROOT / "docs" / "alerts.md"
BEGIN, END = "<!-- alerts -->", "<!-- /alerts -->"
TESTS = "tests/faults/test_alerts.py::"
ROW = re.compile(r"^\| `(\w+)` \| ([\d-]+) \| (\d+ s) \| (\d+ s) \| `(.+)` \|$", re.MULTILINE)


class Tried(NamedTuple):
    """The day, seconds from the fault to the firing, from the mending to the end, and the test."""

    day: str
    fired: str
    ended: str
    test: str


def main() -> int:
    """Replace what stands between the marks; 1 where an alert was not seen to fire and to end."""
    if not RECORD.exists():
        print("No alert was tried yet: run `make alerts`.", file=sys.stderr)  # noqa: T201 - told who runs it
        return 1
    text, names = DOCUMENT.read_text(encoding="utf-8"), alerts()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    seen = told(text)
    for name, each in tried().items():
        if name not in seen or each.day >= seen[name].day:
            seen[name] = each
    DOCUMENT.write_text(f"{head}{BEGIN}\n{table(names, seen)}{END}{tail}", encoding="utf-8")
    missing = [name for name in names if name not in seen]
    if missing:
        print(f"Not seen to fire and to end: {', '.join(missing)}.", file=sys.stderr)  # noqa: T201 - told who runs it
    return 1 if missing else 0


def alerts() -> list[str]:
    """The names of all alerts, in the order of the rules."""
    return re.findall(r"- alert: (\w+)", (RULES / "alerts.yaml").read_text(encoding="utf-8"))


def told(text: str) -> dict[str, Tried]:
    """By alert, the row that stands in the document."""
    return {name: Tried(*rest) for name, *rest in ROW.findall(text)}


def tried() -> dict[str, Tried]:
    """By alert, what the tests that passed last have seen."""
    found = {}
    for test, seen in read().items():
        if test.startswith(TESTS) and seen.outcome == "passed" and seen.day:
            for sentence in seen.sentences:
                alert, _, times = sentence.partition(": ")
                fired, ended = re.findall(r"\d+ s", times)
                found[alert] = Tried(seen.day, fired, ended, test.removeprefix(TESTS))
    return found


def table(names: list[str], seen: dict[str, Tried]) -> str:
    """One row an alert."""
    lines = ["| alert | last tried | fired after | ended after | test |", "|---|---|---|---|---|"]
    for name in names:
        each = seen.get(name, Tried("", "**not seen**", "", ""))
        lines.append(f"| `{name}` | {each.day} | {each.fired} | {each.ended} | `{each.test}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
