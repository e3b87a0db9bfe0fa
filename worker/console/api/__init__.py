"""The API under /api/v1."""

from fastapi import APIRouter, Depends, Request
from fastapi.openapi.utils import get_openapi
from starlette.responses import JSONResponse, Response

from worker.console.access import NotSignedIn, PageAccess, Right
from worker.console.api import (
    account_acts,
    account_list,
    accounts,
    alerts,
    bulk_actions,
    dead_letters,
    deliveries,
    history,
    invalid_events,
    names,
    numbers,
    people,
    platform,
    server,
    user_access,
)
from worker.console.api.models import ErrorShape
from worker.console.api.problems import SettingsRefused
from worker.console.errors import headers_of, told

_ERRORS = {
    400: "The request cannot be read.",
    401: "No token, or one that opens nothing.",
    403: "The token may see it, and not do this.",
    404: "There is no such thing, or it is not for this token to know.",
    409: "The thing is in another state than the request takes for granted.",
    413: "The request is too large.",
    422: "A value cannot be used; `field` says which.",
    429: "Too many at once: try again later.",
    503: "The database or the broker is away.",
}

router = APIRouter(
    prefix="/api/v1",
    responses={
        status: {"model": ErrorShape, "description": words} for status, words in _ERRORS.items()
    },
)
for each in (
    account_list,
    accounts,
    account_acts,
    alerts,
    names,
    numbers,
    deliveries,
    dead_letters,
    invalid_events,
    bulk_actions,
    history,
    people,
    user_access,
    platform,
    server,
):
    router.include_router(each.router)


@router.get(
    "/openapi.json", include_in_schema=False, dependencies=[Depends(PageAccess(Right.PUBLIC))]
)
def openapi(request: Request) -> JSONResponse:
    """The description of the API, for programs."""
    app = request.app
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        schema.setdefault("components", {})["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer"}
        }
        schema["security"] = [{"token": []}]
        app.openapi_schema = schema
    return JSONResponse(app.openapi_schema)


def answer_error(_request: Request, error: Exception) -> Response:
    """The one shape of errors."""
    if isinstance(error, SettingsRefused):
        return JSONResponse({"error": error.content}, error.status.value)
    status, sentence, fields = told(error)
    content: dict[str, object] = {"message": sentence}
    named = {name: words for name, words in fields.items() if name}
    if named:
        content |= {"field": next(iter(named)), "fields": named}
    headers = headers_of(error)
    if isinstance(error, NotSignedIn):
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": content}, status.value, headers)
