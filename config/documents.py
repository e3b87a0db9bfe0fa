"""What all modules that store MongoDB documents share."""

from collections.abc import Collection
from typing import Any

Document = dict[str, Any]


def of_accounts(account_ids: Collection[str] | None) -> Document:
    """The query for what belongs to these accounts; None is everything, provider's own included."""
    return {} if account_ids is None else {"account_id": {"$in": list(account_ids)}}
