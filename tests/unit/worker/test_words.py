"""The word "skipped" is for a file after its last try, as customers read it, and nothing else."""

import re
from collections.abc import Sequence
from pathlib import Path

from consumers.ledger import Status
from tests.languages.messages import used
from worker import console
from worker.show import CUSTOMERS_WORDS, STATUS_WORDS

TEMPLATES = Path(console.__file__).parent / "templates"
OF_FILES = re.compile(
    r"\bskipped files?\b|\bfile is skipped\b|^skipped$|^It was skipped: ", re.IGNORECASE
)


def test_customers_read_skipped_for_a_dead_letter_alone() -> None:
    called = [status for status in Status if CUSTOMERS_WORDS[status] == "skipped"]
    assert called == [Status.DEAD_LETTERED]
    assert "skipped" not in STATUS_WORDS.values()
    assert STATUS_WORDS[Status.SKIPPED] == CUSTOMERS_WORDS[Status.SKIPPED] == "left to e-mail"


def test_the_console_says_skipped_of_files_alone() -> None:
    said = [text for each in used() for text in _texts(each.id) if "skipped" in text.lower()]
    assert said
    assert [text for text in said if not OF_FILES.search(text)] == []


def test_no_template_says_skipped_but_beside_the_word_for_the_provider() -> None:
    for template in sorted(TEMPLATES.glob("*.html")):
        text = template.read_text()
        is_chosen = "principal.is_provider" in text or "status_words" in text
        assert is_chosen or "skipped" not in text.lower().replace("#skipped-files", ""), template


def _texts(message: str | tuple[str, ...] | list[str]) -> Sequence[str]:
    return [message] if isinstance(message, str) else list(message)
