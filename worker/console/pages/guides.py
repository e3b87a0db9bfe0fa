"""The guides: help for those who keep an account's settings, and how programs use the API.

Anybody may read them: whoever has forgotten a password is not signed in.
"""

from functools import cache
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from worker.cli.output import duration
from worker.console.access import PageAccess, Right
from worker.console.guides import Guide, read_guide
from worker.console.language import gettext as _
from worker.console.language import ngettext
from worker.console.numerals import decimal, number
from worker.console.pages.render import page, principal_of
from worker.console.services import services_of

router = APIRouter(prefix="/help")
Anybody = Annotated[None, Depends(PageAccess(Right.PUBLIC))]


@router.get("")
def help_page(_anybody: Anybody, request: Request) -> Response:
    """The help, and behind the sign-in what this platform is set to."""
    settings = services_of(request).core.settings
    tries, failures, days = settings.max_tries, settings.suspend_after, settings.retention_days
    here = {
        _("A file is skipped after"): ngettext(
            "%(count)s failed try", "%(count)s failed tries", tries
        )
        % {"count": number(tries)},
        _("An account is suspended after"): ngettext(
            "%(count)s failure, for %(duration)s",
            "%(count)s failures in a row, for %(duration)s",
            failures,
        )
        % {"count": number(failures), "duration": duration(settings.suspend_seconds)},
        _("Alerts come from"): settings.alert_from,
        _("Let in at your firewall"): ", ".join(settings.connects_from)
        or _("ask your service provider"),
        _("A recording that has ended is listed for"): ngettext(
            "%(days)s day", "%(days)s days", 1 if days == 1 else 2
        )
        % {"days": number(int(days)) if days == int(days) else decimal(days, 2)},
    }
    return _shown(request, "help", here if principal_of(request) is not None else {})


@router.get("/api")
def api_page(_anybody: Anybody, request: Request) -> Response:
    """The guide to the API."""
    return _shown(request, "api", {})


@cache
def _guide(name: str) -> Guide:
    return read_guide(name)


def _shown(request: Request, name: str, here: dict[str, str]) -> Response:
    return page(request, "guide.html", guide=_guide(name), here=here)
