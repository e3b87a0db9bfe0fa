"""Many accounts at once, as they are stored, for what must not grow with them."""

from typing import Any

from pymongo.database import Database

from config.account_documents import account_document
from config.accounts import Account, FtpSettings, Protocol
from consumers.ledger import Document
from consumers.ledger.states import bucket_of

SETTINGS = FtpSettings(protocol=Protocol.FTP, host="ftp.customer.example", username="u")
REFUSED: Document = {
    "kind": "account",
    "words": "Connection refused",
    "advice": "Check the server.",
    "said_by": "system",
    "cause": "connection-refused",
}


def store_accounts(
    database: Database[Document], count: int, *, prefix: str = "acc", parent: str | None = None
) -> list[str]:
    """So many active accounts with settings; every tenth is suspended. Returns their ids."""
    ids = [f"{prefix}{number:05}" for number in range(count)]
    accounts = [_stored(each, index, parent) for index, each in enumerate(ids)]
    database["accounts"].insert_many(accounts)
    return ids


def store_files(
    database: Database[Document], account_ids: list[str], *, status: str, each: int
) -> None:
    """So many rows in this status of each account, as far as lists look at them."""
    rows: list[dict[str, Any]] = [
        {"_id": f"{account_id}-{status}-{n}", "account_id": account_id, "status": status, **_FILE}
        for account_id in account_ids
        for n in range(each)
    ]
    database["deliveries"].insert_many(rows)
    now = [{"$set": {"created_at": "$$NOW"}}]
    database["deliveries"].update_many({"created_at": None, "status": status}, now)


_FILE: dict[str, Any] = {"turn": 0, "created_at": None, "arrival": 0}


def _stored(account_id: str, index: int, parent: str | None) -> Document:
    host = f"ftp{index % 40}.customer.example"
    account = Account(
        account_id=account_id,
        name=f"Customer number {index}",
        parent=parent,
        ftp_access=True,
        enabled=True,
        settings=SETTINGS.model_copy(update={"host": host}),
    )
    is_suspended = index % 10 == 9
    run: Document = {"state": "suspended" if is_suspended else "active", "paused": False}
    run |= {"bucket": bucket_of(account_id), "failures": 10 if is_suspended else 0}
    run["last_error"] = REFUSED if is_suspended else None
    return {**account_document(account), "run": run}
