"""What people look at costs as much among many accounts and recordings as among few: asked of the
database's own profiler, which notes each command with what it has read."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from bson import CodecOptions, DatetimeConversion, ObjectId
from pymongo.database import Database
from typer.testing import CliRunner

from config.audit import Action
from consumers.ledger import Document
from consumers.ledger.search import MOST
from consumers.ledger.search_keys import keys_of
from consumers.ledger.story import What
from consumers.ledger.traffic import SAMPLE
from tests.integration.console import Console, commands_reach, serving
from tests.integration.many_accounts import REFUSED, store_accounts
from tests.integration.platform import MakeCourier
from worker.cli import app

ACCOUNTS, MANY = 120, 480
ROWS = 24
"""Of each account: one of them waits, and one is a dead letter."""
SHOWN = 50
PROFILE_BYTES = 64 * 1024 * 1024
TOP = "acc00000"
NUMBER = "+441632960001"
PAGES = (
    *("/overview", "/overview?sort=-queued", "/overview?state=suspended", "/accounts"),
    *(f"/accounts?open={TOP}", "/dead-letters", "/dead-letters?fault=server", "/charts", "/audit"),
    *("/dead-letters?fault=file", "/dead-letters?fault=platform"),
    *("/people", "/recordings", f"/recordings?number={NUMBER}", "/recordings?status=dead_lettered"),
    *("/recordings?by=arrived&order=oldest", "/recordings?whose=customer"),
    *(
        f"/accounts/{TOP}{tab}"
        for tab in ("", "/recordings", "/dead-letters", "/charts", "/audit", "/people", "/numbers")
    ),
    *(f"/accounts/{TOP}/alerts", f"/accounts/{TOP}/permissions", f"/accounts/{TOP}/server"),
)
API = (
    *("/status", "/history", "/accounts", "/accounts?limit=10", f"/accounts/{TOP}", "/audit"),
    *(f"/audit?account_id={TOP}", "/deliveries", f"/deliveries?account_id={TOP}"),
    *("/deliveries?status=queued", "/dead-letters", f"/dead-letters?account_id={TOP}"),
    *("/dead-letters?fault=platform", "/dead-letters?reason=file"),
    *("/dead-letters/groups", f"/accounts/{TOP}/numbers", f"/accounts/{TOP}/alerts/history"),
    *(f"/users?account_id={TOP}", f"/tokens?account_id={TOP}", "/bulk-actions"),
)
COMMANDS = (
    *("status --json", "top --json", "queue --json", "accounts list", f"accounts show {TOP}"),
    *("deliveries list", f"deliveries list --account {TOP}", "dead-letters list"),
    *("deliveries list --status queued", f"deliveries list --number {NUMBER}"),
    *(f"accounts alerts history {TOP}", f"users list --account {TOP}"),
)
OF_ALL = ("/overview", "/accounts", "/status", "accounts list", "status", "top")
"""Lists of all accounts, and sums: they read of each account what a list needs."""
BOUNDED = {
    "/recordings?status=dead_lettered": MOST,
    "queue --json": MANY + 1,
    "top --json": 2 * SAMPLE,
}
"""What reads more recordings than it shows, and how many at most: a search as far as it may, the
shape of what waits each file that waits, the top of what goes on a sample."""


@dataclass(frozen=True)
class Cost:
    """What one look has asked of the database."""

    commands: int
    recordings: int
    """Rows of recordings that were read."""
    scanned: Sequence[str]
    """Collections that were read as a whole."""


@pytest.fixture
def console(make_courier: MakeCourier, monkeypatch: pytest.MonkeyPatch) -> Iterator[Console]:
    courier = make_courier()
    commands_reach(courier, monkeypatch)
    database = courier.core.database
    with serving(courier) as console:
        console.user("provider", None)
        database.create_collection("system.profile", capped=True, size=PROFILE_BYTES)
        yield console
        database.command("profile", 0)


def database_of(console: Console) -> Database[Document]:
    return console.platform.core.database


def fill(console: Console, first: int, beyond: int) -> None:
    """Accounts, all but one beneath it, each with recordings and all that is kept beside them."""
    database = database_of(console)
    if not first:
        store_accounts(database, 1)
    ids = store_accounts(database, beyond - first, prefix=f"sub{first}.", parent=TOP)
    for number, account_id in enumerate([TOP, *ids]):
        files = [_row(account_id, first + number, each) for each in range(ROWS)]
        if account_id != TOP or not first:
            database["deliveries"].insert_many(files)
        console.services.audit.record("anna", Action.ACCOUNT_PAUSED, account_id)
    at = datetime.now(UTC)
    database["numbers"].insert_many(
        {"_id": f"+4930{first + each:07}", "account_id": name, "method": "ftp"}
        for each, name in enumerate(ids)
    )
    database["users"].insert_many(
        {"_id": f"user-{name}", "account_id": name, "disabled": False, "created_at": at}
        | {"hash": "", "session_epoch": 1}
        for name in ids
    )
    database["history"].insert_many(
        {"account_id": name, "day": at.replace(hour=0), "hours": {}} for name in ids
    )


def _row(account_id: str, account: int, number: int) -> Document:
    arrived = datetime.now(UTC) - timedelta(days=2, minutes=number)
    name = f"{account_id}-{number}"
    status = {0: "queued", 1: "dead_lettered"}.get(number, "delivered")
    is_dead = status == "dead_lettered"
    telephone = NUMBER if number == 2 and account < SHOWN // 5 else f"+4930{account:06}{number:02}"
    return {
        "_id": name,
        "account_id": account_id,
        "number": telephone,
        "file_url": f"file:///{name}.wav",
        "file_name": f"{name}.wav",
        "size": 7,
        "sha256": None,
        "recorded_at": arrived.isoformat(),
        "arrival": ObjectId(),
        "status": status,
        "turn": 1,
        "tries": 5 if is_dead else 0,
        "created_at": arrived,
        "routed_at": arrived,
        "delivered_at": arrived if status == "delivered" else None,
        "dead_at": arrived if is_dead else None,
        "reason": "account" if is_dead else None,
        "last_error": {**REFUSED, "whose": "customer"} if is_dead else None,
        "verified": "size",
        "claim": None,
        "parts": [],
        "remote_path": f"in/{name}.wav",
        "events": [{"what": What.DELIVERED.value, "at": arrived}] if number > 1 else [],
        **keys_of(telephone, arrived.isoformat(), arrived),
    }


class Looks:
    """Asks for pages, lists and commands, and tells what each has cost."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._database = database_of(console)
        self._asks: dict[str, httpx.Client] = {
            "": console.browser("provider"),
            "api": console.program(None),
        }

    def costs(self) -> dict[str, Cost]:
        """Of everything, each asked twice: what is done once is not of it."""
        pages = {path: self._get("", path) for path in PAGES}
        lists = {f"API {path}": self._get("api", path) for path in API}
        return {**pages, **lists, **{words: self._run(words) for words in COMMANDS}}

    def _get(self, who: str, path: str) -> Cost:
        client = self._asks[who]
        client.get(path).raise_for_status()
        return self._noted(lambda: client.get(path).raise_for_status())

    def _run(self, words: str) -> Cost:
        return self._noted(lambda: _run(words))

    def accounts_read(self, words: str, known_by: Sequence[str]) -> int:
        """Of how many accounts a command reads more than these fields."""
        noted = self._profiled(lambda: _run(words))
        found = 0
        for each in noted:
            asked = each.get("originatingCommand") or each["command"]
            is_more = not {*asked.get("projection", "?")} <= {*known_by}
            if each["ns"].endswith(".accounts") and is_more:
                found += each.get("nreturned", 0)
        return found

    def _noted(self, ask: Any) -> Cost:
        noted = self._profiled(ask)
        reads = [each for each in noted if {"find", "aggregate", "count"} & each["command"].keys()]
        recordings = [each for each in noted if each["ns"].endswith(".deliveries")]
        return Cost(
            len(reads),
            sum(each.get("docsExamined", 0) for each in recordings),
            [each["ns"].partition(".")[2] for each in reads if _is_whole(each)],
        )

    def _profiled(self, ask: Any) -> list[Document]:
        self._database.command("profile", 2)
        since = self._database.command("hello")["localTime"]
        ask()
        self._database.command("profile", 0)
        lenient = CodecOptions[Document](
            tz_aware=True, datetime_conversion=DatetimeConversion.DATETIME_AUTO
        )
        profile = self._database.get_collection("system.profile", codec_options=lenient)
        return list(profile.find({"ts": {"$gte": since}, "appName": "courier"}))


