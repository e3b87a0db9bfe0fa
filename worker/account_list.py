"""Which accounts a list shows, in which order, and where its next page begins. Pure.

One reading of what people and programs ask for: pages, the API and bulk acts take the same words.
"""

import base64
import binascii
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from config.accounts import ACCOUNT_ID
from config.errors import FieldRefused
from consumers.ledger import ACCOUNT_STATES, AccountSummary, Disabled
from transports.diagnosis import Whose, by_code
from transports.errors import Kind

URGENT = ("suspended", "probing", "paused", "active", "disabled")
"""States in the order of an operator's attention."""
MAX_TEXT = 100
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")
_FOREVER = 1e12
"""Seconds: later than any file."""

Key = int | float | str | list[int]
"""What a list is sorted by, as a cursor keeps it."""


@dataclass(frozen=True)
class AccountFilter:
    """Which accounts; what is empty is not asked for, what is given must all hold."""

    search: str = ""
    """Words that are all found in the account's id, name or server."""
    state: str = ""
    disabled: str = ""
    dead_letters: bool = False
    """Only those that have some."""
    dormant: bool = False
    """Only those that have been suspended for days, and are tried rarely."""
    queued: bool = False
    """Only those that have files on their way."""
    whose: str = ""
    """Who can mend the last error."""
    kind: str = ""
    cause: str = ""
    server: str = ""
    beneath: str = ""
    """Only accounts that hang on this one."""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "AccountFilter":
        """What was asked for. Raises FieldRefused with a sentence for what cannot be meant."""
        return cls(
            search=_text(given, "search"),
            state=_one_of(given, "state", ACCOUNT_STATES),
            disabled=_one_of(given, "disabled", tuple(Disabled)),
            dead_letters=_is_yes(given, "dead_letters"),
            dormant=_is_yes(given, "dormant"),
            queued=_is_yes(given, "queued"),
            whose=_one_of(given, "whose", tuple(Whose)),
            kind=_one_of(given, "kind", tuple(Kind)),
            cause=_cause(given),
            server=_text(given, "server").lower(),
            beneath=_account(given, "beneath"),
        )

    @property
    def is_empty(self) -> bool:
        """Whether every account is asked for."""
        return self == AccountFilter()

    def takes(self, account: AccountSummary) -> bool:
        """Whether the account is asked for. Where it hangs is the caller's to see to."""
        return (
            (not self.state or account.state == self.state)
            and (not self.disabled or self.disabled in account.disabled)
            and (not self.dead_letters or account.dead_letters > 0)
            and (not self.dormant or account.dormant)
            and (not self.queued or account.queued > 0)
            and (not self.kind or account.kind == self.kind)
            and (not self.cause or account.cause == self.cause)
            and (not self.whose or whose_of(account) == self.whose)
            and (not self.server or account.host.lower() == self.server)
            and self._is_found(account)
        )

    def _is_found(self, account: AccountSummary) -> bool:
        if not self.search:
            return True
        text = f"{account.account_id} {account.name} {account.host}".lower()
        return all(word in text for word in self.search.lower().split())


def whose_of(account: AccountSummary) -> str:
    """Who can mend the account's last error; empty where there is none, or it is not known."""
    entry = by_code(account.cause)
    return entry.whose.value if entry else ""


def _urgency(account: AccountSummary) -> list[int]:
    most = account.queued + account.dead_letters
    return [URGENT.index(account.state), -account.failures, -most]


def _age(account: AccountSummary) -> float:
    """The older its oldest file, the larger; smallest without one."""
    oldest = account.counts.oldest
    return -(oldest.timestamp() if oldest else _FOREVER)


ORDERS: dict[str, Callable[[AccountSummary], Key]] = {
    "urgency": _urgency,
    "account": lambda account: account.account_id.lower(),
    "name": lambda account: (account.name or account.account_id).lower(),
    "state": lambda account: URGENT.index(account.state),
    "server": lambda account: account.host.lower(),
    "failures": lambda account: account.failures,
    "queued": lambda account: account.queued,
    "oldest": _age,
    "dead_letters": lambda account: account.dead_letters,
    "error": lambda account: account.cause,
}
"""What lists are sorted by; with `-` before it the other way round."""


