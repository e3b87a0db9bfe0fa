"""The tree of accounts: what hangs beneath each, in sums, and which rows of it are shown. Pure."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from consumers.ledger import AccountSummary
from worker.account_list import AccountFilter, Order

TROUBLE = ("suspended", "probing", "paused")
"""States beneath an account that its own state must not hide."""


@dataclass
class Beneath:
    """What hangs beneath an account, at any depth."""

    accounts: int = 0
    states: Counter[str] = field(default_factory=Counter)
    dormant: int = 0
    """Of the suspended ones, those that have been so for days."""
    queued: int = 0
    dead_letters: int = 0

    def add(self, account: AccountSummary) -> None:
        """Count an account in."""
        self.accounts += 1
        self.states[account.state] += 1
        self.dormant += account.dormant
        self.queued += account.queued
        self.dead_letters += account.dead_letters

    @property
    def trouble(self) -> list[tuple[str, int]]:
        """The states that want attention, and how many are in each, the worst first."""
        return [(state, self.states[state]) for state in TROUBLE if self.states[state]]


@dataclass(frozen=True)
class TreeRow:
    """An account in the tree."""

    account: AccountSummary
    depth: int
    children: int
    """How many hang directly on it, of those that are asked for."""
    is_open: bool
    is_match: bool
    """False where it is only shown because accounts beneath it are asked for."""


class AccountTree:
    """The accounts that somebody may see, each under the one it hangs on.

    What hangs on an account that may not be seen, or on none that exists, is a root; in a circle
    the first account by id is.
    """

    def __init__(self, accounts: Sequence[AccountSummary]) -> None:
        self._by_id = {each.account_id: each for each in accounts}
        self._parents = _without_circles(self._by_id)

    def sums(self) -> dict[str, Beneath]:
        """What hangs beneath each account that has anything beneath it."""
        found: dict[str, Beneath] = {}
        for account_id, account in self._by_id.items():
            for above in self._above(account_id):
                found.setdefault(above, Beneath()).add(account)
        return found

    def beneath(self, account_id: str) -> set[str]:
        """The ids of what hangs beneath the account."""
        return {each for each in self._by_id if account_id in self._above(each)}

    def rows(
        self, asked: AccountFilter, order: Order, is_open: Callable[[str], bool]
    ) -> list[TreeRow]:
        """The rows that are shown: what is asked for with all that is above it, unfolded down to
        it; beneath each account its own ones in order."""
        matches = {each.account_id for each in self._by_id.values() if asked.takes(each)}
        if asked.beneath:
            matches &= self.beneath(asked.beneath)
        shown, opened = set(matches), set[str]()
        if not asked.is_empty:
            for account_id in matches:
                opened.update(self._above(account_id))
            shown |= opened
        children = self._children(shown, order)
        walk = _walk(children, lambda each: each in opened or is_open(each))
        return [
            TreeRow(
                self._by_id[each],
                depth,
                len(children.get(each, ())),
                is_open=each in opened or is_open(each),
                is_match=each in matches,
            )
            for each, depth in walk
        ]

    def _children(self, shown: Collection[str], order: Order) -> dict[str | None, list[str]]:
        children: dict[str | None, list[str]] = {}
        for account in order.sorted([self._by_id[each] for each in shown]):
            parent = self._parents[account.account_id]
            children.setdefault(parent, []).append(account.account_id)
        return children

    def _above(self, account_id: str) -> Iterator[str]:
        parent = self._parents[account_id]
        while parent is not None:
            yield parent
            parent = self._parents[parent]


def _without_circles(accounts: Mapping[str, AccountSummary]) -> dict[str, str | None]:
    """The parent of each account; None for a root."""
    parents = {
        each.account_id: each.parent if each.parent in accounts else None
        for each in accounts.values()
    }
    sound: set[str] = set()
    for start in sorted(parents):
        chain: dict[str, None] = {}
        current: str | None = start
        while current is not None and current not in sound:
            if current in chain:  # a circle: it is cut where it was entered first
                parents[current] = None
                break
            chain[current] = None
            current = parents[current]
        sound.update(chain)
    return parents


def _walk(
    children: Mapping[str | None, Sequence[str]], is_open: Callable[[str], bool]
) -> Iterator[tuple[str, int]]:
    """Each account and its depth, in the order of the tree; not by recursion: it may be deep."""
    waiting = [(each, 0) for each in reversed(children.get(None, ()))]
    while waiting:
        account_id, depth = waiting.pop()
        yield account_id, depth
        if is_open(account_id):
            waiting.extend((each, depth + 1) for each in reversed(children.get(account_id, ())))
