"""What real servers say when they refuse, and the cause that the catalogue finds in it."""

import re
from pathlib import Path

import pytest

from tests.contract.refusals import REFUSALS, Refusal
from tests.servers.said import SAID


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.key)
def test_a_servers_refusal_is_told_by_its_cause(refusal: Refusal, tmp_path: Path) -> None:
    with refusal.start(tmp_path / "server") as running:
        failure = refusal.provoke(running.customer)
    assert failure is not None
    assert failure.diagnosis.code == refusal.cause, failure.words
    known = [each for each in SAID if (each.server, each.cause) == (refusal.server, refusal.cause)]
    assert any(type(failure) is each.error for each in known), type(failure)
    assert any(_fits(failure.words, each.words) for each in known), failure.words


def _fits(words: str, known: str) -> bool:
    """Whether these are the words, whatever stands at their "…"."""
    parts = map(re.escape, known.split("…"))
    return re.fullmatch(".*".join(parts), words, re.DOTALL) is not None


def test_every_sentence_that_was_heard_is_heard_again() -> None:
    heard = {(each.server, each.cause) for each in SAID if each.heard}
    assert heard == {(each.server, each.cause) for each in REFUSALS}