@dataclass(frozen=True)
class Order:
    """An order of accounts; those that are equal in it are ordered by id."""

    name: str
    falling: bool = False

    @classmethod
    def of(cls, given: str) -> "Order":
        """Raises FieldRefused."""
        name = given.removeprefix("-")
        if name not in ORDERS:
            raise FieldRefused("sort", f"Sort must be one of {', '.join(ORDERS)}, or one with '-'.")
        return cls(name, given.startswith("-"))

    def key(self, account: AccountSummary) -> tuple[Key, str]:
        """Where the account stands in it."""
        return ORDERS[self.name](account), account.account_id

    def sorted(self, accounts: Sequence[AccountSummary]) -> list[AccountSummary]:
        """The accounts in this order."""
        return sorted(accounts, key=self.key, reverse=self.falling)

    def cursor(self, account: AccountSummary) -> str:
        """A text for the page that begins after this account, whatever has changed until then."""
        text = json.dumps([self.name, *self.key(account)])
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def after(self, cursor: str, accounts: Sequence[AccountSummary]) -> Sequence[AccountSummary]:
        """Of the accounts in this order, those that come after the cursor. Raises FieldRefused."""
        place = self._place(cursor)
        try:
            if self.falling:
                rising = accounts[::-1]
                return rising[: bisect_left(rising, place, key=self.key)][::-1]
            return accounts[bisect_right(accounts, place, key=self.key) :]
        except TypeError:
            raise _no_cursor() from None

    def _place(self, cursor: str) -> tuple[Any, str]:
        padded = cursor + "=" * (-len(cursor) % 4)
        try:
            name, key, account_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        except (binascii.Error, ValueError, TypeError, RecursionError):
            raise _no_cursor() from None
        if name != self.name or not isinstance(account_id, str):
            raise _no_cursor()
        return key, account_id


@dataclass(frozen=True)
class Place:
    """One page of a list by its number, never beyond the end."""

    number: int
    last: int
    first_row: int
    rows: int

    @classmethod
    def of(cls, given: str, found: int, size: int) -> "Place":
        """Raises FieldRefused where what is given is no number of a page."""
        if given and not (given.isascii() and given.isdecimal() and int(given[:9])):
            raise FieldRefused("page", "Page must be a number from 1 on.")
        last = max(1, -(-found // size))
        number = min(int(given[:9] or 1), last)
        first_row = (number - 1) * size
        return cls(number, last, first_row, min(size, found - first_row))

    @property
    def rows_until(self) -> int:
        """The row after its last one."""
        return self.first_row + self.rows


def _no_cursor() -> FieldRefused:
    words = "The cursor is none that this list gave in this order: begin without one."
    return FieldRefused("cursor", words)


def _text(given: Mapping[str, str], field: str) -> str:
    text = given.get(field, "").strip()
    if len(text) > MAX_TEXT:
        raise FieldRefused(field, f"{field.capitalize()} must be at most {MAX_TEXT} characters.")
    return text


def _one_of(given: Mapping[str, str], field: str, values: Sequence[str]) -> str:
    text = given.get(field, "").strip()
    if text and text not in values:
        title = field.replace("_", " ").capitalize()
        raise FieldRefused(field, f"{title} must be one of: {', '.join(values)}.")
    return text


def _is_yes(given: Mapping[str, str], field: str) -> bool:
    return _one_of(given, field, (*_YES, *_NO)) in _YES


def _cause(given: Mapping[str, str]) -> str:
    code = given.get("cause", "").strip()
    if code and by_code(code) is None:
        raise FieldRefused("cause", "Cause must be a code of the catalogue (docs/errors.md).")
    return code


def _account(given: Mapping[str, str], field: str) -> str:
    text = given.get(field, "").strip()
    if text and not ACCOUNT_ID.fullmatch(text):
        raise FieldRefused(field, f"{field.capitalize()} must be an account's id.")
    return text
