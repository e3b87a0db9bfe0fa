"""What the pages of one account show, read together from directory and ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from config.accounts import Account, lineage
from config.errors import AccountError
from config.permissions import Principal
from consumers.ledger import Document, Selection, Status
from consumers.ledger.summaries import family
from worker.account_facts import AccountFacts, read_account
from worker.account_tree import Beneath
from worker.console.services import Services

SHOWN_ROWS = 20


@dataclass(frozen=True)
class Activity:
    """What is happening with one account."""

    facts: AccountFacts
    deliveries: Sequence[Document]
    dead_letters: Sequence[Document]
    ended: Mapping[Status, int]
    """How many of its files have ended in each way, as far as they are counted."""
    beneath: Beneath | None
    """None where nothing hangs beneath the account."""

    @property
    def seconds_left(self) -> float:
        """Seconds until a suspended account is tried again."""
        return self.facts.run.seconds_until(self.facts.run.suspended_until)


def activity(services: Services, account_id: str) -> Activity:
    """What is happening with the account. Raises UnknownAccount."""
    ledger = services.ledger
    dead = Selection(account_id=account_id, status=Status.DEAD_LETTERED)
    return Activity(
        facts=read_account(services.core, account_id),
        deliveries=list(ledger.queries.select(Selection(account_id=account_id), SHOWN_ROWS)),
        dead_letters=list(ledger.queries.select(dead, SHOWN_ROWS)),
        ended=ledger.queries.ended(account_id),
        beneath=_beneath(services, account_id),
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


def _beneath(services: Services, account_id: str) -> Beneath | None:
    """From a reading of a moment ago, which all pages share: it is of all accounts."""
    if not services.ledger.summaries.has_beneath(account_id):
        return None
    found = Beneath()
    recent = {each.account_id: each for each in services.summaries.get()}
    for each in family(account_id, {name: each.parent for name, each in recent.items()}):
        if each != account_id:
            found.add(recent[each])
    return found
