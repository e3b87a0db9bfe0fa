"""The numbers behind the gauges, cheap with any number of accounts and files.

Files are counted in an index, never read; of the accounts only those with something to do are
looked at one by one, in the index of `run.next_due`.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pymongo import DESCENDING
from pymongo.database import Database

from config.accounts import Account, may_use_ftp
from config.documents import clock
from consumers.delivery.policy import State
from consumers.ledger.records import WAITING, Document, Status
from consumers.ledger.rows import CAME_BACK, count

PROBES = (State.SUSPENDED.value, State.PROBING.value)
_HAS_SETTINGS: Document = {"$eq": [{"$type": "$settings"}, "object"]}
_ACCOUNT: Document = {"parent": 1, "ftp_access": 1, "enabled": 1, "has_settings": _HAS_SETTINGS}


@dataclass(frozen=True)
class Load:
    """What there is to do, as of one reading."""

    due_accounts: int
    due_files: int
    ages: tuple[int, ...]
    """How many files have waited up to each of the ages asked for, and at the end how many wait."""
    overdue_files: int
    """Files that have waited too long though nothing but us can have kept them waiting."""
    last_delivered: datetime | None


@dataclass(frozen=True)
class _Pending:
    """An account whose time has come, or will by itself."""

    account_id: str
    state: str
    is_due: bool
    fails: bool
    well_since: datetime | None


class Loads:
    """Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._accounts = database["accounts"]
        self._rows = database["deliveries"]

    def states(self) -> Counter[str]:
        """How many accounts are in each state as people see it."""
        group = {
            "parent": "$parent",
            "ftp_access": "$ftp_access",
            "enabled": "$enabled",
            "has_settings": _HAS_SETTINGS,
            "paused": "$run.paused",
            "state": "$run.state",
        }
        pipeline = [{"$group": {"_id": group, "n": {"$sum": 1}}}]
        groups = [{**each["_id"], "n": each["n"]} for each in self._accounts.aggregate(pipeline)]
        permitted = self._permitted(groups)
        counted: Counter[str] = Counter()
        for each, may in zip(groups, permitted, strict=True):
            counted[_shown(each) if may else "disabled"] += each["n"]
        return counted

    def read(self, ages: Sequence[float], late: float) -> Load:
        """What there is to do; `ages` in seconds, rising; after `late` seconds a file is overdue.

        What can wait for nobody but us counts as overdue alone.
        """
        pending = self._pending()
        due = [each for each in pending if each.is_due]
        probes = sum(each.state in PROBES for each in due)
        now = clock(self._rows.database)
        oldest = self._oldest()
        return Load(
            due_accounts=len(due),
            due_files=probes + self._of([each for each in due if each.state not in PROBES], {}),
            ages=self._ages(ages, now, oldest),
            overdue_files=self._overdue(pending, now - timedelta(seconds=late), oldest),
            last_delivered=self._last_delivered(),
        )

    def _pending(self) -> list[_Pending]:
        """Those that may work: what a paused or disabled account has waits for a person."""
        wanted = {
            **_ACCOUNT,
            "run.paused": 1,
            "run.state": 1,
            "run.failures": 1,
            "run.well_since": 1,
            "is_due": {"$lte": ["$run.next_due", "$$NOW"]},
        }
        found = list(self._accounts.find({"run.next_due": {"$type": "date"}}, wanted))
        return [
            _Pending(
                each["_id"],
                each["run"]["state"],
                each["is_due"],
                bool(each["run"].get("failures")),
                each["run"].get("well_since"),
            )
            for each, may in zip(found, self._permitted(found), strict=True)
            if may and _shown({**each, **each["run"]}) not in {"paused", "disabled"}
        ]

    def _permitted(self, documents: Sequence[Document]) -> list[bool]:
        """Whether each may use FTP; those above them are read level by level."""
        above: dict[str, Account] = {}
        missing = {each["parent"] for each in documents if each.get("parent")}
        while missing:
            rows = self._accounts.find(
                {"_id": {"$in": list(missing)}}, {"parent": 1, "ftp_access": 1}
            )
            read = [_account(row["_id"], row) for row in rows]
            above |= {each.account_id: each for each in read}
            missing = {each.parent for each in read if each.parent} - above.keys()
        return [may_use_ftp(_account("", each), above.get) for each in documents]

    def _oldest(self) -> datetime | None:
        """When the oldest of the files that wait arrived."""
        found = [
            self._rows.find_one({"status": status}, {"created_at": 1}, sort=[("created_at", 1)])
            for status in WAITING
        ]
        return min((each["created_at"] for each in found if each), default=None)

    def _ages(
        self, ages: Sequence[float], now: datetime, oldest: datetime | None
    ) -> tuple[int, ...]:
        counted, total, before = [], 0, None
        for since in (*(now - timedelta(seconds=age) for age in ages), None):
            if oldest is not None and (before is None or oldest < before):
                moments = {"$lt": before, "$gte": since}
                arrived = {name: moment for name, moment in moments.items() if moment}
                total += sum(
                    count(self._rows, {"status": each, **_created(arrived)}) for each in WAITING
                )
            counted.append(total)
            before = since
        return tuple(counted)

    def _overdue(self, pending: Iterable[_Pending], late: datetime, oldest: datetime | None) -> int:
        """Of accounts that were at work since before the oldest file all late ones, of others
        those that arrived since then; what lay as a dead letter in between waited for that.
        """
        if oldest is None or oldest >= late:
            return 0
        well = [each for each in pending if each.state == State.ACTIVE.value and not each.fails]
        always = [each for each in well if each.well_since is None or each.well_since <= oldest]
        lately = [
            each.account_id
            for each in well
            if each.well_since is not None and oldest < each.well_since < late
        ]
        old = _created({"$lt": late})
        came_back = self._of(always, {**old, **CAME_BACK})
        return self._of(always, old) - came_back + self._late_since(lately, late)

    def _late_since(self, account_ids: Collection[str], late: datetime) -> int:
        if not account_ids:
            return 0
        arrived_well = {"$gte": ["$created_at", "$$since"]}
        files = [
            {"$match": {"status": {"$in": WAITING}, **_created({"$lt": late})}},
            {"$match": {"$expr": arrived_well, "was_dead": {"$exists": False}}},
            {"$count": "n"},
        ]
        joined = {
            "from": "deliveries",
            "localField": "_id",
            "foreignField": "account_id",
            "let": {"since": "$run.well_since"},
            "pipeline": files,
            "as": "late",
        }
        pipeline: list[Document] = [
            {"$match": {"_id": {"$in": list(account_ids)}}},
            {"$lookup": joined},
            {"$group": {"_id": None, "n": {"$sum": {"$sum": "$late.n"}}}},
        ]
        return sum(each["n"] for each in self._accounts.aggregate(pipeline))

    def _of(self, accounts: Sequence[_Pending], where: Document) -> int:
        """How many files of these accounts wait."""
        if not accounts:
            return 0
        names = [each.account_id for each in accounts]
        return count(
            self._rows, {"account_id": {"$in": names}, "status": {"$in": WAITING}, **where}
        )

    def _last_delivered(self) -> datetime | None:
        row = self._rows.find_one(
            {"status": Status.DELIVERED.value},
            {"_id": 0, "delivered_at": 1},
            sort=[("delivered_at", DESCENDING)],
        )
        moment: datetime | None = row["delivered_at"] if row else None
        return moment


def _created(moments: Document) -> Document:
    return {"created_at": moments} if moments else {}


def _account(account_id: str, document: Document) -> Account:
    """As far as the permission goes: what else is stored may be unusable, and is not looked at."""
    return Account.model_construct(
        account_id=account_id,
        parent=document.get("parent"),
        ftp_access=bool(document.get("ftp_access")),
    )


def _shown(document: Document) -> str:
    """The state of a permitted account as people see it."""
    if not (document.get("enabled") and document["has_settings"]):
        return "disabled"
    state: str = document.get("state") or State.ACTIVE.value
    return "paused" if document.get("paused") else state
