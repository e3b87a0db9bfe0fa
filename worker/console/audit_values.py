"""How the facts of the audit read: their names and values, each bounded and on one line."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from config.accounts import DeliveryMethod
from config.fields import settings_field
from config.text import shortened, visible
from config.tokens import TOKEN
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import translated
from worker.console.numerals import number

MOST = 200
"""Characters of a value."""
SERVER = ("protocol", "username", "host", "port")
"""The fields that say where settings lead."""
UNKNOWN = "unknown"
_COMMAND = "cli"
_READER = "mail:"
_COUNTS = ("count", "of", "left", "rotated", "unreadable", "discarded_files", "refused")
_METHODS = ("method", "default_method")
_LABELS = {
    "account_id": N_("Account"),
    "cause": N_("Cause"),
    "chosen": N_("Chosen"),
    "count": N_("Done"),
    "discarded_files": N_("Files given up"),
    "enabled": N_("FTP settings in use"),
    "expires_at": N_("Ends"),
    "ftp_access": N_("FTP access"),
    "key": N_("SSH key"),
    "left": N_("Left"),
    "method": N_("Sent by"),
    "name": N_("Name"),
    "of": N_("Chosen"),
    "parent": N_("Beneath"),
    "reason": N_("Reason"),
    "recording_ids": N_("Recordings"),
    "recordings": N_("Recordings"),
    "refused": N_("Refused"),
    "scope": N_("May"),
    "since": N_("Since"),
    "unreadable": N_("Unreadable"),
    "until": N_("Until"),
    "whose": N_("Whose fault"),
}
_SCOPES = {"read": N_("look only"), "write": N_("look and change things")}


def label(name: str) -> str:
    """What people call a fact; the name itself, in words, where it is of another version."""
    field = settings_field(name)
    if field is not None:
        return translated(field.title)
    known = _LABELS.get(name)
    return _(known) if known else _clean(name.replace("_", " ").capitalize())


def value(name: str, given: Any) -> str:
    """A fact as people write it: on one line, of `MOST` characters at most."""
    return shortened(_value(name, given), MOST)


def who(actor: str) -> str:
    """Who did it, as a sentence begins."""
    kind, _colon, name = actor.partition(":")
    if actor == UNKNOWN:
        return _("Somebody")
    if actor == _COMMAND:
        return _("Somebody at the command line")
    told = shortened(_clean(name), MOST)
    if kind == _COMMAND:
        return _("%(name)s at the command line") % {"name": told}
    if actor.startswith(TOKEN):
        return _("The token %(name)s") % {"name": told}
    if actor.startswith(_READER):
        return _("The reader of the e-mails to %(name)s") % {"name": told}
    return shortened(_clean(actor), MOST)


def server(facts: Mapping[str, Any]) -> str:
    """Where settings lead: `sftp://acme@ftp.customer.example:22`."""
    part = {name: _clean(str(facts.get(name, "?"))) for name in SERVER}
    return shortened("{protocol}://{username}@{host}:{port}".format(**part), MOST)


def is_empty(given: Any) -> bool:
    """Whether a fact tells nothing where it is told alone."""
    return given is None or given is False or given in ("", 0) or given == []


def _value(name: str, given: Any) -> str:
    if given is None or isinstance(given, bool) or given in ("", [], {}):
        return _yes_or_no(given)
    if isinstance(given, datetime):
        return f"{given.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if name in _COUNTS and isinstance(given, int):
        return number(given)
    if isinstance(given, list | dict):
        return _several(name, given)
    return _text(name, str(given))


def _yes_or_no(given: Any) -> str:
    if isinstance(given, bool):
        return _("yes") if given else _("no")
    return _("none")


def _several(name: str, given: list[Any] | dict[str, Any]) -> str:
    if isinstance(given, list):
        return ", ".join(_value(name, each) for each in given[:MOST])
    return ", ".join(f"{_clean(key)}: {_value(key, each)}" for key, each in given.items())


def _text(name: str, given: str) -> str:
    if name in _METHODS and given in list(DeliveryMethod):
        return translated(DeliveryMethod(given).label)
    if name == "scope" and given in _SCOPES:
        return _(_SCOPES[given])
    field = settings_field(name)
    option = next((each for each in field.options if each.value == given), None) if field else None
    return translated(option.label) if option else _clean(given)


def _clean(text: str) -> str:
    return visible(text[: 2 * MOST])
