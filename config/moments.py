"""Times by the database's clock, which all workers share."""

from typing import Any


def later(seconds: float) -> dict[str, Any]:
    """So many seconds from now; before now, where they are negative."""
    return {"$add": ["$$NOW", round(seconds * 1000)]}
