"""Sentences with places, as `%(name)s is wanted.`: found again in finished sentences. Pure.

No regular expressions: the parts between the places are looked for one after another, each once,
so that no text can make it slow.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

LONGEST_PLACE = 1000
_PLACE = re.compile(r"%\((\w+)\)s")
_TRANSLATED = ("field", "word", "sentence")
"""What the name of a place begins with that holds words of ours, which are translated too; of one
that begins with `fields` each between its commas."""
_DEPTH = 4
_END = re.compile(r"(?<=[.!?]) ")
_MOST_SENTENCES = 12
_LONGEST_RUN = 4
_KEPT = 2048


@dataclass(frozen=True)
class Pattern:
    """A sentence with places, and its translation."""

    parts: tuple[str, ...]
    """The texts around the places: one more than there are places."""
    places: tuple[str, ...]
    translation: str

    @classmethod
    def of(cls, message: str, translation: str) -> "Pattern":
        """From a message with `%(name)s`; `%%` stands for a percent sign."""
        pieces = _PLACE.split(message)
        parts = tuple(each.replace("%%", "%") for each in pieces[::2])
        return cls(parts, tuple(pieces[1::2]), translation)

    @property
    def weight(self) -> int:
        """How much of it is fixed: of two that match, the one that says more is meant."""
        return sum(map(len, self.parts))

    def match(self, sentence: str) -> dict[str, str] | None:
        """What stands at the places; None where the sentence is another one."""
        first, *middle, last = self.parts
        end = len(sentence) - len(last)
        if not (sentence.startswith(first) and sentence.endswith(last) and len(first) <= end):
            return None
        values: list[str] = []
        at = len(first)
        for part in middle:
            found = sentence.find(part, at + 1, end)
            if found < 0:
                return None
            values.append(sentence[at:found])
            at = found + len(part)
        values.append(sentence[at:end])
        if any(len(value) > LONGEST_PLACE for value in values) or at > end:
            return None
        return dict(zip(self.places, values, strict=True))


def _is_several(place: tuple[str, str]) -> bool:
    name, value = place
    return not name.startswith("sentence") and _END.search(value) is not None


class Sentences:
    """Finished sentences, translated by a catalogue's exact texts and by patterns."""

    def __init__(self, exactly: Callable[[str], str], patterns: Iterable[Pattern]) -> None:
        self._exactly = exactly
        self._patterns = sorted(patterns, key=lambda pattern: -pattern.weight)
        self.translated = lru_cache(_KEPT)(self._translated)
        """Gives the text as a whole, or else those of its sentences that are known; or as it is."""

    def _translated(self, text: str, depth: int = _DEPTH) -> str:
        whole = self._known(text, depth)
        if whole is not None:
            return whole
        return self._by_sentence(text, depth) or self._known(text, depth, across=True) or text

    def _by_sentence(self, text: str, depth: int) -> str | None:
        pieces = _END.split(text)
        told: list[str] = []
        while pieces and len(told) < _MOST_SENTENCES:
            runs = range(min(len(pieces), _LONGEST_RUN), 0, -1)
            found = ((run, self._known(" ".join(pieces[:run]), depth)) for run in runs)
            run, translation = next((each for each in found if each[1]), (1, None))
            told.append(translation or pieces[0])
            pieces = pieces[run:]
        joined = " ".join([*told, *pieces])
        return joined if joined != text else None

    def _known(self, text: str, depth: int, *, across: bool = False) -> str | None:
        """`across`: a place may hold the end of a sentence and the beginning of the next."""
        known = self._known_as_it_is(text, depth, across=across)
        if known is not None or not text.endswith("."):
            return known
        bare = self._known_as_it_is(text[:-1], depth, across=across)  # others were put behind it
        return None if bare is None else f"{bare}."

    def _known_as_it_is(self, text: str, depth: int, *, across: bool) -> str | None:
        exact = self._exactly(text) if text else ""
        if exact != text:
            return exact
        for pattern in self._patterns:
            values = pattern.match(text)
            if values is not None and (across or not any(map(_is_several, values.items()))):
                return pattern.translation % self._told(values, depth - 1)
        return None

    def _told(self, values: Mapping[str, str], depth: int) -> dict[str, str]:
        def told(name: str, value: str) -> str:
            if depth <= 0 or not name.startswith(_TRANSLATED):
                return value
            several = value.split(", ") if name.startswith("fields") else [value]
            return ", ".join(self._translated(each, depth) for each in several)

        return {name: told(name, value) for name, value in values.items()}
