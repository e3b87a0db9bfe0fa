"""What all changes have that pages and API offer: in whose name they are, and their audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from config.audit import Action
from config.permissions import Principal
from worker.console.services import Services


@dataclass(frozen=True)
class Acting:
    """Changes in one principal's name. The route has checked that it may."""

    services: Services
    principal: Principal

    def _note(
        self,
        action: Action,
        account_id: str | None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        *,
        target: str | None = None,
    ) -> None:
        self.services.audit.record(
            self.principal.login, action, account_id, before, after, target=target
        )
