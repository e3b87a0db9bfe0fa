"""The accounts that somebody may see, as a list or as a tree: searched, filtered, sorted, paged.

A page costs the same queries however many accounts there are: one look at all accounts, one at
their files, and two for the accounts that it shows.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from config.permissions import Principal
from consumers.ledger import AccountSummary
from consumers.ledger.summaries import family
from worker.account_facts import AccountFacts, read_listed
from worker.account_list import URGENT, AccountFilter, Order, Place
from worker.account_tree import AccountTree, Beneath, TreeRow
from worker.console.services import Services

SHOWN = 50
"""Rows of a page."""


@dataclass(frozen=True)
class ListedAccount:
    """A row of a list or of the tree."""

    account: AccountSummary
    facts: AccountFacts | None
    """None where what is stored of it cannot be used, or it has just been removed."""
    beneath: Beneath | None
    """None where nothing hangs beneath it."""
    place: TreeRow | None = None
    """Where it stands in the tree."""


@dataclass(frozen=True)
class Listing:
    """One page of accounts, and the numbers of all that may be seen."""

    rows: Sequence[ListedAccount]
    place: Place
    found: int
    """Accounts that match, on all pages."""
    total: int
    states: dict[str, int]
    causes: dict[str, int]
    """How many accounts failed last by each cause, the most frequent first."""
    dormant: int
    queued: int
    dead_letters: int


def visible(
    services: Services, principal: Principal, *, recent: bool = False
) -> list[AccountSummary]:
    """The accounts that the principal may see, by id. `recent`: from a reading of a moment ago."""
    top = principal.account_id
    if top is not None and not recent:
        return services.ledger.summaries.read(top)
    found = services.summaries.get() if recent else services.summaries.fresh()
    if top is None:
        return found
    ids = family(top, {each.account_id: each.parent for each in found})
    return [each for each in found if each.account_id in ids]


def matching(everything: Sequence[AccountSummary], asked: AccountFilter) -> list[AccountSummary]:
    """Those of the accounts that are asked for."""
    beneath = AccountTree(everything).beneath(asked.beneath) if asked.beneath else None
    return [
        each
        for each in everything
        if asked.takes(each) and (beneath is None or each.account_id in beneath)
    ]


def as_list(
    services: Services,
    everything: Sequence[AccountSummary],
    asked: AccountFilter,
    order: Order,
    page: str,
) -> Listing:
    """A page of the accounts that are asked for, in this order. Raises FieldRefused."""
    found = order.sorted(matching(everything, asked))
    place = Place.of(page, len(found), SHOWN)
    shown = found[place.first_row : place.rows_until]
    facts = read_listed(services.core, shown)
    sums = AccountTree(everything).sums()
    rows = [
        ListedAccount(each, facts.get(each.account_id), sums.get(each.account_id)) for each in shown
    ]
    return _listing(everything, rows, place, len(found))


def as_tree(
    services: Services,
    everything: Sequence[AccountSummary],
    asked: AccountFilter,
    order: Order,
    page: str,
    is_open: Callable[[str], bool],
) -> Listing:
    """The same as a tree: what is asked for with what is above it. Raises FieldRefused."""
    tree = AccountTree(everything)
    found = tree.rows(asked, order, is_open)
    place = Place.of(page, len(found), SHOWN)
    shown = found[place.first_row : place.rows_until]
    facts = read_listed(services.core, [each.account for each in shown])
    sums = tree.sums()
    rows = [
        ListedAccount(
            each.account,
            facts.get(each.account.account_id),
            sums.get(each.account.account_id),
            each,
        )
        for each in shown
    ]
    return _listing(everything, rows, place, len(matching(everything, asked)))


def _listing(
    everything: Sequence[AccountSummary],
    rows: Sequence[ListedAccount],
    place: Place,
    found: int,
) -> Listing:
    states = Counter(each.state for each in everything)
    causes = Counter(each.cause for each in everything if each.cause)
    return Listing(
        rows=rows,
        place=place,
        found=found,
        total=len(everything),
        states={state: states[state] for state in URGENT},
        causes=dict(causes.most_common()),
        dormant=sum(each.dormant for each in everything),
        queued=sum(each.queued for each in everything),
        dead_letters=sum(each.dead_letters for each in everything),
    )
