"""Renders templates; every value is escaped, and an unknown one is an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.errors import ConfigError
from config.permissions import Principal
from consumers.ledger import Status
from worker.cli.output import duration
from worker.console import assets
from worker.console.access import (
    HX_REQUEST,
    SESSION_COOKIE,
    cookie_name,
    cookie_of,
    signed_in,
)
from worker.console.errors import Conflict
from worker.console.limits import TooManyRequests
from worker.console.services import services_of
from worker.console.sessions import Notice
from worker.server_facts import server_facts
from worker.show import CUSTOMERS_WORDS, STATUS_WORDS, without_credentials

NOTICE_COOKIE = "courier_notice"
_KILO = 1024
_MEGA = 1024 * _KILO
_MINUTE, _HOUR = 60, 3600

REFUSALS = (ConfigError, Conflict, TooManyRequests)
"""Errors that a page shows as a sentence above itself."""


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """The whole page, or the fragment that a template stands for."""
    session = getattr(request.state, "session", None)
    notice = services_of(request).sessions.noted(cookie_of(request, NOTICE_COOKIE))
    principal = principal_of(request)
    is_customer = principal is not None and not principal.is_provider
    common = {
        "principal": principal,
        "status_words": CUSTOMERS_WORDS if is_customer else STATUS_WORDS,
        "csrf": session.csrf if session else "",
        "platform": services_of(request).core.settings.platform_name,
        "version": assets.VERSION,
        "path": request.url.path,
        "notice": notice,
    }
    ui = _TEMPLATES.get_template("ui.html").make_module(common)
    body = _TEMPLATES.get_template(template).render(common, ui=ui, **values)
    response = HTMLResponse(body, status)
    if cookie_of(request, NOTICE_COOKIE) and HX_REQUEST not in request.headers:
        forget_cookie(request, response, NOTICE_COOKIE)
    return response


def principal_of(request: Request) -> Principal | None:
    """The signed-in principal, from the route's access; an error page looks it up."""
    principal: Principal | None = getattr(request.state, "principal", None)
    if principal is None and cookie_of(request, SESSION_COOKIE):
        try:
            principal = signed_in(services_of(request), request)
        except Exception:  # noqa: BLE001 - the page that tells of an error must not fail itself
            return None
    return principal


def go(request: Request, path: str, sentence: str, *, ok: bool = True) -> Response:
    """Redirect to another page, which shows the outcome."""
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    note = services_of(request).sessions.note(Notice(ok, sentence))
    set_cookie(request, response, NOTICE_COOKIE, note, seconds=60)
    return response


def set_cookie(
    request: Request, response: Response, name: str, value: str, *, seconds: int
) -> None:
    """A cookie that no script reads, no other site sends, and https keeps to https."""
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=seconds,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )


def forget_cookie(request: Request, response: Response, name: str) -> None:
    """Have the browser forget the cookie. Over https this needs the same attributes."""
    set_cookie(request, response, name, "", seconds=0)


def to_sign_in(request: Request) -> Response:
    """Redirect to the sign-in, which leads back to the page that was asked for."""
    wanted = request.url.path if request.method == "GET" else "/"
    where = f"/sign-in?{urlencode({'to': wanted})}" if wanted != "/" else "/sign-in"
    if HX_REQUEST in request.headers:
        return Response(status_code=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": "/sign-in"})
    response = RedirectResponse(where, HTTPStatus.SEE_OTHER)
    forget_cookie(request, response, SESSION_COOKIE)
    return response


def _time(moment: datetime | None) -> Markup:
    """`23 Nov 2026, 14:05:07 UTC`, for people and for programs."""
    if moment is None:
        return Markup('<span class="none">&ndash;</span>')
    utc = moment.astimezone(UTC)
    return Markup('<time datetime="{}">{}</time>').format(
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{utc.day} {utc:%b %Y, %H:%M:%S} UTC",
    )


def _plain(value: Any) -> str:
    """A value of the audit, as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None or value == "" else str(value)


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < _MEGA:
        return f"{size / _KILO:,.0f} KB" if size >= _KILO else f"{size} B"
    return f"{size / _MEGA:,.1f} MB"


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _ended(counts: Mapping[Status, int], words: Mapping[Status, str]) -> str:
    """`12 delivered, 2 dead letters`: how the files ended, in numbers."""
    told = []
    for status, count in counts.items():
        several = "s" if count > 1 and words[status].endswith("letter") else ""
        told.append(f"{count:,} {words[status]}{several}")
    return ", ".join(told)


def _countdown(seconds: float) -> str:
    """`14 min 32 s`, exact enough to wait for."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return duration(seconds)


def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("worker.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        time=_time,
        duration=duration,
        countdown=_countdown,
        size=_size,
        files=_files,
        ended=_ended,
        plain=_plain,
        public_url=without_credentials,
        server_facts=server_facts,
        segment=lambda text: quote(str(text), safe=""),
    )
    return templates


_TEMPLATES = _environment()
