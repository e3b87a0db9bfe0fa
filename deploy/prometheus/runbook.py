"""`python -m deploy.prometheus.runbook`: does the runbook have a chapter for each alert?

Also whether each alert tells what whoever is woken needs. Needs nothing but Python.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

RULES = Path(__file__).parent
RUNBOOK = RULES.parent / "RUNBOOK.md"
SEVERITIES = {"page", "ticket"}

_ALERT = re.compile(r"^ +- alert: *(\S+) *$", re.MULTILINE)
_HEADING = re.compile(r"^#+ *(Courier\w+) *$", re.MULTILINE)
_SEVERITY = re.compile(r"^ +severity: *(\S+) *$", re.MULTILINE)


def main() -> int:
    """Print a line for each thing that does not agree; 1 where there is any."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in sorted(RULES.glob("*.yaml")))
    wrong = [*disagreements(rules, RUNBOOK.read_text(encoding="utf-8"))]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def disagreements(rules: str, runbook: str) -> Iterator[str]:
    """What an alert lacks, in plain sentences; also chapters about alerts that are not there."""
    alerts = _ALERT.findall(rules)
    chapters = _HEADING.findall(runbook)
    for name in alerts:
        if name not in chapters:
            yield f"{name} has no chapter in RUNBOOK.md: add a heading of that name."
    for name in chapters:
        if name not in alerts:
            yield f"RUNBOOK.md has a chapter on {name}, and no rule has such an alert: remove one."
    for name in sorted({*alerts, *chapters}):
        if alerts.count(name) > 1 or chapters.count(name) > 1:
            yield f"{name} is there twice: give each alert one name and one chapter."
    for name, text in zip(alerts, _ALERT.split(rules)[2::2], strict=True):
        yield from _lacks(name, text)


def _lacks(name: str, text: str) -> Iterator[str]:
    severity = _SEVERITY.search(text)
    if severity is None or severity[1] not in SEVERITIES:
        yield f"{name} has no severity: say page or ticket."
    for annotation in ("summary", "description", "runbook_url"):
        if f" {annotation}:" not in text:
            yield f"{name} has no {annotation}: write one."
    if f"#{name.lower()}'" not in text:
        yield f"{name} does not link to its chapter: end its runbook_url with #{name.lower()}."


if __name__ == "__main__":
    sys.exit(main())
