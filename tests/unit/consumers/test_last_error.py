"""What is kept of a failure has a bounded length, whatever a server has said."""

import pytest

from config.text import MAX_WORDS
from consumers.ledger import LastError
from transports.diagnosis import CATALOGUE, Entry, Whose
from transports.diagnosis.ours import QUEUE_UNUSABLE
from transports.errors import ContentDamaged


def test_words_that_a_server_has_a_part_in_are_cut() -> None:
    endless = ContentDamaged(f"The server's SHA256 of the file is {'ab' * 200_000}")
    assert len(LastError.of(endless).words) == MAX_WORDS
    assert LastError.of(endless).words.endswith("…")
    assert len(LastError.ours("x" * 10_000, QUEUE_UNUSABLE).words) == MAX_WORDS


def test_words_of_the_usual_length_are_kept_as_they_are() -> None:
    words = "x" * MAX_WORDS
    assert LastError.of(ContentDamaged(words)).words == words


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.code)
def test_customers_read_the_cause_where_the_platform_has_to_mend_it(entry: Entry) -> None:
    error = LastError("account", "10.0.0.7 said no", entry.next_step, "system", entry.code)
    seen = error.for_customers()
    is_platforms = entry.whose is Whose.PLATFORM
    expected = (entry.cause, "courier") if is_platforms else (error.words, error.said_by)
    assert (seen.words, seen.said_by) == expected


@pytest.mark.parametrize("kind", ["source", "ours"])
def test_a_failure_of_the_platforms_own_without_a_known_cause_is_told_by_its_kind(
    kind: str,
) -> None:
    seen = LastError(kind, "10.0.0.7 said no", "Look there.").for_customers()
    assert seen.words.startswith("The platform")
    assert "10.0.0.7" not in seen.words
