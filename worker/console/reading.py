"""What the pages show, read together from directory and ledger."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from config.accounts import Account, lineage
from config.errors import AccountError
from config.permissions import Principal
from consumers.ledger import Document, Selection, Status
from worker.console.services import Services
from worker.show import AccountFacts, read_account, read_accounts

SHOWN_ACCOUNTS = 200
SHOWN_ROWS = 20
URGENT = ("suspended", "probing", "paused", "active", "disabled")
"""States in the order of an operator's attention."""


@dataclass(frozen=True)
class Overview:
    """The accounts that match, the most urgent first, and the numbers of all."""

    rows: Sequence[AccountFacts]
    found: int
    states: dict[str, int]
    queued: int
    dead_letters: int


@dataclass(frozen=True)
class Leaf:
    """An account in the tree, and its depth."""

    facts: AccountFacts
    depth: int


@dataclass(frozen=True)
class Activity:
    """What is happening with one account."""

    facts: AccountFacts
    deliveries: Sequence[Document]
    dead_letters: Sequence[Document]

    @property
    def seconds_left(self) -> float:
        """Seconds until a suspended account is tried again."""
        return self.facts.run.seconds_until(self.facts.run.suspended_until)


def visible(
    services: Services, principal: Principal, *, recent: bool = False
) -> list[AccountFacts]:
    """The accounts that the principal may see, by id. `recent`: from a reading of a moment ago."""
    found = services.accounts.get() if recent else read_accounts(services.core)
    if principal.account_id is None:
        return list(found)
    beneath = services.directory.descendants(principal.account_id)
    ids = {principal.account_id, *(each.account_id for each in beneath)}
    return [facts for facts in found if facts.account.account_id in ids]


def overview(
    services: Services, principal: Principal, words: str, state: str, *, recent: bool
) -> Overview:
    """The accounts that match, the suspended ones first."""
    everything = visible(services, principal, recent=recent)
    matching = [each for each in everything if _matches(each, words.strip().lower(), state)]
    matching.sort(key=_urgency)
    return Overview(
        rows=matching[:SHOWN_ACCOUNTS],
        found=len(matching),
        states={name: sum(each.state == name for each in everything) for name in URGENT},
        queued=sum(each.queued for each in everything),
        dead_letters=sum(each.dead_letters for each in everything),
    )


def tree(services: Services, principal: Principal) -> list[Leaf]:
    """The principal's accounts, each followed by those beneath it."""
    everything = visible(services, principal)
    ids = {each.account.account_id for each in everything}
    beneath: dict[str | None, list[AccountFacts]] = {}
    for each in everything:
        parent = each.account.parent
        is_root = parent not in ids or each.account.account_id == principal.account_id
        beneath.setdefault(None if is_root else parent, []).append(each)
    return list(_walk(beneath, None, 0, set()))


def activity(services: Services, account_id: str) -> Activity:
    """What is happening with the account. Raises UnknownAccount."""
    ledger = services.ledger
    dead = Selection(account_id=account_id, status=Status.DEAD_LETTERED)
    return Activity(
        facts=read_account(services.core, account_id),
        deliveries=list(ledger.queries.select(Selection(account_id=account_id), SHOWN_ROWS)),
        dead_letters=list(ledger.queries.select(dead, SHOWN_ROWS)),
    )


def breadcrumb(services: Services, principal: Principal, account: Account) -> list[Account]:
    """The accounts above that the principal may see, the topmost first."""
    if account.account_id == principal.account_id:
        return []
    try:
        above = list(islice(lineage(account, services.directory.find), 1, None))
    except AccountError:
        return []
    seen: list[Account] = []
    for each in above:
        seen.append(each)
        if each.account_id == principal.account_id:
            break
    return seen[::-1]


def _matches(facts: AccountFacts, words: str, state: str) -> bool:
    if state and facts.state != state:
        return False
    account = facts.account
    host = account.settings.host if account.settings else ""
    text = f"{account.account_id} {account.name} {host}".lower()
    return all(word in text for word in words.split())


def _urgency(facts: AccountFacts) -> tuple[int, int, int, str]:
    return (
        URGENT.index(facts.state),
        -facts.run.failures,
        -facts.queued - facts.dead_letters,
        facts.account.account_id,
    )


def _walk(
    beneath: dict[str | None, list[AccountFacts]],
    parent: str | None,
    depth: int,
    seen: set[str],
) -> Iterable[Leaf]:
    for each in beneath.get(parent, []):
        account_id = each.account.account_id
        if account_id in seen:
            continue
        seen.add(account_id)
        yield Leaf(each, depth)
        yield from _walk(beneath, account_id, depth + 1, seen)
