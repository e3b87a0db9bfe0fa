"""The parameters that a request may have in its address: of the API, and of a page."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from config.errors import FieldRefused
from worker.console.language import gettext as _

_MOST_SHOWN = 40
"""Characters of a name that nobody knows."""
_known: dict[str, frozenset[str]] = {}
"""By route, as the API's description names them."""


def refuse_unknown(request: Request) -> None:
    """Refuse a name that the route does not have: misspelt, a filter would widen what is listed or
    acted upon to all there is. Raises FieldRefused."""
    route = request.scope["route"]
    if route.unique_id not in _known:
        _known[route.unique_id] = _described(route)
    known = _known[route.unique_id]
    for name in request.query_params:
        if name not in known:
            raise FieldRefused(name[:_MOST_SHOWN], _words(name[:_MOST_SHOWN], known))


PLACES = ("page", "before", "after", "open", "download")
"""Where in a list a page begins, and the like: no filters to choose from."""


@dataclass(frozen=True)
class _Takes:
    names: tuple[str, ...]

    def __call__(self) -> None:
        """It is only looked at."""


def takes(*names: str) -> Any:
    """Among the dependencies of a page's route: the parameters that it reads by itself."""
    return Depends(_Takes(names))


def refuse_unknown_filter(request: Request) -> None:
    """Refuse a name that the page does not have: passed over it would show all, beneath an address
    that says otherwise. Raises FieldRefused."""
    known = [*_taken(request.scope["route"].dependant)] if request.query_params else []
    for name in request.query_params:
        if name not in known:
            shown = name[:_MOST_SHOWN]
            filters = ", ".join(each for each in known if each not in PLACES)
            words = _("There is no filter '%(name)s' here. There are: %(names)s.")
            if not filters:
                words = _("There is no filter '%(name)s' here: open the page without it.")
            raise FieldRefused(shown, words % {"name": shown, "names": filters})


def _taken(dependant: Dependant) -> Iterator[str]:
    yield from (each.alias for each in dependant.query_params)
    if isinstance(dependant.call, _Takes):
        yield from dependant.call.names
    for each in dependant.dependencies:
        yield from _taken(each)


def _described(route: APIRoute) -> frozenset[str]:
    paths = get_openapi(title="", version="", routes=[route])["paths"]
    return frozenset(
        parameter["name"]
        for operations in paths.values()
        for operation in operations.values()
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query"
    )


def _words(name: str, known: frozenset[str]) -> str:
    words = f"There is no parameter '{name}' here."
    if near := get_close_matches(name, sorted(known), n=1):
        return f"{words} Did you mean '{near[0]}'?"
    return f"{words} There are: {', '.join(sorted(known))}." if known else f"{words} There is none."
