"""The pages, and the page of an error."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from worker.console.access import NotSignedIn
from worker.console.errors import headers_of, told
from worker.console.pages import (
    account,
    alert_mail,
    audit,
    keys,
    numbers,
    overview,
    password,
    people,
    permissions,
    settings,
    signin,
)
from worker.console.pages.render import page, to_sign_in

router = APIRouter(include_in_schema=False)
for each in (
    signin,
    password,
    alert_mail,
    overview,
    account,
    settings,
    keys,
    permissions,
    numbers,
    people,
    audit,
):
    router.include_router(each.router)


def answer_error(request: Request, error: Exception) -> Response:
    """A page with the sentence, or the way to sign in."""
    if isinstance(error, NotSignedIn):
        return to_sign_in(request)
    status, sentence, fields = told(error)
    answer = page(
        request,
        "problem.html",
        status=status.value,
        title=status.phrase,
        sentence=sentence,
        others=list(fields.values())[1:],
    )
    answer.headers.update(headers_of(error))
    return answer
