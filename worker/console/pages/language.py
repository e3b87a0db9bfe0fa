"""The language that one reads the pages in: one's own choice, kept with the user."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.console.access import FormData
from worker.console.language import gettext as _
from worker.console.language import languages, read_by
from worker.console.pages.own import Oneself
from worker.console.pages.render import forget_cookie, go, page
from worker.console.reader import LANGUAGE_COOKIE, preferred
from worker.console.services import services_of

router = APIRouter(prefix="/language")


@router.get("")
def language_page(_principal: Oneself, request: Request) -> Response:
    """The form."""
    return page(request, "own_language.html")


@router.post("")
def choose_language(principal: Oneself, request: Request, form: FormData) -> Response:
    """Keep the choice; none leaves it to what the browser asks for."""
    chosen = form.get("language", "")
    if chosen and chosen not in languages():
        return go(request, "/language", _("There is no such language here."), ok=False)
    services_of(request).users.set_language(principal.login, chosen)
    read_by(chosen or preferred(request.headers.get("accept-language", "")))
    answer = go(request, "/language", _("Your choice is kept."))
    if not chosen:
        forget_cookie(request, answer, LANGUAGE_COOKIE)  # the sign-in page's, or it would count
    return answer
