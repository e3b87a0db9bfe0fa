"""What the console says: every text that is to be translated, from templates and from Python."""

from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from tests.languages.below import collected

ROOT = Path(__file__).parents[2]
LANGUAGES = ROOT / "worker/console/languages"
_METHODS = [("worker/console/templates/**.html", "jinja2"), ("worker/**.py", "python")]
_OPTIONS = {
    "worker/console/templates/**.html": {
        "trimmed": "true",
        "trim_blocks": "true",
        "lstrip_blocks": "true",
        "newstyle_gettext": "true",
        "silent": "false",
    }
}
_KEYWORDS = {"_": None, "N_": None, "gettext": None, "ngettext": (1, 2)}


def used() -> Catalog:
    """All texts, with the files that they stand in."""
    catalog = Catalog(fuzzy=False)
    for message, where in (*_extracted(), *_from_below()):
        catalog.add(message, locations=[(where, 1)])
    return catalog


def stored(language: str) -> Catalog:
    """The language's file."""
    with (LANGUAGES / f"{language}.po").open("rb") as text:
        return read_po(text, locale=language)


def _extracted() -> Iterator[tuple[str | tuple[str, ...], str]]:
    found = extract_from_dir(str(ROOT), _METHODS, _OPTIONS, _KEYWORDS)
    for name, _line, message, _comments, _context in found:
        yield message, name


def _from_below() -> Iterator[tuple[str, str]]:
    for message in collected():
        yield message, "tests/languages/below.py"