def _run(words: str) -> None:
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 0, result.output


def _is_whole(noted: Document) -> bool:
    return "COLLSCAN" in str(noted.get("planSummary")) and noted.get("docsExamined", 0) > SHOWN


def test_what_is_looked_at_costs_as_much_among_many_accounts_as_among_few(console: Console) -> None:
    fill(console, 0, ACCOUNTS)
    looks = Looks(console)
    few = looks.costs()
    fill(console, ACCOUNTS, MANY)
    many = looks.costs()

    more = {
        what: (few[what].commands, cost.commands)
        for what, cost in many.items()
        if cost.commands > few[what].commands
    }
    assert not more, f"asked more often: {more}"
    read = {what: cost.recordings for what, cost in many.items() if cost.recordings > 2 * SHOWN}
    assert read.keys() <= BOUNDED.keys(), read
    assert all(number <= BOUNDED[what] for what, number in read.items()), read
    scanned = {what: cost.scanned for what, cost in many.items() if cost.scanned}
    assert {each for names in scanned.values() for each in names} <= {"accounts"}, scanned
    assert {what for what in scanned if not what.removeprefix("API ").startswith(OF_ALL)} == set()


def test_the_profile_tells_all_that_is_read(console: Console) -> None:
    """Or the test above would find nothing wrong with anything."""
    fill(console, 0, ACCOUNTS)
    looks = Looks(console)
    cost = looks._noted(
        lambda: json.dumps([each["_id"] for each in database_of(console)["deliveries"].find()])
    )
    assert cost.commands == 1
    assert cost.recordings == ACCOUNTS * ROWS + ROWS
    assert cost.scanned == ["deliveries"]


def test_whole_settings_are_read_of_the_accounts_that_are_shown_and_of_no_others(
    console: Console,
) -> None:
    fill(console, 0, ACCOUNTS)
    looks = Looks(console)
    hosts, permission = ("settings.host", "settings.port"), ("parent", "ftp_access")
    # Accounts are on forty servers; with them the one above them is read, for the permission.
    assert 1 < looks.accounts_read("queue --by host --limit 1 --json", hosts) <= ACCOUNTS // 40 + 2
    assert looks.accounts_read("queue --by host --limit 0 --json", hosts) >= ACCOUNTS
    suspended = looks.accounts_read("accounts list --state suspended", permission)
    assert 1 < suspended <= ACCOUNTS // 10
    assert looks.accounts_read("accounts list", permission) >= ACCOUNTS
    # Three, for whether there are more than two; and what their permission rests on.
    assert looks.accounts_read("accounts list --limit 2", permission) <= 4
