"""`python -m tests.faults.report`: writes the table of the faults into `docs/faults.md`.

Made from the record that the tests leave; of each test its last result counts. What this checkout
has not tried keeps its row: a run of some tests takes nothing away.
"""

import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
RECORD = ROOT / ".courier" / "faults.jsonl"
PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- faults -->", "<!-- /faults -->"
ROW = re.compile(r"^\| (\d+) \| [^|]+ \| (.+ \| .*) \|$", re.MULTILINE)
NOT_TRIED = "not tried | "

FAULTS = {
    1: "worker killed (-9) before the upload",
    2: "killed during the upload",
    3: "killed after the rename",
    4: "killed after the ledger",
    5: "killed after the dead letter's confirm",
    6: "intake killed at each step",
    7: "worker frozen for 3 lease times, then woken",
    8: "broker restarted",
    9: "broker killed under load",
    10: "AMQP connection reset during an upload",
    11: "AMQP connection silent for 5 minutes",
    12: "an upload longer than the broker's acknowledgement timeout",
    13: "broker memory or disk alarm",
    14: "an account's queue deleted",
    15: "duplicate and reordered events",
    16: "customer's server down for hours (scaled)",
    17: "wrong password",
    18: "one poison file",
    19: "server stops reading in mid-file",
    20: "226 lost after all data",
    21: "connection cut after a random number of bytes",
    22: "server's disk full, quota, read-only path",
    23: "stat, rename or mkdir refused",
    24: "host key changed",
    25: "MongoDB stopped, stepping down, each write failing in turn",
    26: "SMTP server down",
    27: "source missing, half written, replaced during the upload",
    28: "one account's server black-holed among 100",
    29: "workers 1 -> 4 -> 2 under load",
    30: "1,000 failed logins",
    31: "SIGTERM under load",
    32: "hostile input",
    33: "a file that every worker dies of",
    35: "an error that nobody foresaw, in each phase of a try",
    36: "a file that fails at a server which is well, once it is the probe",
    37: "a hostile tenant: passwords elsewhere, held tests, half-sent requests, mail bombs, SSRF",
    38: "a source without end, or made up by the kernel",
    39: "the broker lost with all its queues",
    40: "the database restored to a backup taken in mid-run",
    41: "killed under a flight of 16, at each of its writes",
    42: "connection cut under a flight of 16: openings, data, looks, renames, answers lost",
    43: "lease lost under a flight of 16: frozen, taken over, woken",
    44: "MongoDB failing over in a bulk",
    45: "a real sshd's PerSourcePenalties, 20 accounts, one with a wrong password (scaled)",
    46: "a host with 200 accounts away, and back",
}


class Seen(NamedTuple):
    """What one test saw."""

    test: str
    outcome: str
    seconds: float
    sentences: list[str]
    day: str = ""


def main() -> int:
    """Replace what stands between the marks; 1 where there is no record or no mark."""
    if not RECORD.exists():
        print("No fault was tried yet: run `make faults`.", file=sys.stderr)  # noqa: T201 - told who runs it
        return 1
    text = PAGE.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        print(f"docs/faults.md has no {BEGIN} ... {END}.", file=sys.stderr)  # noqa: T201 - told who runs it
        return 1
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    PAGE.write_text(f"{head}{BEGIN}\n{table(read(), told(text))}{END}{tail}", encoding="utf-8")
    return 0


def told(text: str) -> dict[int, str]:
    """By the fault's number, what the row in the page says of its tests."""
    return {int(number): rest for number, rest in ROW.findall(text)}


def read() -> dict[str, Seen]:
    """The last result of each test."""
    with RECORD.open() as record:
        return {line["test"]: Seen(**line) for line in map(json.loads, record)}


def table(results: dict[str, Seen], before: dict[int, str]) -> str:
    """One row a fault, in the order of the matrix; of those not tried now, as it was `before`."""
    lines = ["| # | fault | tests | seen |", "|---|---|---|---|"]
    for number, fault in FAULTS.items():
        mine = [seen for seen in results.values() if f"::test_row_{number:02}_" in seen.test]
        seen_now = f"{_held(mine)} | {_told(mine)}" if mine else before.get(number, NOT_TRIED)
        lines.append(f"| {number} | {fault} | {seen_now} |")
    return "\n".join(lines) + "\n"


def _held(mine: list[Seen]) -> str:
    passed = sum(seen.outcome == "passed" for seen in mine)
    return f"{passed} held" if passed == len(mine) else f"**{len(mine) - passed} failed**"


def _told(mine: list[Seen]) -> str:
    sentences = dict.fromkeys(text for seen in mine for text in seen.sentences)
    return re.sub(r"[|\n]", " ", "; ".join(sentences))


if __name__ == "__main__":
    sys.exit(main())
