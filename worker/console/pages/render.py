"""Renders templates; every value is escaped, and an unknown one is an error."""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import HTMLResponse, RedirectResponse, Response

from config.errors import ConfigError
from config.permissions import Principal
from consumers.ledger import Document, LastError, Status
from consumers.ledger.dead_letter_causes import DeadCause, cause_of
from consumers.ledger.queries import MOST_ENDED
from worker.charts import Span, told_hour, told_seconds
from worker.cli.output import duration
from worker.console import assets
from worker.console.access import (
    HX_REQUEST,
    SESSION_COOKIE,
    cookie_name,
    cookie_of,
    signed_in,
)
from worker.console.audit_values import who
from worker.console.browsers import told_browser
from worker.console.bulk_words import title as bulk_title
from worker.console.errors import Conflict
from worker.console.language import current, languages, ngettext, translated
from worker.console.language import gettext as _
from worker.console.limits import TooManyRequests
from worker.console.numerals import decimal, moment_utc, number
from worker.console.pages.scripts import script_words
from worker.console.services import services_of
from worker.console.sessions import Notice
from worker.server_facts import server_facts
from worker.show import CUSTOMERS_WORDS, STATUS_WORDS, verified_by, without_credentials

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
        "language": current(),
        "languages": languages(),
        "notice": notice,
        "shown_at": datetime.now(UTC),
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


def go(request: Request, path: str, sentence: str = "", *, ok: bool = True) -> Response:
    """Redirect to another page, which shows the outcome; without a sentence it is the outcome."""
    response = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    if not sentence:
        return response
    note = services_of(request).sessions.note(Notice(ok, translated(sentence)))
    set_cookie(request, response, NOTICE_COOKIE, note, seconds=60)
    return response


def address_of(recording_id: str) -> str:
    """Of the recording's page."""
    return f"/recordings/{quote(recording_id, safe='')}"


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
    return Markup('<time datetime="{}">{}</time>').format(_iso(moment), moment_utc(moment))


def _point(at: datetime, span: Span, form: str = "hour") -> Markup | str:
    """`23 Nov 14:00`, of the form `zoned` with its zone; a day of the charts is one of UTC."""
    told = f"{told_hour(at, span)} UTC" if form == "zoned" else told_hour(at, span)
    if span is not Span.HOURS:
        return told
    return Markup('<time datetime="{}" data-form="{}">{}</time>').format(_iso(at), form, told)


def _iso(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return utc.isoformat(timespec="seconds").replace("+00:00", "Z")


def _plain(value: Any) -> str:
    """A value of the audit, as people write it."""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value)) or _("none")
    return _("none") if value is None or value == "" else str(value)


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < _MEGA:
        return f"{decimal(size / _KILO)} KB" if size >= _KILO else f"{size} B"
    return f"{decimal(size / _MEGA, 1)} MB"


def initial(words: str) -> str:
    """The words with a capital letter at their beginning; the others stay as they are."""
    return words[:1].upper() + words[1:]


def _files(count: int) -> str:
    return ngettext("%(number)s file", "%(number)s files", count) % {"number": number(count)}


def _dead_cause(row: Document) -> DeadCause:
    """Why a row is a dead letter, and whose fault that is."""
    return cause_of(row["reason"], (row["last_error"] or {}).get("cause"))


def _read_by(error: LastError | Document, principal: Principal) -> LastError:
    """A failure, be it as its row has it, as this reader may know it."""
    known = error if isinstance(error, LastError) else LastError.stored(error)
    return known if principal.is_provider else known.for_customers()


def _is_hidden_from(error: LastError | Document, principal: Principal) -> bool:
    """Whether this reader reads the cause in place of what was said of a failure."""
    return not principal.is_provider and _read_by(error, principal).is_ours


def _accounts(count: int) -> str:
    return ngettext("%(number)s account", "%(number)s accounts", count) % {"number": number(count)}


def _ended(counts: Mapping[Status, int], words: Mapping[Status, str]) -> str:
    """`12 delivered, 2 dead letters`: how the files ended, in numbers as far as was counted."""
    return ", ".join(_ended_so(count, words[status]) for status, count in counts.items())


def _ended_so(count: int, word: str) -> str:
    shown = f"> {number(MOST_ENDED)}" if count > MOST_ENDED else number(count)
    if word != STATUS_WORDS[Status.DEAD_LETTERED]:
        return f"{shown} {translated(word)}"
    words = ngettext("%(number)s dead letter", "%(number)s dead letters", count)
    return words % {"number": shown}


def _seconds(value: float | None) -> str:
    return told_seconds(value) if value else ""


def _countdown(seconds: float) -> str:
    """`14 min 32 s`, exact enough to wait for."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    return duration(seconds)


@pass_context  # or the first reader's language would stay in the compiled template
def _translated(_context: Context, sentence: str) -> str:
    return translated(sentence)


def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("worker.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.policies["ext.i18n.trimmed"] = True
    installed: Any = templates  # the extension adds the method
    templates.globals["script_words"] = script_words
    installed.install_gettext_callables(_, ngettext, newstyle=True)
    templates.filters.update(
        tr=_translated,
        number=number,
        browser=told_browser,
        iso=_iso,
        point=_point,
        decimal=decimal,
        initial=initial,
        time=_time,
        duration=duration,
        countdown=_countdown,
        size=_size,
        seconds=_seconds,
        files=_files,
        accounts=_accounts,
        ended=_ended,
        dead_cause=_dead_cause,
        read_by=_read_by,
        is_hidden_from=_is_hidden_from,
        plain=_plain,
        bulk_title=bulk_title,
        public_url=without_credentials,
        server_facts=server_facts,
        verified_by=verified_by,
        recording_page=address_of,
        who=who,
        segment=lambda text: quote(str(text), safe=""),
    )
    return templates


_TEMPLATES = _environment()
