"""What stands beside the rows: accounts, people, numbers, the audit, e-mails, hours; and events
that could not be used."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from bson import ObjectId
from pydantic import SecretStr
from pymongo.database import Database

from config.accounts import FtpSettings, Protocol
from config.directory import Directory
from config.secrets import Vault
from config.tokens import Tokens
from config.users import Users
from consumers.amqp import names, topology
from consumers.amqp.confirms import Outgoing
from consumers.ledger import ALL, Document, Ledger
from consumers.ledger.states import bucket_of
from tests.bench.search.rows import BATCH, Sizes, account_id
from worker.core import Core, open_messaging

LOGIN, RESELLER, PASSWORD = "bench", "reseller", "correct horse battery"
TOPS = 20
"""Accounts that hang on none: all others hang on one of them."""
INVALID = 10_000
AUDITED = 100_000
_REFUSED: Document = {
    "kind": "account",
    "words": "530 Login incorrect.",
    "advice": "Check the password.",
    "said_by": "server",
    "cause": "login-refused",
}


def make(database: Database[Document], sizes: Sizes, key: str) -> None:
    """Everything in the database but the rows and their indexes."""
    directory = Directory(database, Vault([SecretStr(key)]))
    directory.create(account_id(0), name="The large one", ftp_access=True)
    settings = FtpSettings(protocol=Protocol.FTP, host="ftp.example", username="u", path="in")
    directory.save_settings(account_id(0), settings, SecretStr("secret"))
    Ledger(database).accounts.settings_saved(account_id(0))
    pattern = database["accounts"].find_one({"_id": account_id(0)})
    assert pattern is not None
    _insert(database, "accounts", (_account(pattern, each) for each in range(1, sizes.accounts)))
    users, tokens = Users(database, directory.find), Tokens(database, directory.find)
    users.create(LOGIN, None, SecretStr(PASSWORD))
    users.create(RESELLER, account_id(1), SecretStr(PASSWORD))
    token_id, _ = tokens.create("one of many", account_id(1))
    _copies(database, sizes, "users", RESELLER)
    _copies(database, sizes, "tokens", token_id)
    _insert(database, "numbers", _numbers(sizes))
    _insert(database, "audit", (_entry(each, sizes) for each in range(AUDITED)))
    _insert(database, "alerts", (_alert(each, sizes) for each in range(2 * sizes.accounts)))
    _insert(database, "history", _history(sizes))


def publish_invalid(core: Core) -> None:
    """As many events that cannot be used as anybody looks at."""
    topology.declare_once(core.settings.rabbitmq, topology.INVALID)
    reason = "unknown-account: there is no account 'nobody'"
    with open_messaging(core, lambda _: None) as messaging:
        for first in range(0, INVALID, 1000):
            events = [
                Outgoing(
                    "",
                    topology.INVALID.name,
                    json.dumps({"recording_id": f"r{each}", "account_id": "nobody"}).encode(),
                    {names.REASON_HEADER: reason},
                )
                for each in range(first, first + 1000)
            ]
            assert not messaging.publisher.publish_all(events)


def _account(pattern: Document, number: int) -> Document:
    """One in a hundred is suspended, one in fifty switched off, a third may have work to do."""
    name = account_id(number)
    is_suspended = number % 100 == 50
    error = {**_REFUSED, "at": datetime.now(UTC)} if is_suspended else None
    run = {
        **pattern.get("run", {}),
        "state": "suspended" if is_suspended else "active",
        "failures": 10 if is_suspended else 0,
        "last_error": error,
        "bucket": bucket_of(name),
        "next_due": datetime.now(UTC) if number % 3 == 0 else None,
    }
    return {
        **pattern,
        "_id": name,
        "name": f"Customer {number} Limited",
        "parent": None if number < TOPS else account_id(number % TOPS),
        "enabled": number % 50 != 7,
        "settings": {**pattern["settings"], "host": f"ftp{number % 500}.example"},
        "run": run,
    }


def _copies(database: Database[Document], sizes: Sizes, collection: str, name: str) -> None:
    """For each account one like this."""
    pattern = database[collection].find_one({"_id": name})
    assert pattern is not None
    copies = (
        {**pattern, "_id": f"{name}-{each:05d}", "account_id": account_id(each)}
        for each in range(sizes.accounts)
    )
    _insert(database, collection, copies)


def _numbers(sizes: Sizes) -> Iterator[Document]:
    for each in range(5 * sizes.accounts):
        yield {"_id": f"+441632{each:06d}", "account_id": account_id(each // 5), "method": "ftp"}


def _entry(number: int, sizes: Sizes) -> Document:
    return {
        "_id": ObjectId(),
        "at": datetime.now(UTC) - timedelta(minutes=number),
        "actor": LOGIN,
        "action": "account.paused",
        "account_id": account_id(number % sizes.accounts),
        "target": None,
        "before": {},
        "after": {},
    }


def _alert(number: int, sizes: Sizes) -> Document:
    name, at = account_id(number % sizes.accounts), datetime.now(UTC) - timedelta(minutes=number)
    return {
        "_id": f"{name}:test:{number}",
        "kind": "test",
        "facts": {"account_id": name, "actor": LOGIN},
        "at": at,
        "to": ["a@customer.example"],
        "remaining": [],
        "state": "sent",
        "finished": at,
    }


def _history(sizes: Sizes) -> Iterator[Document]:
    """A quarter of hours of all together, and of every tenth account."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    hour = {"delivered": 12, "bytes": 5_000_000, "took": {"2": 10, "3": 2}, "oldest": 7.5}
    hours = {str(each): hour for each in range(24)}
    for name in (ALL, *(account_id(each) for each in range(0, sizes.accounts, 10))):
        for day in range(91):
            yield {"account_id": name, "day": today - timedelta(days=day), "hours": hours}


def _insert(database: Database[Document], collection: str, documents: Iterable[Document]) -> None:
    left = iter(documents)
    while part := list(islice(left, BATCH)):
        database[collection].insert_many(part, ordered=False)
