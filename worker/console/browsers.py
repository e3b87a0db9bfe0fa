"""Names a browser for people: `Firefox on Windows`. Pure.

What a browser says of itself (User-Agent, RFC 9110 section 10.1.5) is believed for no more than
that.
"""

from worker.console.language import gettext as _

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
)
"""What a User-Agent holds, and whose it is; the first that is found counts."""
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)
_LONGEST = 512
UNKNOWN = "Another program"


def browser_of(user_agent: str) -> str:
    """The browser and its system; `Another program` where it is none that is known."""
    said = user_agent[:_LONGEST]
    name = _first(_BROWSERS, said) or UNKNOWN
    system = _first(_SYSTEMS, said)
    return f"{name} on {system}" if system else name


def told_browser(kept: str) -> str:
    """The same in the reader's language, from the words that were kept in English."""
    name, _on, system = kept.partition(" on ")
    if name == UNKNOWN:
        name = _("Another program")
    return _("%(browser)s on %(system)s") % {"browser": name, "system": system} if system else name


def _first(known: tuple[tuple[str, str], ...], said: str) -> str | None:
    return next((name for sign, name in known if sign in said), None)
