"""The application: the routes of the pages and of the API, and the handlers of errors."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.responses import Response
from starlette.routing import Match

from worker.console import api, assets, pages
from worker.console.access import NotSignedIn
from worker.console.api.problems import SettingsRefused
from worker.console.errors import KINDS
from worker.console.guards import API, HeadAsGet, LimitedBody, SameOrigin, SecurityHeaders
from worker.console.language import languages
from worker.console.proxies import TrustedProxies
from worker.console.reader import ReadersLanguage, read_again
from worker.console.services import Services

DESCRIPTION = """
Delivers call recordings to customers' FTP and SFTP servers. Everything that the console shows
and does, as JSON.

**Authorization**: `Authorization: Bearer courier_...`; the service provider or an account's
administrator makes tokens. A token of an account sees it and what is beneath it, nothing else.
**Times** are ISO 8601 in UTC. **Errors** have one shape: `{"error": {"message": "...", "field":
"..."}}`, with `field` where one is to blame.
"""


def create_app(services: Services) -> FastAPI:
    """The application over its collaborators."""
    app = FastAPI(
        title="Courier",
        version="1",
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = services
    app.include_router(api.router)
    app.include_router(pages.router)
    for prefix, folder in assets.FOLDERS.items():
        app.mount(prefix, StaticFiles(directory=folder))
    for kind in (
        *KINDS,
        NotSignedIn,
        SettingsRefused,
        RequestValidationError,
        StarletteHTTPException,
    ):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(Exception, _answer_fault)
    languages()  # reads for a while, which the first request shall not
    settings = services.core.settings
    app.add_middleware(HeadAsGet)
    app.add_middleware(SameOrigin, console_url=settings.console_url)
    app.add_middleware(LimitedBody)
    app.add_middleware(ReadersLanguage)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(TrustedProxies, trusted=settings.trusted_proxies)  # the outermost
    return app


def _answer(request: Request, error: Exception) -> Response:
    is_api = request.url.path.startswith(API)
    door: Any = api if is_api else pages
    answered: Response = door.answer_error(request, error)
    if answered.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        answered.headers["Allow"] = ", ".join(_allowed(request))
    return answered


def _answer_fault(request: Request, error: Exception) -> Response:
    """A fault of the program is answered outside of all middlewares."""
    with read_again(request):
        return _answer(request, error)


def _allowed(request: Request) -> list[str]:
    """The methods that the address takes (RFC 9110 section 15.5.6)."""
    routes = iter_route_contexts(request.app.routes)
    here = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    methods = {method for route in here for method in route.methods or ()} or {"GET"}  # of files
    return sorted(methods | ({"HEAD"} if "GET" in methods else set()))
