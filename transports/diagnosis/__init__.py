"""The catalogue of causes: what is wrong, whose it is, what to do next (docs/errors.md).

Every error of `transports.errors` has an entry. What a server says may narrow that one to a cause
which people know by name, such as a full disk. Words decide what people read, and nothing else:
whether a failure counts, and for what, is decided by the error's kind.

Alerts, pages, the API, commands and the log all show the entry that `diagnose` finds; what is
stored of a failure has its code. To add a cause, add an Entry to the module of its place, and to
`tests/servers/said.py` the words of the server that it was seen at.
"""

from collections import defaultdict

from transports.diagnosis import files, login, ours, reaching, refused_files, refused_logins
from transports.diagnosis.entry import Entry, Whose

__all__ = [
    "CATALOGUE",
    "CHAPTERS",
    "Entry",
    "Whose",
    "advice_for_customers",
    "by_code",
    "diagnose",
    "files",
    "login",
    "ours",
    "reaching",
]


def _declared(module: object) -> tuple[Entry, ...]:
    return tuple(each for each in vars(module).values() if isinstance(each, Entry))


CHAPTERS = {
    "Reaching the server": _declared(reaching),
    "Logging in": _declared(login) + _declared(refused_logins),
    "Bringing files": _declared(files) + _declared(refused_files),
    "Without the server's part": _declared(ours),
}
"""All entries, in the order of a file's way."""
CATALOGUE = tuple(each for entries in CHAPTERS.values() for each in entries)
_BY_CODE = {each.code: each for each in CATALOGUE}


def _narrower() -> dict[Entry, list[Entry]]:
    found: defaultdict[Entry, list[Entry]] = defaultdict(list)
    for each in CATALOGUE:
        for wider in each.narrows:
            found[wider].append(each)
    return dict(found)


_NARROWER = _narrower()


def diagnose(entry: Entry, words: str) -> Entry:
    """The narrowest cause that the words tell of; the entry itself where they tell no more."""
    return next((each for each in _NARROWER.get(entry, ()) if each.is_said_by(words)), entry)


def by_code(code: str) -> Entry | None:
    """The entry of a stored code; None for one of another version, or where none was stored."""
    return _BY_CODE.get(code)


def advice_for_customers(code: str, advice: str) -> str:
    """What the account's own people are advised where the cause has this code: mostly `advice`.

    What was said beyond the entry's own words, of this very failure, stays.
    """
    entry = by_code(code)
    if entry is None or not entry.for_customers:
        return advice
    if entry.next_step in advice:
        return advice.replace(entry.next_step, entry.for_customers)
    return entry.for_customers
