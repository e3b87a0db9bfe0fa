"""The frame of every page of an account: name, state, menu."""

from typing import Any

from fastapi import Request
from starlette.responses import Response

from config.permissions import Principal
from worker.account_facts import AccountFacts
from worker.console import reading
from worker.console.pages.render import page
from worker.console.services import services_of


def framed(
    request: Request,
    principal: Principal,
    template: str,
    facts: AccountFacts,
    *,
    status: int = 200,
    **values: Any,
) -> Response:
    """A page of an account."""
    services = services_of(request)
    return page(
        request,
        template,
        status=status,
        facts=facts,
        account=facts.account,
        above=reading.breadcrumb(services, principal, facts.account),
        **values,
    )
