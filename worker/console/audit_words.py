"""The audit in sentences: who did what, to whom or what, from which value to which.

The one place that makes them, for pages, the API and the command. An entry is one sentence; several
fields that changed at once are a line each beneath it. Of an action that is not known here, such as
one of another version, the name and all facts are told.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from config.audit import CHANGED, Action, Entry
from config.fields import settings_field
from transports.diagnosis import by_code
from transports.errors import is_platforms
from worker.console.audit_cases import CASES
from worker.console.audit_heads import FOR_CUSTOMERS, HEADS, IMPLIED, OF_SEVERAL, QUIET
from worker.console.audit_values import SERVER, is_empty, label, server, value, who
from worker.console.language import gettext as _
from worker.console.language import mark as N_
from worker.console.language import translated
from worker.show import Shape, iso

MOST_LINES = 40
"""Most lines beneath a sentence: the settings have fewer fields."""
_PLACE = re.compile(r"%\((\w+)\)s")
_UNKNOWN = N_("%(who)s: %(action)s, %(account)s")
_FROM = ("times", "addresses", "address")


@dataclass(frozen=True)
class Line:
    """A text with places, in the reader's language, and what stands in them."""

    template: str
    values: Mapping[str, str]

    @property
    def text(self) -> str:
        """As one text."""
        return self.template % self.values


@dataclass(frozen=True)
class Told:
    """An entry in words."""

    sentence: Line
    details: tuple[Line, ...]

    @property
    def names_account(self) -> bool:
        """Whether the sentence says of which account it is."""
        return "%(account)s" in self.sentence.template


def told(entry: Entry, *, for_customer: bool = False) -> Told:
    """The entry in words. A customer reads "skipped" where operators read "dead letter", and the
    cause in place of what was said of a failure of the platform's own."""
    read = for_customers(entry) if for_customer else entry
    values = _values(read)
    if read is not entry:
        values["result"] = translated(values["result"])
    template = _template(entry)
    template = _(FOR_CUSTOMERS.get(template, template) if for_customer else template)
    if not set(_PLACE.findall(template)) <= values.keys():  # of another version, or no change
        template = _(_UNKNOWN)
    places = set(_PLACE.findall(template))
    sentence = Line(template, {name: values[name] for name in places})
    return Told(sentence, tuple(islice(_details(entry, places), MOST_LINES)))


def for_customers(entry: Entry) -> Entry:
    """The entry, or where a test failed by the platform a copy that has the cause alone."""
    cause = by_code(str(entry.after.get("cause", "")))
    if entry.action != Action.SETTINGS_TESTED or cause is None or not is_platforms("", cause.code):
        return entry
    return replace(entry, after={**entry.after, "result": f"failed: {cause.cause}"})


def entry_shape(entry: Entry, in_words: Told) -> Shape:
    """The entry as programs read it, with the sentence beside its facts."""
    return {
        "id": entry.entry_id,
        "at": iso(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "account_id": entry.account_id,
        "target": entry.target,
        "before": entry.before,
        "after": entry.after,
        "sentence": in_words.sentence.text,
        "details": [each.text for each in in_words.details],
    }


def _template(entry: Entry) -> str:
    """The sentence that fits the entry, in English."""
    case = CASES.get(entry.action)
    if case is not None:
        return case(entry)
    head = HEADS.get(entry.action, _UNKNOWN)
    if isinstance(head, str):
        return head
    one, many = head
    return one if entry.after.get("count") == 1 else many


def _values(entry: Entry) -> dict[str, str]:
    """What may stand in a sentence: the facts by name, those of before with `old_`."""
    values = {f"old_{name}": value(name, given) for name, given in entry.before.items()}
    values |= {name: value(name, given) for name, given in entry.after.items()}
    if changes := _changed(entry):
        name = changes[0]
        values["field"] = label(name)
        values["old"] = value(name, entry.before.get(name))
        values["new"] = value(name, entry.after.get(name))
    values["fields"] = str(len(changes))
    values["result"] = value("result", str(entry.after.get("result", "")).partition(": ")[2])
    values["server"] = server(entry.after if "host" in entry.after else entry.before)
    values["action"] = value("action", entry.action.replace(".", " ").replace("-", " "))
    values["who"] = who(entry.actor)
    values["account"] = value("account_id", entry.account_id or _("the service provider"))
    if entry.account_id is None and entry.action in OF_SEVERAL:
        values["account"] = _("several accounts")
    if entry.target is not None:
        values["target"] = value("target", entry.target)
    return values


def _changed(entry: Entry) -> list[str]:
    return sorted({*entry.before, *entry.after})


def _details(entry: Entry, places: set[str]) -> Iterator[Line]:
    """A line for each fact that the sentence has not told."""
    if "addresses" in entry.after or "address" in entry.after:
        yield _from(entry.after)
    if "action" in places and entry.target is not None:
        yield Line("%(target)s", {"target": value("target", entry.target)})
    if "field" in places or entry.action in QUIET:
        return
    hidden = {*_FROM, *IMPLIED.get(entry.action, ())}
    is_first = "server" in places
    for name in _changed(entry):
        is_said = name in places or f"old_{name}" in places or name in hidden
        if not is_said and not (is_first and _is_usual(entry, name)):
            yield from _change(entry, name)


def _is_usual(entry: Entry, name: str) -> bool:
    """Whether the first settings have a field as it is by itself, or the sentence has it."""
    field = settings_field(name)
    given = entry.after.get(name)
    return name in SERVER or name == "enabled" or (field is not None and given == field.default)


def _change(entry: Entry, name: str) -> Iterator[Line]:
    old, new = entry.before.get(name), entry.after.get(name)
    values = {"field": label(name), "old": value(name, old), "new": value(name, new)}
    if name == "of" and "count" in entry.after:
        chosen = {each: value(each, entry.after[each]) for each in ("count", "of")}
        yield Line(_("%(count)s of %(of)s that were chosen"), chosen)
        return
    if new == CHANGED:
        yield Line(_("%(field)s: set anew"), values)
    elif name in entry.before and name in entry.after:
        yield Line(_("%(field)s: from %(old)s to %(new)s"), values)
    else:
        given = new if name in entry.after else old
        if not is_empty(given) and not (name == "account_id" and given == entry.account_id):
            yield Line("%(field)s: %(given)s", {**values, "given": value(name, given)})


def _from(facts: Mapping[str, Any]) -> Line:
    addresses = facts.get("addresses") or facts.get("address")
    values = {
        "addresses": value("addresses", addresses),
        "times": value("times", facts.get("times")),
    }
    if facts.get("times", 1) == 1:
        return Line(_("From %(addresses)s"), values)
    return Line(_("%(times)s times, from %(addresses)s"), values)
