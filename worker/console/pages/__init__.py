"""The pages, and the page of an error."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.console.access import NotSignedIn
from worker.console.errors import headers_of, told
from worker.console.language import mark as N_
from worker.console.pages import (
    account,
    account_acts,
    administration,
    alert_mail,
    alerts,
    audit,
    bulk,
    charts,
    dead_letters,
    factor,
    forgotten,
    guides,
    invalid_events,
    keys,
    language,
    numbers,
    overview,
    own_sessions,
    password,
    people,
    permissions,
    recording,
    recordings,
    server,
    settings,
    signin,
)
from worker.console.pages.render import page, to_sign_in

router = APIRouter(include_in_schema=False)
for each in (
    signin,
    forgotten,
    password,
    factor,
    own_sessions,
    guides,
    language,
    alert_mail,
    overview,
    account_acts,
    account,
    recordings,
    settings,
    alerts,
    server,
    keys,
    permissions,
    numbers,
    people,
    charts,
    audit,
    dead_letters,
    invalid_events,
    bulk,
    recording,
    administration,
):
    router.include_router(each.router)


TITLES = {
    HTTPStatus.FORBIDDEN: N_("Not permitted"),
    HTTPStatus.NOT_FOUND: N_("Not found"),
    HTTPStatus.TOO_MANY_REQUESTS: N_("Too much at once"),
    HTTPStatus.INTERNAL_SERVER_ERROR: N_("Something went wrong here"),
    HTTPStatus.SERVICE_UNAVAILABLE: N_("Not to be had just now"),
}
"""What people read above the sentence; HTTP's own words are for programs."""
OTHERWISE = N_("That did not work")


def answer_error(request: Request, error: Exception) -> Response:
    """A page with the sentence, or the way to sign in."""
    if isinstance(error, NotSignedIn):
        return to_sign_in(request)
    status, sentence, fields = told(error)
    answer = page(
        request,
        "problem.html",
        status=status.value,
        title=TITLES.get(status, OTHERWISE),
        sentence=sentence,
        others=list(fields.values())[1:],
    )
    answer.headers.update(headers_of(error))
    return answer
