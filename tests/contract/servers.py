"""`python -m tests.contract.servers`: writes docs/servers.md from what the contract suite has seen.

Of each server and each question the last answer counts. Servers that were not tried keep the row
that they have.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.servers.catalogue import SERVERS

ROOT = Path(__file__).parents[2]
RECORD = ROOT / ".courier" / "servers.jsonl"
TABLE = ROOT / "docs" / "servers.md"
NOT_TRIED = "not tried"

QUESTIONS = {
    "settings": "settings test",
    "recording": "a recording",
    "taken": "its name is taken",
    "overwrite": "overwrite is chosen",
    "together": "several at once",
    "cut": "cut, and tried again",
    "folder": "a folder that is missing",
    "unicode": "`Grüße ☎ 日本.wav`",
    "pattern": "`call [1]*.wav`, taken",
    "long": "a name of 255 bytes",
    "left": "left at the end",
}
"""Name of the test -> the column."""
_HEAD = """\
# Servers

What the contract suite saw at each server: of the settings test, and of uploads with what that
found out. Every cell is written by `make servers` from the run itself; what a cell says was
asserted besides: no file of the customer's was changed, and every recording arrived whole.
"Asked by" is the command by which the server is asked whether a name is taken.

"""


class Answer(NamedTuple):
    """What one test saw."""

    server: str
    version: str
    question: str
    seen: str


def note(answer: Answer) -> None:
    """Keep an answer for the table."""
    RECORD.parent.mkdir(exist_ok=True)
    with RECORD.open("a", encoding="utf-8") as record:
        record.write(json.dumps(answer._asdict(), ensure_ascii=False) + "\n")


def main() -> int:
    """Write the table; 1 where nothing was tried yet."""
    if not RECORD.exists():
        print("No server was tried yet: run `make servers`.", file=sys.stderr)  # noqa: T201 - told who runs it
        return 1
    with RECORD.open(encoding="utf-8") as record:
        answers = [Answer(**json.loads(line)) for line in record]
    day = f"Last run: {datetime.now(UTC).date().isoformat()}.\n\n"
    TABLE.write_text(_HEAD + day + "\n".join(rows(answers)) + "\n", encoding="utf-8")
    return 0


def rows(answers: list[Answer]) -> list[str]:
    """The lines of the table."""
    kept = TABLE.read_text(encoding="utf-8").splitlines() if TABLE.exists() else []
    seen = {(answer.server, answer.question): answer.seen for answer in answers}
    versions = {answer.server: answer.version for answer in answers}
    lines = [
        "| protocol | server | settings | version | " + " | ".join(QUESTIONS.values()) + " |",
        "|---" * (4 + len(QUESTIONS)) + "|",
    ]
    for server in SERVERS:
        old = next((line for line in kept if line.startswith(f"| {server.key} | ")), None)
        if server.key not in versions and old is not None:
            lines.append(old)
            continue
        cells = [seen.get((server.key, question), NOT_TRIED) for question in QUESTIONS]
        version = versions.get(server.key, NOT_TRIED)
        lines.append(f"| {server.key} | {version} | " + " | ".join(map(_cell, cells)) + " |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
