"""All accounts at a glance, by two queries however many there are: for lists and their sums.

Of the accounts beneath one, each level takes a query: what hangs elsewhere is not read.

Nothing of an account is checked or built here that a list does not need: settings that cannot be
used spoil no list.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pymongo.database import Database

from consumers.delivery.policy import State
from consumers.ledger.queries import NO_FILES, Queries
from consumers.ledger.records import Counts, Document

_READ: Document = dict.fromkeys(
    (
        *("name", "parent", "ftp_access", "enabled"),
        *(f"settings.{each}" for each in ("protocol", "username", "host", "port")),
        *("settings.delivery_window", "run.state", "run.paused", "run.failures"),
        "run.dormant_since",
        *(f"run.{each}.kind" for each in ("broken", "waiting", "last_error")),
        *(f"run.{each}.cause" for each in ("broken", "waiting", "last_error")),
    ),
    1,
)
"""Names alone: with an expression among them MongoDB takes more than twice as long."""
_PERMISSION: Document = {"parent": 1, "ftp_access": 1}
_HOST: Document = {"settings.host": 1, "settings.port": 1}
_ACTIVE = State.ACTIVE.value

DORMANT = "dormant"
"""What lists call those that are suspended for days, and are tried rarely."""
_DOWN = (State.SUSPENDED, State.PROBING)
"""An account that is shown in one of them is stored in it: no others need be read for a list."""


class Disabled(StrEnum):
    """Why an account is disabled; several may hold at once."""

    NOT_GRANTED = "not-granted"
    """It was not granted FTP access."""
    NOT_GRANTED_ABOVE = "not-granted-above"
    """An account above it was not, or its chain of parents is broken."""
    NO_SETTINGS = "no-settings"
    SWITCHED_OFF = "switched-off"

    @property
    def label(self) -> str:
        """In a few words, after "disabled:"."""
        return _LABELS[self]


_LABELS = {
    Disabled.NOT_GRANTED: "no FTP access",
    Disabled.NOT_GRANTED_ABOVE: "no FTP access above it",
    Disabled.NO_SETTINGS: "no FTP settings",
    Disabled.SWITCHED_OFF: "switched off",
}


def why_disabled(
    *, has_access: bool, permitted: bool, has_settings: bool, enabled: bool
) -> tuple[Disabled, ...]:
    """All reasons, what somebody else has to do about first; empty where it is not disabled.

    `has_access`: granted to the account itself; `permitted`: to it and to all above it.
    """
    if has_access and permitted and has_settings and enabled:
        return ()
    reasons = {
        Disabled.NOT_GRANTED: not has_access,
        Disabled.NOT_GRANTED_ABOVE: has_access and not permitted,
        Disabled.NO_SETTINGS: not has_settings,
        Disabled.SWITCHED_OFF: has_settings and not enabled,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


@dataclass(frozen=True, slots=True)
class AccountSummary:
    """What lists are searched, filtered and sorted by."""

    account_id: str
    name: str
    parent: str | None
    protocol: str
    """Of its server, as what follows; empty without settings."""
    username: str
    host: str
    port: str
    state: str
    """As people see it."""
    disabled: tuple[Disabled, ...]
    paused: bool
    """Also where that is hidden by being disabled."""
    has_window: bool
    dormant: bool
    """Suspended so long that it is tried rarely."""
    failures: int
    kind: str
    """Of the last error, as `transports.errors.Kind` has it; empty where there is none."""
    cause: str
    """Its code in the catalogue; empty where it is not known."""
    counts: Counts

    @property
    def login(self) -> str:
        """Its server as a URL with the username, without a path; empty without settings."""
        if Disabled.NO_SETTINGS in self.disabled:
            return ""
        return login_url(self.protocol, self.username, self.host, self.port)

    def is_in(self, states: Collection[str]) -> bool:
        """Whether lists show it in one of these states."""
        return self.state in states or (self.dormant and DORMANT in states)

    @property
    def permitted(self) -> bool:
        """Whether it and all above it were granted FTP access."""
        return not {Disabled.NOT_GRANTED, Disabled.NOT_GRANTED_ABOVE} & {*self.disabled}

    @property
    def queued(self) -> int:
        """The files on their way."""
        return self.counts.queued

    @property
    def dead_letters(self) -> int:
        """The files that were given up for now."""
        return self.counts.dead_letters


class AccountSummaries:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], queries: Queries) -> None:
        self._accounts = database["accounts"]
        self._queries = queries

    def read(
        self,
        beneath: str | None = None,
        states: Collection[str] = (),
        takes: Callable[[AccountSummary], bool] | None = None,
        *,
        limit: int = 0,
    ) -> list[AccountSummary]:
        """All accounts by id, or the first of them; with `beneath` that account and what hangs on
        it.

        With `states` only those in one of them, or DORMANT, and with `takes` those that it takes:
        both are asked before files are counted. `limit`: 0 means no limit.
        """
        if beneath is not None:
            documents = self._family(beneath, _READ)
        elif states and {*states} <= {*_DOWN, DORMANT}:
            documents = self._read({"run.state": {"$in": _DOWN}}, _READ)
        elif states or takes:
            documents = self._read({}, _READ)
        else:
            documents = self._read({}, _READ, limit)
        permitted = reached({**self._above(documents), **documents})
        found = sorted(documents)
        if states or takes:
            uncounted = (
                _summary(documents[each], NO_FILES, permitted=permitted.get(each, False))
                for each in found
            )
            found = [
                each.account_id
                for each in uncounted
                if (not states or each.is_in(states)) and (not takes or takes(each))
            ]
        found = found[: limit or None]
        counts = self._queries.counts_of(found)
        return [
            _summary(
                documents[each], counts.get(each, NO_FILES), permitted=permitted.get(each, False)
            )
            for each in found
        ]

    def has_beneath(self, account_id: str) -> bool:
        """Whether any account hangs on it."""
        return self._accounts.find_one({"parent": account_id}, {"_id": 1}) is not None

    def ids(self, beneath: str) -> list[str]:
        """The ids of an account and of all beneath it."""
        return sorted(self._family(beneath, {"_id": 1}))

    def _family(self, top: str, wanted: Document) -> dict[str, Document]:
        """What the documents of an account and of all beneath it have, by id. What is stored may
        be a circle: each is taken once."""
        found: dict[str, Document] = {}
        query: Document = {"_id": top}
        while True:
            read = self._read(query, wanted)
            new = [each for each in read if each not in found]
            if not new:
                return found
            found |= read
            query = {"parent": {"$in": new}}

    def hosts(self, account_ids: Sequence[str]) -> dict[str, str]:
        """The servers of these accounts, such as `ftp.example:21`, by account; those without
        settings are left out."""
        found = self._read({"_id": {"$in": list(account_ids)}}, _HOST)
        stored = {name: _object(document, "settings") for name, document in found.items()}
        return {
            name: f"{_text(each, 'host').lower()}:{_text(each, 'port')}"
            for name, each in stored.items()
            if each is not None
        }

    def _read(self, query: Document, wanted: Document, limit: int = 0) -> dict[str, Document]:
        read = self._accounts.find(query, wanted)
        if limit:
            read = read.sort("_id").limit(limit)
        return {each["_id"]: each for each in read.to_list()}

    def _above(self, documents: Mapping[str, Document]) -> dict[str, Document]:
        """What the permission of these accounts rests on above them, a query for each level."""
        found: dict[str, Document] = {}
        level = documents
        while missing := {
            parent
            for each in level.values()
            if (parent := each.get("parent")) is not None
            and parent not in documents
            and parent not in found
        }:
            level = self._read({"_id": {"$in": [*missing]}}, _PERMISSION)
            found |= level
        return found


def reached(documents: Mapping[str, Document]) -> dict[str, bool]:
    """Whether the FTP permission reaches each account from the top, each looked at once.

    The rule is `config.accounts.may_use_ftp`'s: a missing parent or a circle breaks the chain.
    """
    known: dict[str, bool] = {}
    for start in documents:
        chain: list[str] = []
        current: str | None = start
        while current is not None and current in documents and current not in known:
            known[current] = False  # whoever comes back here is in a circle
            chain.append(current)
            current = documents[current].get("parent")
        may = current is None or known.get(current, False)
        for each in reversed(chain):
            may = may and bool(documents[each].get("ftp_access"))
            known[each] = may
    return known


def family(top: str, parents: Mapping[str, str | None]) -> Collection[str]:
    """An account and all that hangs on it, of accounts by id with their parents."""
    children: dict[str, list[str]] = {}
    for account_id, parent in parents.items():
        children.setdefault(parent or "", []).append(account_id)
    found: dict[str, None] = {top: None} if top in parents else {}
    level = list(found)
    while level:
        level = [each for above in level for each in children.get(above, ()) if each not in found]
        found.update(dict.fromkeys(level))
    return found.keys()


def _summary(document: Document, counts: Counts, *, permitted: bool) -> AccountSummary:
    settings, run = _object(document, "settings"), _object(document, "run") or {}
    stored = settings or {}
    disabled = why_disabled(
        has_access=bool(document.get("ftp_access")),
        permitted=permitted,
        has_settings=settings is not None,
        enabled=bool(document.get("enabled")),
    )
    paused = bool(run.get("paused"))
    running = run.get("state") or _ACTIVE
    broken = next(iter(run.get("broken") or ()), None)
    state = "disabled" if disabled else "paused" if paused else running
    error = broken or run.get("waiting") or run.get("last_error") or {}
    return AccountSummary(
        account_id=document["_id"],
        name=document.get("name") or "",
        parent=document.get("parent"),
        protocol=_text(stored, "protocol"),
        username=_text(stored, "username"),
        host=_text(stored, "host"),
        port=_text(stored, "port"),
        state=state,
        disabled=disabled,
        paused=paused,
        has_window=bool(stored.get("delivery_window")),
        dormant=state in _DOWN and run.get("dormant_since") is not None,
        failures=run.get("failures") or 0,
        kind=error.get("kind", ""),
        cause=error.get("cause", ""),
        counts=counts,
    )


def _object(document: Document, name: str) -> Document | None:
    found = document.get(name)
    return found if isinstance(found, dict) else None


def _text(stored: Document, name: str) -> str:
    """Whatever stands there: settings that cannot be used spoil no list."""
    found = stored.get(name)
    return "" if found is None else str(found)


def login_url(protocol: str, username: str, host: str, port: str | int) -> str:
    """A server as people and programs name it, with the username on it."""
    shown = f"[{host}]" if ":" in host else host
    return f"{protocol}://{username}@{shown}:{port}"
