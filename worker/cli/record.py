"""Notes the changes of commands in the audit, in the name of the machine's user."""

import getpass
from collections.abc import Mapping
from typing import Any

from config.audit import Action, Audit
from worker.database import Core


def record(
    core: Core,
    action: Action,
    account_id: str | None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    *,
    target: str | None = None,
) -> None:
    """Note the change as `cli:<user>`; no login of the console holds a colon."""
    Audit(core.database).record(actor(), action, account_id, before, after, target=target)


def actor() -> str:
    """The user who runs the command: `cli:<user>`."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a container's user may have no name
        return "cli"
