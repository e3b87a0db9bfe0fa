"""Replaces the FTP settings of an account, or a part of them, together with the notice of it."""

from bson import ObjectId
from pymongo.collection import Collection

from config.account_documents import StoredLogin
from config.documents import Document
from config.errors import AccountError, UnknownAccount
from config.ftp_settings import FtpSettings
from config.notices import notice_facts


def replace_settings(
    accounts: Collection[Document],
    account_id: str,
    values: Document,
    settings: FtpSettings | None,
    stored: StoredLogin | None,
    actor: str,
) -> None:
    """Store the values of the settings and the notice of their change, in one update.

    With `stored` only as long as nobody has changed those meanwhile. Raises UnknownAccount, and
    AccountError where somebody has.
    """
    query: Document = {"_id": account_id}
    facts = None
    if stored is not None:
        query["settings_saves"] = stored.saves
        if "pending_key" in values:  # another one may have been made meanwhile
            waiting = stored.account.pending_key
            query["pending_key.line"] = waiting.line if waiting else None
        facts = notice_facts(account_id, actor, stored.settings, settings)
    if accounts.update_one(query, [{"$set": _changes(values, facts)}]).matched_count:
        return
    if accounts.find_one({"_id": account_id}, {"_id": 1}) is None:
        raise UnknownAccount(account_id)
    raise AccountError(
        "The FTP settings were changed by somebody else meanwhile, and nothing was saved: "
        "look at them, and try again."
    )


def _changes(values: Document, notice: Document | None) -> Document:
    """The expressions that replace an account's settings, and add the notice of it; None removes
    a value."""
    changes: Document = {
        name: "$$REMOVE" if value is None else {"$literal": value} for name, value in values.items()
    }
    changes["settings_saves"] = {"$add": [{"$ifNull": ["$settings_saves", 0]}, 1]}
    if notice is not None:
        made = {"key": str(ObjectId()), "at": "$$NOW"}
        more = {"$mergeObjects": [{"$literal": notice}, made]}
        changes["notices"] = {"$concatArrays": [{"$ifNull": ["$notices", []]}, [more]]}
    return changes
