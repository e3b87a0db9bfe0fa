"""The files that browsers fetch: our own, and htmx from the package that ships it."""

from hashlib import sha256
from importlib.resources import files
from pathlib import Path

_OWN = Path(str(files("worker.console"))) / "static"
_HTMX = Path(str(files("js_lib_htmx"))) / "static" / "htmx"

FOLDERS = {"/static/console": _OWN, "/static/htmx": _HTMX}
"""URL prefix -> folder."""


def _version() -> str:
    """A version that changes with any file, so that browsers may keep the files until then."""
    digest = sha256()
    for path in sorted([*_OWN.iterdir(), _HTMX / "htmx.min.js"]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


VERSION = _version()
